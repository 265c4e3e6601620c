"""Models that fail, over real HTTP: they are asked again where that may help, else reported.

The report names a remedy and contains no key, question or result, though these servers quote them.
"""

import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage

from llm_compiler import Context, build_graph
from llm_compiler.errors import ModelError
from llm_compiler.models.model import Meter
from llm_compiler.models.reader import Reader
from llm_compiler.tools import SHIPPED
from tests.bench.model_server import ModelServer, Reply
from tests.support.models import open_model
from tests.support.scripted import Ledger, ScriptedModel
from tests.support.serving import Serve, prompts, serving

pytestmark = pytest.mark.timeout(30)

KEY = "sk-canary-of-the-key"
QUESTION = "the canary of the question"
RESULT = "The canary of the results is 10 m or 20 m high."
QUOTED = f"{KEY}: {QUESTION}: {RESULT}"
ASK: Any = {"messages": [HumanMessage(QUESTION)]}
NAME = "openai:scripted"

PLAN = f'echo("one")\nnumber("height in metres", "{RESULT}")'
ANSWER = "Ten."
SAID = {"planner": PLAN, "joiner": ANSWER, "reader": "1"}
PROMPT = {"planner": "planner", "joiner": "joiner", "reader": "number"}
"""The prompt of each role."""

ROLES = pytest.mark.parametrize("role", ["planner", "joiner", "reader"])


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts a server on which each role replies as it should, except for the replies given."""
    with serving(monkeypatch, KEY) as start:
        yield lambda **replies: start(**{PROMPT[it]: said for it, said in (SAID | replies).items()})


def asked(server: ModelServer, role: str) -> int:
    """How often a role's model was asked."""
    return len(prompts(server, PROMPT[role]))


async def turn(ledger: Ledger | None = None, **context: Any) -> Any:
    """A turn, after which every call has its message."""
    await open_model(NAME)  # a deadline in a test must not count the client's import
    graph = build_graph([*(ledger or Ledger()).tools, *SHIPPED])
    state = await graph.ainvoke(ASK, context=Context(model=NAME, tool_retries=0, **context))
    calls = [c["id"] for m in state["messages"] for c in getattr(m, "tool_calls", ())]
    assert calls == [m.tool_call_id for m in state["messages"] if isinstance(m, ToolMessage)]
    return state


async def told(role: str, **context: Any) -> str:
    """The report about a role's model that keeps failing: an error, or a tool's outcome."""
    if role == "reader":
        state = await turn(**context)
        assert state["messages"][-1].text == ANSWER
        outcome = state["outcomes"]["2"]
        assert outcome["status"] == "failed"
        error, shown = outcome["error"], ""
    else:
        with pytest.raises(ModelError) as raised:
            await turn(**context)
        error, shown = str(raised.value), "".join(traceback.format_exception(raised.value))
    assert "canary" not in error + shown
    assert error.startswith(f"the {role}'s model {NAME}")
    assert "\n" not in error
    return str(error)


# ── what a server does ────────────────────────────────────────────────────────────────────────

PASSING = {
    "429": (Reply(status=429, text=QUOTED, retry_after=0.01), "HTTP 429: too many requests; wait"),
    "500": (Reply(status=500, text=QUOTED, retry_after=0.01), "HTTP 500: the server failed; try"),
    "503": (Reply(status=503, text=QUOTED, retry_after=0.01), "HTTP 503: the server failed; try"),
    "it breaks off": (Reply(PLAN, cut_after=0), "the connection broke off"),
    "it stops": (Reply(ends=False), "stopped in the middle of its reply; try again"),
    "it stalls": (Reply(PLAN, stall_after=0), "was silent for 0.2 s; try again, raise model_"),
}
FOR_GOOD = {
    "400": (Reply(status=400, text=QUOTED), "HTTP 400"),
    "401": (Reply(status=401, text=QUOTED), "HTTP 401: the key was refused; check OPENAI_API_KEY"),
    "403": (Reply(status=403, text=QUOTED), "HTTP 403: the key was refused; check OPENAI_API_KEY"),
    "404": (
        Reply(status=404, text=QUOTED),
        "HTTP 404: the server has no such model; check the name",
    ),
    "301": (Reply(status=301, text=QUOTED), "HTTP 301: the server is at another address; check"),
    "no quota": (
        Reply(status=429, text=f"insufficient_quota: {QUOTED}"),
        "the quota is used up; c",
    ),
    "too long": (Reply(status=400, text=f"context_length_exceeded: {QUOTED}"), "shorten the quest"),
}


@pytest.mark.parametrize("fault", PASSING)
@ROLES
async def test_a_transient_error_is_retried(serve: Serve, role: str, fault: str) -> None:
    reply, _ = PASSING[fault]
    server = serve(**{role: [reply, reply, SAID[role]]})
    # A sound reply may be late on a busy machine.
    state = await turn(model_timeout=0.5 if fault == "it stalls" else 30)
    assert asked(server, role) == 3
    assert state["messages"][-1].text == ANSWER
    assert state["outcomes"]["2"]["value"] == 10


