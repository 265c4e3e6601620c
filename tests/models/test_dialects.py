"""Servers that call themselves compatible with OpenAI's, each in its dialect, over real HTTP.

The same reply comes in every form that was seen in the wild. What does not change: the plan that is
read, and the tokens that are counted.
"""

import json
from typing import Any

import pytest

from tests.bench.model_server import Reply
from tests.support.dialects import DONE, USAGE, Heard, Rows, chunk, event, events, refusal, whole

pytestmark = pytest.mark.timeout(30)

PLAN = 'x = echo("one")\nanswer(f"Got {x}.")\n'
HALVES = (PLAN[:9], PLAN[9:])
DRAFT = 'echo("a draft")\n'


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    return Rows(monkeypatch)


def texts(**more: Any) -> list[dict[str, Any]]:
    return [{"content": half, **more} for half in HALVES]


def think(text: str) -> list[dict[str, Any]]:
    return [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]


SHAPES: dict[str, str | Reply] = {
    "as OpenAI's": events([{"role": "assistant", "content": ""}, *texts()]),
    "a role in every chunk": events(texts(role="assistant")),
    "a role of another name": events(texts(role="bot")),
    "the role of the user": events(texts(role="user")),
    "no role": events(texts()),
    "an empty role": events(texts(role="")),
    "null for what is not there": events(texts(tool_calls=None, function_call=None, refusal=None)),
    "empty lists of calls": events(texts(tool_calls=[])),
    "a delta that is null": events([None, *texts(), None]),
    "content that is null": events([{"content": None}, *texts()]),
    "content as a list of parts": events(
        {"content": [{"type": "text", "text": half}]} for half in HALVES
    ),
    "content as one part": events({"content": {"type": "text", "text": half}} for half in HALVES),
    "content as a list of texts": events({"content": [half]} for half in HALVES),
    "a message in place of a delta": "".join(
        event({"choices": [{"message": {"content": half}}]}) for half in HALVES
    ) + DONE,
    "a text in place of a delta": "".join(
        event({"choices": [{"text": half}]}) for half in HALVES
    ) + DONE,
    "no choices first": event({"choices": []}) + event({"choices": None}) + events(texts()),
    "a filter's verdict first": event({"choices": [], "prompt_filter_results": [{}]})
    + events(texts()),
    "a document that is no object": event(None) + event("ping") + events(texts()),
    "a reason with the last text": event(chunk({"content": PLAN}, "stop")) + DONE,
    "a reason of its own": event(chunk({"content": PLAN}, "eos_token")) + DONE,
    "an empty reason in every chunk": "".join(
        event(chunk({"content": half}, "")) for half in HALVES
    ) + event(chunk({}, "stop")) + DONE,
    "no reason before [DONE]": "".join(event(chunk({"content": half})) for half in HALVES) + DONE,
    "no [DONE]": events(texts()).removesuffix(DONE),
    "neither reason nor blank line before [DONE]": event(chunk({"content": PLAN})) + DONE.strip(),
    "no blank lines": events(texts(), end="\n"),
    "no blank behind the colon": events(texts()).replace("data: ", "data:"),
    "carriage returns": events(texts()).replace("\n", "\r\n"),
    "a byte order mark": "\ufeff" + events(texts()),
    "comments that keep it alive": ": PROCESSING\n\n" + events(texts()).replace(
        "\n\n", "\n\n: PROCESSING\n\n"
    ),
    "events with names and ids": events(texts()).replace("data:", "event: message\nid: 1\ndata:"),
    "one event over several lines": events(texts()).replace('"choices": [', '"choices": [\ndata: '),
    "the whole reply as one document": whole({"role": "assistant", "content": PLAN}),
    "the whole reply as text/plain": Reply(
        body=events(texts()), content_type="text/plain; charset=utf-8"
    ),
    "the whole reply, parts": whole({"content": [{"type": "text", "text": PLAN}]}),
    "the whole reply in one event": event(
        {"choices": [{"message": {"content": PLAN}, "finish_reason": "stop"}]}
    ),
}  # fmt: skip
"""Bodies of a reply that says `PLAN`."""

REASONING: dict[str, str | Reply] = {
    "reasoning_content": events([{"reasoning_content": DRAFT}, *texts()]),
    "reasoning": events([{"reasoning": DRAFT}, *texts()]),
    "reasoning under two names": events(
        [{"reasoning": DRAFT, "reasoning_details": [{"text": DRAFT}]}, *texts()]
    ),
    "reasoning_details": events([{"reasoning_details": [{"text": DRAFT}]}, *texts()]),
    "an object": events([{"reasoning": {"content": DRAFT}}, *texts()]),
    "parts": events([{"content": think(DRAFT)}, *texts()]),
    "parts in a whole reply": whole({"content": [*think(DRAFT), {"type": "text", "text": PLAN}]}),
    "beside a whole reply": whole({"reasoning_content": DRAFT, "content": PLAN}),
    "tags": events([{"content": f"<think>{DRAFT}</think>"}, *texts()]),
    "tags in a whole reply": whole({"content": f"<think>{DRAFT}</think>\n{PLAN}"}),
    "the opening tag is missing": events(
        [{"content": f"Okay, first a draft:\n{DRAFT}</think>\n"}, *texts()]
    ),
    "harmony": events(
        [
            {"content": f"<|channel|>analysis<|message|>{DRAFT}<|end|>"},
            {"content": "<|start|>assistant<|channel|>final<|message|>"},
            *texts(),
        ]
    ),
}

