"""Odd and endless texts, over real HTTP: what is bounded, and what is made readable."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler import Context, build_graph
from llm_compiler.errors import ModelError
from llm_compiler.nodes.plan_stream import RepeatedLines
from llm_compiler.prompting.messages import bounded
from llm_compiler.tools import SHIPPED
from tests.bench.model_server import Body, ModelServer, Reply, text_of
from tests.support.cost import cost, grows_linearly
from tests.support.models import open_model
from tests.support.scripted import Ledger
from tests.support.serving import Serve, prompts, serving

pytestmark = pytest.mark.timeout(60)

NAME = "openai:scripted"
THREAD: Any = {"configurable": {"thread_id": "1"}}
PLAN = 'echo("NOISE")'
ANSWER = "Answer."


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    with serving(monkeypatch, planner=PLAN, joiner=ANSWER, read="x") as start:
        yield start


def graph(checkpointer: Any = None) -> Any:
    return build_graph([*Ledger().tools, *SHIPPED], checkpointer=checkpointer)


def ask(question: str) -> Any:
    return {"messages": [HumanMessage(question)]}


async def turn(question: str = "What?", **context: Any) -> Any:
    await open_model(NAME)  # a deadline in a test must not count the client's import
    return await graph().ainvoke(ask(question), context=Context(model=NAME, **context))


def texts(server: ModelServer, name: str) -> list[str]:
    """For each prompt, the messages after its system message, as one text."""
    return ["\n".join(text for _, text in sent[1:]) for sent in prompts(server, name)]


# ── conversations ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
async def test_many_turns_keep_the_prompts_bounded(serve: Serve) -> None:
    turns = 80
    asked = iter(range(turns))
    server = serve(joiner=lambda _: Reply(f"answer {next(asked)} " + "so it is " * 30))
    compiled = graph(InMemorySaver())
    for number in range(turns):
        question = ask(f"question {number} " + "and why " * 30)
        await compiled.ainvoke(question, THREAD, context=Context(model=NAME))
    for name in ("planner", "joiner"):
        sizes = [len(prompt) for prompt in texts(server, name)]
        assert len(sizes) == turns
        assert max(sizes) < 9000
        assert sizes[-1] == pytest.approx(sizes[turns // 2], rel=0.05)
    last = texts(server, "planner")[-1]
    assert f"question {turns - 2} " in last
    assert f"answer {turns - 2} " in last
    assert "question 0 " not in last


async def test_a_turn_sees_earlier_questions_and_answers_and_no_tools(serve: Serve) -> None:
    server = serve()
    compiled = graph(InMemorySaver())
    for question in ("first", "second", "third"):
        await compiled.ainvoke(ask(question), THREAD, context=Context(model=NAME))
    planner = texts(server, "planner")[-1]
    assert planner == f"first\n{ANSWER}\nsecond\n{ANSWER}\nthird"
    joiner = texts(server, "joiner")[-1]
    assert joiner.startswith(f"first\n{ANSWER}\nsecond\n{ANSWER}\n")
    assert joiner.count("NOISE") == texts(server, "joiner")[0].count("NOISE")


async def test_a_question_that_is_too_long_is_reported_and_the_next_is_answered(
    serve: Serve,
) -> None:
    def planner(body: Body) -> Reply:
        if sum(len(text_of(message)) for message in body["messages"]) > 10_000:
            return Reply(status=400, text="This model's maximum context length is 8192 tokens")
        return Reply(PLAN)

    server = serve(planner=planner)
    compiled, context = graph(InMemorySaver()), Context(model=NAME)
    with pytest.raises(ModelError, match="the prompt is too long for it; shorten the question"):
        await compiled.ainvoke(ask("HUGE " * 200_000), THREAD, context=context)
    state = await compiled.ainvoke(ask("And K2?"), THREAD, context=context)
    assert state["messages"][-1].text == ANSWER
    assert len(texts(server, "planner")[-1]) < 4000
    assert "… (1000000 characters)" in texts(server, "planner")[-1]


@pytest.mark.parametrize("size", [100, 3_000, 10_000, 10_000_000])
def test_long_messages_keep_their_beginning(size: int) -> None:
    kept = bounded([HumanMessage("q" * size), AIMessage("a" * size)])
    assert [message.text[0] for message in kept] == ["q", "a"]
    assert sum(len(message.text) for message in kept) < 8000


def test_a_conversation_of_many_turns_is_trimmed_quickly() -> None:
    said = [HumanMessage("question " * 20), AIMessage("answer " * 20)] * 50_000
    kept: list[Any] = []
    assert cost(lambda: kept.extend(bounded(said))) < 1
    assert 2 <= len(kept) < 100


# ── odd text ──────────────────────────────────────────────────────────────────────────────────

HALVES = "\ud83c\udfd4"
"""🏔 as two surrogates, which the server sends apart."""
ODD = {
    "a pair in halves": (f"K2 {HALVES}.", "K2 🏔."),
    "a half alone": ("K2 \ud83c.", "K2 \ufffd."),
    "a half at the end": ("K2 \ud83c", "K2 \ufffd"),
    "the other half first": ("\udfd4\ud83c K2", "\ufffd\ufffd K2"),
    "NUL": ("K2\0.", "K2\ufffd."),
    "many bytes each": ("é🏔漢👩‍👩‍👧", "é🏔漢👩‍👩‍👧"),
    "other ends of lines": ("a\x85b\u2028c\rd", "a\x85b\u2028c\rd"),
}


@pytest.mark.parametrize("bytewise", [False, True], ids=["", "bytewise"])
@pytest.mark.parametrize("odd", ODD)
async def test_odd_text_from_a_model_can_be_stored_and_shown(
    serve: Serve, odd: str, bytewise: bool
) -> None:
    text, shown = ODD[odd]

    def said(reply: str) -> Reply:
        return Reply(reply, piece=1, bytewise=bytewise)

    plan = f'echo("{text}")\nread("Which?", "It is K2.")'
    serve(planner=said(plan), joiner=said(text), read=said(text))
    compiled = graph(InMemorySaver())
    await compiled.ainvoke(ask("What?"), THREAD, context=Context(model=NAME))
    state = (await compiled.aget_state(THREAD)).values
    # A carriage return is no part of a program.
    assert state["outcomes"]["1"]["value"] == shown.replace("\r", "")
    assert state["outcomes"]["2"]["value"] == shown.splitlines()[0]
    assert state["messages"][-1].text == shown


@pytest.mark.parametrize("odd", ODD)
async def test_a_question_of_odd_text_can_be_asked(serve: Serve, odd: str) -> None:
    text, shown = ODD[odd]
    server = serve()
    state = await turn(text)
    assert state["messages"][-1].text == ANSWER
    said = {"messages": [*state["messages"], HumanMessage("Why?")]}
    assert (await graph().ainvoke(said, context=Context(model=NAME)))["messages"][-1].text == ANSWER
    assert texts(server, "planner") == [shown, f"{shown}\n{ANSWER}\nWhy?"]


# ── endless text ──────────────────────────────────────────────────────────────────────────────

MEGABYTES = 10_000_000
PIECE = 5_000
ENDLESS = {
    "a word": "x" * MEGABYTES,
    "blanks": " " * MEGABYTES,
    "digits": "1" * MEGABYTES,
    "a comment": "# " + "x" * MEGABYTES,
    "marks": "<" * MEGABYTES,
    "a string": 'echo("' + "x" * MEGABYTES,
    "brackets": "echo(" + "[" * MEGABYTES,
    "backslashes": 'echo("' + "\\" * MEGABYTES,
    "quotes": "echo(" + '"' * MEGABYTES,
    "names": "x, " * (MEGABYTES // 3),
    "dots": "x." * (MEGABYTES // 2),
    "lines": "x = \n" * (MEGABYTES // 5),
}


@pytest.mark.parametrize("between", ["", "\n", "x\n\n"])
def test_lines_in_small_pieces_are_counted_in_linear_time(between: str) -> None:
    def work(pieces: int) -> RepeatedLines:
        lines = RepeatedLines()
        for number in range(pieces):
            lines.feed(f"{number}{between}")
        return lines

    assert grows_linearly(work)
    assert work(3).found is False
    lines = RepeatedLines()
    for piece in "a = 1\n\n\n\nb\na = 1\na = 1":
        lines.feed(piece)
    assert lines.found is False
    lines.feed("\n")
    assert lines.found is True


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENDLESS)
async def test_an_endless_plan_is_read_up_to_a_bound(serve: Serve, kind: str) -> None:
    server = serve(planner=Reply(ENDLESS[kind], piece=PIECE))
    began = time.thread_time()
    state = await turn(max_rounds=1)
    assert time.thread_time() - began < 5
    said = state["messages"][-1].text
    assert said == ANSWER or (state["plan"] and said.startswith("I found no answer:"))
    assert len(said) < 2000
    assert {outcome["status"] for outcome in state["outcomes"].values()} <= {"failed"}
    planned = [r for r in server.requests if "Write a plan" in str(r.body.get("messages"))]
    for request in planned:
        assert request.ended.result(5) == "left"
        assert len(request.sent) * PIECE < MEGABYTES
    assert all(len(text) < 20_000 for text in texts(server, "joiner"))


async def test_one_piece_of_ten_megabytes_is_not_read(serve: Serve) -> None:
    serve(planner=Reply(ENDLESS["a string"], piece=MEGABYTES))
    with pytest.raises(ModelError, match="sent more than 1 MB in one piece"):
        await turn()


async def test_an_endless_answer_is_cut(serve: Serve) -> None:
    server = serve(joiner=Reply("x" * MEGABYTES, piece=PIECE))
    answer = (await turn())["messages"][-1].text
    assert answer.endswith("x… (cut off after 200000 characters)")
    assert len(answer) < 210_000
    assert server.requests[-1].ended.result(5) == "left"


@pytest.mark.parametrize("text", [" ", "*", "REPLAN:", "REPLAN: \n"])
async def test_an_endless_beginning_of_an_answer_is_cut(serve: Serve, text: str) -> None:
    serve(joiner=Reply(text + text[-1] * MEGABYTES, piece=PIECE))
    began = time.perf_counter()
    assert (await turn(max_rounds=1))["messages"][-1].text
    assert time.perf_counter() - began < 20


@pytest.mark.slow
async def test_an_endlessly_slow_answer_ends_with_the_deadline(serve: Serve) -> None:
    server = serve(joiner=Reply("drip" * 10_000, rate=50))
    state = await turn(deadline=0.5, model_timeout=0.5)
    answer = state["messages"][-1].text
    assert answer.startswith("dripdrip")
    assert answer.endswith(f"drip… (the joiner's model {NAME} was cut off at the deadline)")
    assert server.requests[-1].ended.result(5) == "left"


@pytest.mark.slow
async def test_an_endlessly_slow_plan_ends_with_the_deadline(serve: Serve) -> None:
    serve(planner=Reply('echo("one")\n' + "drip" * 10_000, rate=50))
    state = await turn(deadline=0.5)
    assert state["messages"][-1].text == ANSWER


async def test_an_endless_reply_to_a_tool_is_cut(serve: Serve) -> None:
    server = serve(
        planner='read("Which?", "It is K2.")',
        read=Reply("x" * MEGABYTES, piece=PIECE),
    )
    assert (await turn())["outcomes"]["1"]["value"] == "x" * 120
    assert server.requests[-2].ended.result(5) == "left"