@pytest.mark.parametrize("fault", PASSING)
@ROLES
async def test_a_lasting_error_names_role_model_and_remedy(
    serve: Serve, role: str, fault: str
) -> None:
    reply, remedy = PASSING[fault]
    server = serve(**{role: reply})
    assert remedy in await told(role, model_timeout=0.2)
    assert asked(server, role) == 3
    # No connection stays open, not even to a server that sends nothing more.
    assert all(request.ended.result(5) != "stopped" for request in server.requests)


@pytest.mark.parametrize("fault", FOR_GOOD)
@ROLES
async def test_a_permanent_error_is_not_retried(serve: Serve, role: str, fault: str) -> None:
    reply, remedy = FOR_GOOD[fault]
    server = serve(**{role: reply})
    assert remedy in await told(role)
    assert asked(server, role) == 1


@pytest.mark.slow
async def test_a_refused_connection_names_role_model_and_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ModelServer("") as gone:
        monkeypatch.setenv("OPENAI_BASE_URL", gone.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert "no connection" in await told("planner")
    planner = ScriptedModel(PLAN)
    graph = build_graph(Ledger().tools, planner=planner)
    with pytest.raises(ModelError, match=f"the joiner's model {NAME}: no connection"):
        await graph.ainvoke(ASK, context=Context(model=NAME))
    reader = Reader(await open_model(NAME), Meter())
    with pytest.raises(ModelError, match=f"the reader's model {NAME}: no connection"):
        await reader.ask("", "")


@pytest.mark.parametrize("seconds", [3600, 60])
async def test_retry_after_is_obeyed_up_to_a_minute(serve: Serve, seconds: float) -> None:
    serve(planner=Reply(status=429, retry_after=seconds))
    model = await open_model(NAME)
    with pytest.raises(ModelError) as error:
        await anext(model.stream([SystemMessage("Write a plan")], Meter(), role="planner"))
    assert error.value.wait == 60


async def test_the_deadline_ends_the_wait_for_a_busy_planner(serve: Serve) -> None:
    server = serve(planner=Reply(status=429, retry_after=30))
    state = await turn(deadline=0.3)
    assert state["messages"][-1].text == ANSWER
    assert asked(server, "planner") == 1


# ── a planner that breaks off keeps what runs ─────────────────────────────────────────────────

BREAKS = {
    "it breaks off": Reply(PLAN, cut_after=20),
    "it stops": Reply(PLAN[:20], ends=False),
    "it stalls": Reply(PLAN, stall_after=20),
}


@pytest.mark.parametrize("fault", BREAKS)
async def test_a_planner_that_breaks_off_repeats_no_call(serve: Serve, fault: str) -> None:
    ledger = Ledger()
    server = serve(planner=[BREAKS[fault], PLAN])
    state = await turn(ledger, model_timeout=0.3)
    assert state["messages"][-1].text == ANSWER
    assert asked(server, "planner") == 2
    assert ledger.begun == ["one"]
    assert state["outcomes"]["1"]["value"] == "one"


@pytest.mark.parametrize("fault", ["it breaks off", "it stalls"])
async def test_what_follows_the_end_of_a_plan_cannot_break_it(serve: Serve, fault: str) -> None:
    plan = f"{PLAN}\nanswer(None)\n"
    at = len(plan)
    reply = Reply(plan, cut_after=at) if fault == "it breaks off" else Reply(plan, stall_after=at)
    server = serve(planner=reply)
    state = await turn(model_timeout=0.3)
    assert state["messages"][-1].text == ANSWER
    assert asked(server, "planner") == 1


async def test_a_planner_that_breaks_off_for_good_leaves_no_call_running(serve: Serve) -> None:
    ledger = Ledger()
    ledger.gate("one")
    serve(planner=Reply(PLAN, cut_after=20))
    with pytest.raises(ModelError, match="the planner's model openai:scripted: the connection br"):
        await turn(ledger)
    assert ledger.begun == ledger.cancelled == ["one"]


async def test_an_answer_that_breaks_off_is_not_restarted(serve: Serve) -> None:
    server = serve(joiner=Reply("The canary is", cut_after=8))
    assert "the connection broke off" in await told("joiner")
    assert asked(server, "joiner") == 1


# ── what a model does ─────────────────────────────────────────────────────────────────────────

NOTHING = {
    "nothing": (Reply(""), "wrote nothing; use another model"),
    "blanks": (Reply(" \n \n"), "wrote nothing; use another model"),
    "only reasoning": (Reply(reasoning="Hm. " * 9), "wrote only its reasoning; use another model"),
}


@pytest.mark.parametrize("kind", NOTHING)
async def test_a_planner_that_writes_nothing_leaves_the_answer_to_the_joiner(
    serve: Serve, kind: str
) -> None:
    server = serve(planner=NOTHING[kind][0])
    assert (await turn())["messages"][-1].text == ANSWER
    assert asked(server, "planner") == 3


@pytest.mark.parametrize("kind", NOTHING)
async def test_results_replace_the_answer_of_a_joiner_that_writes_nothing(
    serve: Serve, kind: str
) -> None:
    reply, why = NOTHING[kind]
    serve(joiner=reply)
    answer = (await turn())["messages"][-1].text
    assert answer.startswith(f"the joiner's model {NAME} {why}. The last results:\n")
    assert 'echo("one")  # "one"' in answer


@pytest.mark.parametrize("kind", NOTHING)
async def test_a_reader_that_writes_nothing_fails_its_call(serve: Serve, kind: str) -> None:
    reply, why = NOTHING[kind]
    serve(reader=reply)
    assert why in await told("reader")


async def test_reasoning_before_a_reply_is_not_part_of_it(serve: Serve) -> None:
    reasoned = {role: Reply(said, reasoning='fail("no") ') for role, said in SAID.items()}
    serve(**reasoned)
    state = await turn()
    assert state["messages"][-1].text == ANSWER
    assert state["outcomes"]["2"]["value"] == 10
    assert len(state["plan"]) == 2


REFUSALS = {
    "a refusal": (Reply(refusal="I cannot help with that."), "refused"),
    "a filter": (Reply(finish_reason="content_filter"), "stopped by its provider's content filter"),
}


@pytest.mark.parametrize("kind", REFUSALS)
async def test_a_planner_that_refuses_is_not_asked_again(serve: Serve, kind: str) -> None:
    server = serve(planner=REFUSALS[kind][0])
    assert (await turn())["messages"][-1].text == ANSWER
    assert asked(server, "planner") == 1


async def test_the_joiners_refusal_is_the_answer(serve: Serve) -> None:
    server = serve(joiner=Reply(refusal="I cannot help with that."))
    assert (await turn())["messages"][-1].text == "I cannot help with that."
    assert asked(server, "joiner") == 1


async def test_results_replace_the_answer_of_a_joiner_that_a_filter_stops(serve: Serve) -> None:
    serve(joiner=Reply(finish_reason="content_filter"))
    answer = (await turn())["messages"][-1].text
    assert "content filter; rephrase the question, or use another model" in answer
    assert 'echo("one")  # "one"' in answer


@pytest.mark.parametrize("kind", REFUSALS)
async def test_a_reader_that_refuses_fails_its_call(serve: Serve, kind: str) -> None:
    reply, why = REFUSALS[kind]
    server = serve(reader=reply)
    assert why in await told("reader")
    assert asked(server, "reader") == 1


CUTS = {
    "inside a call": ('echo("one")\necho("tw', "2"),
    "between two calls": ('echo("one")\n', "2"),
    "inside a name": ('echo("one")\nec', "2"),
}


@pytest.mark.parametrize("reason", ["length", "content_filter"])
@pytest.mark.parametrize("place", CUTS)
async def test_the_joiner_is_told_that_a_plan_was_cut_off(
    serve: Serve, place: str, reason: str
) -> None:
    ledger = Ledger()
    plan, cut = CUTS[place]
    server = serve(planner=Reply(plan, finish_reason=reason))
    state = await turn(ledger)
    assert ledger.begun == ["one"]
    assert state["outcomes"]["1"]["status"] == "ok"
    assert state["outcomes"][cut]["status"] == "failed"
    assert "the plan was cut off" in state["outcomes"][cut]["error"]
    assert "the plan was cut off" in server.requests[-1].body["messages"][-1]["content"]
    assert state["messages"][-1].text == ANSWER


async def test_a_whole_plan_at_the_length_limit_is_whole(serve: Serve) -> None:
    serve(planner=Reply(f"{PLAN}\nanswer(None)\n", finish_reason="length"))
    assert {o["status"] for o in (await turn())["outcomes"].values()} == {"ok"}


@pytest.mark.parametrize(
    ("reason", "why"), [("length", "reached its length limit"), ("content_filter", "was stopped")]
)
async def test_an_answer_that_is_cut_says_so(serve: Serve, reason: str, why: str) -> None:
    serve(joiner=Reply("Ten, or", finish_reason=reason))
    answer = (await turn())["messages"][-1].text
    assert answer.startswith(f"Ten, or… (the joiner's model {NAME} {why}")


async def test_a_model_that_only_thinks_up_to_its_limit_is_not_asked_again(serve: Serve) -> None:
    server = serve(reader=Reply(reasoning="Hm. " * 9, finish_reason="length"))
    assert "reached its length limit before producing any text" in await told("reader")
    assert asked(server, "reader") == 1


async def test_a_reply_to_a_tool_at_its_length_limit_is_accepted(serve: Serve) -> None:
    serve(reader=Reply("1", finish_reason="length"))
    assert (await turn())["outcomes"]["2"]["value"] == 10


async def test_a_tool_is_not_asked_again_by_both_its_model_and_its_executor(serve: Serve) -> None:
    server = serve(reader=Reply(status=500, retry_after=0.01))
    graph = build_graph(SHIPPED, planner=ScriptedModel(PLAN.partition("\n")[2]))
    await graph.ainvoke(ASK, context=Context(model=NAME, tool_retries=2))
    assert asked(server, "reader") == 3