COUNTED: dict[str, str | Reply] = {
    "beside the last choice": events(texts(), usage=USAGE),
    "in a chunk of its own": events(texts()).replace(
        DONE, event({"choices": [], "usage": USAGE}) + DONE
    ),
    "in every chunk, counted on": "".join(
        event(chunk({"content": half}, usage=USAGE | {"completion_tokens": at + 1}))
        for at, half in enumerate(HALVES)
    ) + event(chunk({}, "stop", usage=USAGE)) + DONE,
    "null until the end": "".join(
        event(chunk({"content": half}, usage=None)) for half in HALVES
    ) + event(chunk({}, "stop", usage=USAGE)) + DONE,
    "under Groq's name": events(texts(), x_groq={"usage": USAGE}),
    "under other names": events(texts(), usage={"input_tokens": 7, "output_tokens": 3}),
    "as floats and texts": events(
        texts(), usage={"prompt_tokens": 7.0, "completion_tokens": "3", "total_tokens": None}
    ),
    "details that are null": events(
        texts(), usage=USAGE | {"prompt_tokens_details": None, "cost": 0.1}
    ),
    "in a whole reply": whole({"content": PLAN}),
    "behind [DONE] of the text": events(texts(), usage=USAGE) + event({"usage": USAGE}),
}  # fmt: skip


async def test_text_is_read_in_every_shape(rows: Rows) -> None:
    heard = await rows(SHAPES)
    assert {row: it.text for row, it in heard.items()} == dict.fromkeys(SHAPES, PLAN.strip())


async def test_reasoning_is_no_text_in_any_form(rows: Rows) -> None:
    heard = await rows(REASONING)
    assert {row: it.text for row, it in heard.items()} == dict.fromkeys(REASONING, PLAN.strip())


async def test_tokens_are_counted_once_in_every_form(rows: Rows) -> None:
    heard = await rows(COUNTED)
    usage = {"calls": 1, "input": 7, "output": 3}
    assert {row: it.usage for row, it in heard.items()} == dict.fromkeys(COUNTED, usage)


async def test_a_reply_without_usage_is_one_call_of_no_tokens(rows: Rows) -> None:
    heard = await rows(
        {"none": events(texts()), "no number": events(texts(), usage={"prompt_tokens": "x"})}
    )
    assert [it.usage for it in heard.values()] == [{"calls": 1, "input": 0, "output": 0}] * 2


# ── errors in their many forms ────────────────────────────────────────────────────────────────

HTML = "<!DOCTYPE html>\n<html><body><h1>canary</h1></body></html>"
LASTING: dict[str, tuple[Reply, str]] = {
    "a web page": (Reply(body=HTML, content_type="text/html"), "sent a web page in place of a rep"),
    "a web page of another type": (Reply(body=f"\n{HTML}"), "sent a web page in place of a reply"),
    "a web page that is not found": (Reply(status=404, body=HTML), "HTTP 404"),
    "a key that is refused in a stream": (
        Reply(body=event({"error": {"message": "canary", "code": 401}})),
        "HTTP 401: the key was refused",
    ),
    "a context that is too long": (
        refusal(message="This model's maximum context length is 8192 tokens, canary"),
        "the prompt is too long for it; shorten the question",
    ),
    "a context that is too long, in a stream": (
        Reply(body=event({"error": {"message": "context_length_exceeded", "code": 400}})),
        "the prompt is too long for it; shorten the question",
    ),
    "a quota that is used up": (
        Reply(body=event({"error": {"code": 429, "message": "insufficient_quota"}})),
        "the quota is used up",
    ),
}  # fmt: skip
PASSING: dict[str, tuple[str, str]] = {
    "an error in a stream": (event({"error": {"message": "canary"}}), "try again"),
    "an error in the middle": (
        event(chunk({"content": HALVES[0]})) + event({"error": {"code": 502}}),
        "HTTP 502",
    ),
    "an error that is a text": (event({"error": "canary"}), "try again"),
    "an error with an event's name": (
        "event: error\n" + event({"message": "canary", "code": 500}),
        "HTTP 500",
    ),
    "an error in a choice": (
        event({"choices": [{"delta": {}, "error": {"code": 429}, "finish_reason": "error"}]}),
        "HTTP 429",
    ),
    "an error in a list": (event([{"error": {"code": 503, "status": "UNAVAILABLE"}}]), "HTTP 503"),
    "an error of a known kind": (event({"error": {"type": "overloaded_error"}}), "HTTP 529"),
    "an error as one document": (json.dumps({"error": {"code": "429"}}), "HTTP 429"),
    "no JSON": ("data: {canary\n\n", "the reply is not valid"),
    "nested too deeply": ("data: " + "[" * 100_000 + "\n\n", "the reply is not valid"),
    "nothing": ("", "stopped in the middle"),
    "only [DONE]": (DONE, "wrote no"),
}


async def test_what_will_not_change_is_no_transient_error(rows: Rows) -> None:
    heard = await rows({row: reply for row, (reply, _) in LASTING.items()})
    check(heard, {row: remedy for row, (_, remedy) in LASTING.items()}, transient=False)


async def test_what_may_change_is_a_transient_error(rows: Rows) -> None:
    heard = await rows({row: body for row, (body, _) in PASSING.items()})
    check(heard, {row: remedy for row, (_, remedy) in PASSING.items()}, transient=True)


def check(heard: dict[str, Heard], remedies: dict[str, str], *, transient: bool) -> None:
    for row, remedy in remedies.items():
        error = heard[row].error
        assert error is not None, row
        assert remedy in str(error), row
        assert "canary" not in str(error), row
        assert error.transient == transient, row


async def test_a_server_says_how_long_to_wait(rows: Rows) -> None:
    busy = Reply(status=429, body="slow down", content_type="text/plain", retry_after=7)
    error = (await rows({"busy": busy}))["busy"].error
    assert error is not None
    assert (error.transient, error.wait) == (True, 7)
