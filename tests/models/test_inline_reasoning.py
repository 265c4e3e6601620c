"""Thoughts that a server leaves in its model's text: never run, never part of what is said."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk, HumanMessage

from llm_compiler import build_graph
from llm_compiler.errors import ModelError
from llm_compiler.models.errors import EmptyReplyError
from llm_compiler.models.inline_reasoning import InlineReasoning
from llm_compiler.models.model import Meter, Model
from llm_compiler.models.profiles import DEFAULT_PROFILE, ModelProfile, profile_of
from llm_compiler.models.reader import Reader
from llm_compiler.models.reply import StreamedReply
from tests.support.cost import cost
from tests.support.scripted import Ledger, ScriptedModel

ASK: Any = {"messages": [HumanMessage("What?")]}
HARMONY = (
    "<|channel|>analysis<|message|>We need echo('draft').<|end|>"
    "<|start|>assistant<|channel|>final<|message|>"
)
THOUGHTS = [
    "<think>x = echo('draft')</think>",
    "\n<think>\nx = echo('draft')\nanswer(x)\n</think>\n\n",
    "<thinking>echo('draft')</thinking>\n",
    "<reasoning>It says </think> somewhere: echo('draft')</reasoning>",
    "<THINK>a</think> <think>echo('draft')</think>",
    "[THINK]echo('draft')[/THINK]",
    "Okay, so the user wants echo('draft').\n```python\necho('draft')\n```\n</think>\n\n",
    "We need echo('draft')\n</reasoning>\n",
    "</think>",
    HARMONY,
    f"analysis<|message|>echo('draft')<|end|>{HARMONY}",
    "Let me see: echo('draft')<|end|><|start|>assistant<|channel|>final<|message|>",
]
"""None of which has to be passed on."""
LATE = "I will call it.\n```python\nx = echo('draft')\nanswer(x)\n```\nThat is it.\n</think>\n\n"
"""A thought that begins as a plan may, and contains what looks like a whole one."""
TEXTS = [
    "x = echo('real')\nanswer(x)\n",
    "The answer is 5 < 6 & <b>bold</b>.",
    "Write `<think>` before it, and `</think>` behind.",
    'search("</think> tag")',
    "a <think> in a sentence",
    "<",
    "REPLAN: more",
    "Okay, that is 5.",
    "analysis of the text: final",
    " [1] <|x|> ",
]


def read(pieces: list[str], *, thinks: bool = False, cut: bool = False) -> tuple[str, str]:
    """The text in the end, and all that was ever returned."""
    filter = InlineReasoning(thinks=thinks)
    text = returned = ""
    for piece in pieces:
        more = filter.feed(piece)
        text = more if filter.began_anew else text + more
        returned += more
    more = filter.close(cut=cut)
    assert filter.withheld + len(returned + more) == sum(map(len, pieces))
    return text + more, returned + more


def whole(text: str) -> list[str]:
    return [text]


@pytest.mark.parametrize("chunked", [whole, list])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("thought", THOUGHTS)
def test_thought_is_taken_out_and_never_returned(thought: str, text: str, chunked: Any) -> None:
    said, returned = read(chunked(thought + text))
    assert said == returned
    assert said.strip() == text.strip()


@pytest.mark.parametrize("text", TEXTS)
def test_text_without_thoughts_stays_as_it_is(text: str) -> None:
    for thinks in (False, True):
        assert read(list(text), thinks=thinks) == (text, text)


@pytest.mark.parametrize("text", TEXTS[:1] + TEXTS[4:5])
def test_text_is_passed_on_while_it_comes(text: str) -> None:
    filter = InlineReasoning()
    assert "".join(map(filter.feed, text)) == text


def test_thought_in_the_middle_is_taken_out() -> None:
    text = "Sure.\n<think>echo('draft')</think>\nThe answer is 5."
    assert read(list(text)) == ("Sure.\nThe answer is 5.",) * 2


@pytest.mark.parametrize("chunked", [whole, list])
def test_late_closing_tag_begins_the_text_anew(chunked: Any) -> None:
    said, returned = read(chunked(LATE + "x = 1"))
    assert said == "x = 1"
    assert (returned == said) == (chunked is whole)


@pytest.mark.parametrize("chunked", [whole, list])
def test_model_that_is_known_to_think_is_held_back(chunked: Any) -> None:
    assert read(chunked(LATE + "x = 1"), thinks=True) == ("x = 1",) * 2


@pytest.mark.parametrize(
    "text", ["<think>and so on", "Okay, so the user", HARMONY[:50], "\n<think", " Let me"]
)
def test_thought_that_is_cut_off_says_nothing(text: str) -> None:
    said, _ = read(list(text), cut=True)
    assert said.strip() in ("", "<think", "Let me")
    assert read(list(text), thinks=True, cut=True)[0] == ""


def test_other_channels_say_nothing() -> None:
    call = "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>"
    assert read(list(call)) == ("", "")
    assert read(list(HARMONY + "5 <| 6<|return|>" + call)) == ("5 <| 6",) * 2
    assert read(list("<|start|>assistant<|message|>5<|end|>")) == ("5", "5")


PARTS = st.sampled_from(
    [
        *THOUGHTS,
        *TEXTS,
        LATE,
        *("<think>", "</think>", "<|channel|>", "<|message|>", "final", "<|end|>", "\n", " ", "`"),
        *("Okay", "So, ", "ok", "<", "</", "|>", "analysis", "[think]", "◁think▷", "İ", "\ud800"),
    ]
)


@settings(max_examples=300)
@given(st.lists(PARTS, max_size=8).map("".join), st.data(), st.booleans(), st.booleans())
def test_any_chunking_gives_the_same_text(
    text: str, data: st.DataObject, thinks: bool, cut: bool
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=20).map(sorted))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    said, _ = read([text], thinks=thinks, cut=cut)
    assert read(pieces, thinks=thinks, cut=cut)[0] == said
    assert read(list(text), thinks=thinks, cut=cut)[0] == said


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["<think>", '"</think>"', "<|start|>", "</think>", " ", "\n<think></think>", "a<"]
)
def test_time_is_linear_in_the_text(text: str) -> None:
    def seconds(times: int, *, one_by_one: bool) -> float:
        long = "<think>" * (text == "a<") + text * times
        pieces = list(long) if one_by_one else [long]
        return cost(lambda: read(pieces))

    for one_by_one in (True, False):
        few = min(seconds(2_000, one_by_one=one_by_one) for _ in range(3))
        assert min(seconds(20_000, one_by_one=one_by_one) for _ in range(3)) < 40 * few


@pytest.mark.parametrize(
    ("name", "thinks"),
    [
        ("openai:deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", True),
        ("ollama:deepseek-r1:8b", True),
        ("openai:QwQ-32B", True),
        ("openai:Qwen/Qwen3-30B-A3B-Thinking-2507", True),
        ("deepseek-reasoner", True),
        ("openai:Qwen/Qwen3-8B", False),
        ("openai:gpt-4.1-mini", False),
        ("openai:mistralai/Magistral-Small", False),
        ("grok-4-fast-non-reasoning", False),
        ("local", False),
    ],
)
def test_models_that_think_without_an_opening_tag_are_known_by_name(
    name: str, thinks: bool
) -> None:
    assert profile_of(name, DEFAULT_PROFILE).thinks is thinks


def test_reasoning_that_comes_apart_makes_holding_needless() -> None:
    reply = StreamedReply(thinks=True)
    reply.take(AIMessageChunk(content="", additional_kwargs={"reasoning_content": "Hm."}))
    assert reply.take(AIMessageChunk(content="Okay, 5")) == "Okay, 5"


def test_inline_reasoning_counts_as_work_and_is_bounded() -> None:
    reply = StreamedReply()
    assert reply.take(AIMessageChunk(content="<think>Hm")) == ""
    assert (reply.worked, reply.wrote, reply.has_text) == (True, False, False)
    reply.take(AIMessageChunk(content="m" * 399_000))
    assert reply.endless("it") is None
    reply.take(AIMessageChunk(content="m" * 1_000))
    assert isinstance(reply.endless("it"), EmptyReplyError)


def test_thought_alone_is_no_reply() -> None:
    reply = StreamedReply()
    reply.take(AIMessageChunk(content="<think>Hm.</think>\n"))
    wrong = reply.wrong("it")
    assert isinstance(wrong, ModelError)
    assert "only its reasoning" in str(wrong)
    assert wrong.transient


PLAN = "x = echo('real')\nanswer(x)\n"


@pytest.mark.parametrize("thought", THOUGHTS)
async def test_draft_in_a_thought_is_never_run_and_never_shown(thought: str) -> None:
    ledger = Ledger()
    planner, joiner = ScriptedModel(thought + PLAN), ScriptedModel(thought + "It is real.")
    graph = build_graph(ledger.tools, planner=planner, joiner=joiner)
    shown = ""
    async for kind, part in graph.astream(ASK, stream_mode=["messages", "values"]):
        if kind == "messages" and isinstance(part[0], AIMessageChunk):
            shown += part[0].text
    assert ledger.begun == ["real"]
    assert part["messages"][-1].text == shown == "It is real."


async def test_late_thought_leaves_its_writes_and_its_text_behind() -> None:
    ledger = Ledger()
    planner, joiner = ScriptedModel(LATE * 2 + PLAN), ScriptedModel(LATE + "It is real.")
    state = await build_graph(ledger.tools, planner=planner, joiner=joiner).ainvoke(ASK)
    assert state["plan"][0]["args"] == {"value": "real"}
    assert all(outcome["status"] == "ok" for outcome in state["outcomes"].values())
    assert state["messages"][-1].text == "It is real."


async def test_model_that_was_late_once_is_held_back_from_then_on() -> None:
    model = Model("it", ScriptedModel(LATE + "one", LATE + "two"), ModelProfile())
    forgotten: list[str] = []
    for said in ("one", "two"):
        forget = lambda: forgotten.append("")  # noqa: E731
        pieces = model.stream([], Meter(), role="joiner", forget=forget)
        assert "".join([piece async for piece in pieces]).endswith(said)
    assert len(forgotten) == 1


@pytest.mark.parametrize("thought", [*THOUGHTS, LATE])
async def test_reader_gets_the_reply_alone(thought: str) -> None:
    reader = Reader(Model("it", ScriptedModel(thought + "5 m")), Meter())
    assert (await reader.ask("Copy the number", "?")).strip() == "5 m"
