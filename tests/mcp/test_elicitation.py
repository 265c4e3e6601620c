"""A server asks in the middle of a call, and a person answers as they decide on an approval."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from mcp.types import ElicitRequestFormParams, ElicitRequestURLParams, ElicitResult

from llm_compiler import build_graph
from llm_compiler.errors import PlanError
from llm_compiler.mcp.elicitation import question_of, result_of
from llm_compiler.mcp.servers import MCP_SERVERS
from llm_compiler.mcp.under_way import CALL, Call, UnderWay
from tests.support.mcp_processes import Configure, HttpServer, lines, stdio
from tests.support.scripted import ScriptedModel

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}

FORM = ElicitRequestFormParams(
    message="How many?",
    requested_schema={
        "type": "object",
        "properties": {
            "amount": {"type": "integer", "default": 1, "minimum": 1},
            "note": {"type": "string"},
        },
        "required": ["amount"],
    },
)
URL = ElicitRequestURLParams(message="Log in.", url="https://x.example/login", elicitation_id="1")


# ── the question and its answers ──────────────────────────────────────────────────────────────


def test_a_question_has_the_shape_of_an_approval_and_of_langchains_adapter() -> None:
    question = question_of("order", "shop", FORM)
    assert question["action_requests"] == [
        {
            "name": "order",
            "args": {"amount": 1, "note": None},
            "description": "The MCP server 'shop' asks: How many?",
        }
    ]
    assert question["type"] == "mcp_elicitation"
    [asked] = question["requests"]
    assert (asked["mode"], asked["message"]) == ("form", "How many?")
    assert asked["requested_schema"] == FORM.requested_schema


def test_a_question_may_send_a_person_to_an_address() -> None:
    question = question_of("order", "shop", URL)
    [request] = question["action_requests"]
    assert "https://x.example/login" in request["description"]
    assert question["review_configs"][0]["allowed_decisions"] == ["approve", "reject"]


def edit(**args: Any) -> dict[str, Any]:
    return {"type": "edit", "edited_action": {"name": "order", "args": args}}


ACCEPTED = {"amount": 2, "note": "soon"}


@pytest.mark.parametrize(
    ("answer", "action", "content"),
    [
        ({"decisions": [{"type": "approve"}]}, "accept", {"amount": 1}),
        ({"decisions": ["approve"]}, "accept", {"amount": 1}),
        ({"decisions": [edit(amount=2, note="soon")]}, "accept", ACCEPTED),
        ({"decisions": [edit(amount=2, note=None)]}, "accept", {"amount": 2}),
        ({"decisions": [{"type": "reject", "message": "no"}]}, "decline", None),
        ({"responses": {"7": {"action": "accept", "content": ACCEPTED}}}, "accept", ACCEPTED),
        ({"responses": {"7": {"action": "cancel"}}}, "cancel", None),
        ({"action": "accept", "content": {"amount": 3}}, "accept", {"amount": 3}),
        ("reject", "decline", None),
    ],
)
def test_answers_in_all_their_shapes(answer: Any, action: Any, content: Any) -> None:
    assert result_of(FORM, answer) == ElicitResult(action=action, content=content)


def test_an_address_is_approved_without_content() -> None:
    assert result_of(URL, {"decisions": ["approve"]}) == ElicitResult(action="accept")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "'None' is no answer; resume with"),
        ({}, "is no answer"),
        ({"decisions": []}, "is no answer"),
        ({"decisions": [{"type": "maybe"}]}, "is no answer"),
        ({"action": ["accept"]}, "is no answer"),
        ({"action": "accept", "content": 5}, "the content '5' has no fields"),
        ({"decisions": [edit(amount="two")]}, "amount: 'two' is not of type 'integer'"),
        ({"decisions": [edit(amount=0)]}, "amount: 0 is less than the minimum of 1"),
        ({"decisions": [edit(note={"a": {"b": 1}})]}, "note: .* is not of type 'string'"),
        ({"decisions": [edit(other={"a": 1})]}, "an answer holds strings, numbers"),
    ],
)
def test_a_wrong_answer_says_what_to_send(answer: Any, why: str) -> None:
    with pytest.raises(PlanError, match=why):
        result_of(FORM, answer)


# ── which call a question is from ─────────────────────────────────────────────────────────────


async def test_a_question_that_comes_with_its_call_is_from_that_call() -> None:
    under_way, calls = UnderWay(), [Call(), Call()]
    async with under_way.of(calls[0]), under_way.of(calls[1]):
        CALL.set(calls[1])
        assert await under_way.asker() is calls[1]


async def test_a_question_waits_until_one_call_alone_can_have_asked_it() -> None:
    under_way, asks, other = UnderWay(), Call(), Call()
    async with under_way.of(asks):
        async with under_way.of(other):
            asker = asyncio.create_task(under_way.asker())
            await asyncio.sleep(0)
            assert not asker.done()
        assert await asker is asks


async def test_calls_that_all_ask_begin_again_one_at_a_time() -> None:
    under_way, calls = UnderWay(), [Call(), Call()]
    async with under_way.of(calls[0]), under_way.of(calls[1]):
        askers = [asyncio.create_task(under_way.asker()) for _ in calls]
        assert [await asker for asker in askers] == [None, None]
        assert [call.asked.get_nowait() for call in calls] == [None, None]
    again = [Call(), Call()]
    async with under_way.of(again[0]):

        async def second() -> Call | None:
            async with under_way.of(again[1]):
                return await under_way.asker()

        waiting = asyncio.create_task(second())
        assert await under_way.asker() is again[0]
        assert not waiting.done()
    assert await waiting is again[1]


# ── with servers ──────────────────────────────────────────────────────────────────────────────

READS = {"order": {"readOnlyHint": True, "openWorldHint": False}}


def deployed(plan: str, saver: Any) -> Any:
    planner, joiner = ScriptedModel(plan), ScriptedModel("Done.")
    return build_graph([], planner=planner, joiner=joiner, checkpointer=saver)


def said(state: dict[str, Any]) -> str:
    [interrupt] = state["__interrupt__"]
    [request] = interrupt.value["requests"]
    return str(request["message"])


def answer(amount: Any) -> Any:
    return Command(resume={"decisions": [edit(amount=amount)]})


@pytest.mark.server
async def test_a_call_asks_a_person_and_goes_on_with_the_answer(
    ledger: Path, configure: Configure
) -> None:
    configure(shop=stdio(ledger))
    graph = deployed('order("tea")\ndescribe("K2")', InMemorySaver())
    state = await graph.ainvoke(ASK, THREAD)
    assert said(state) == "How many of tea?"
    state = await graph.ainvoke(answer("many"), THREAD)
    assert "'many' is not of type 'integer'" in state["__interrupt__"][0].value["error"]
    state = await graph.ainvoke(answer(7), THREAD)
    assert [it["value"] for it in state["outcomes"].values()] == ["7 tea", "K2 is high."]
    assert [line for line in lines(ledger) if line.startswith("order")] == ["order 7 tea"]


@pytest.mark.server
@pytest.mark.parametrize("http", [["--sse"], ["--old"]], ids=["sse", "old"], indirect=True)
async def test_an_old_server_on_http_asks_a_person_after_a_restart_too(
    ledger: Path, configure: Configure, http: HttpServer
) -> None:
    saver = InMemorySaver()
    configure(shop={"url": http.url})
    state = await deployed('order("tea")', saver).ainvoke(ASK, THREAD)
    assert said(state) == "How many of tea?"
    # As another process would take the turn up.
    configure(shop={"url": http.url})
    state = await deployed('order("tea")', saver).ainvoke(answer(7), THREAD)
    assert state["outcomes"]["1"]["value"] == "7 tea"
    assert [line for line in lines(ledger) if line.startswith("order")] == ["order 7 tea"]


@pytest.mark.server
async def test_calls_of_an_old_server_on_stdio_that_ask_at_once_get_their_own_answers(
    ledger: Path, configure: Configure
) -> None:
    configure(shop=stdio(ledger, "--old", hints=READS))
    graph = deployed('order("tea")\norder("milk")', InMemorySaver())
    state = await graph.ainvoke(ASK, THREAD)
    amounts = {"How many of tea?": 1, "How many of milk?": 2}
    for _ in range(2):
        state = await graph.ainvoke(answer(amounts[said(state)]), THREAD)
    assert [it["value"] for it in state["outcomes"].values()] == ["1 tea", "2 milk"]


@pytest.mark.server
def test_a_call_that_fails_until_a_person_visits_an_address_begins_again(
    ledger: Path, configure: Configure
) -> None:
    configure(shop=stdio(ledger))
    graph = deployed("pay()", InMemorySaver())
    state = graph.invoke(ASK, THREAD)
    for _ in range(2):  # the first time they approve before they have been there
        [request] = state["__interrupt__"][0].value["requests"]
        assert request["url"] == "https://bank.example/login"
        state = graph.invoke(Command(resume={"decisions": ["approve"]}), THREAD)
        ledger.write_text(f"{ledger.read_text()}logged in\n")
    assert state["outcomes"]["1"]["value"] == "paid"
    assert lines(ledger).count("pay") == 1
    MCP_SERVERS.reset()


@pytest.mark.server
def test_a_rejected_question_is_declined_and_nobody_is_asked_without_a_checkpointer(
    ledger: Path, configure: Configure
) -> None:
    configure(shop=stdio(ledger))
    graph = deployed('order("tea")', InMemorySaver())
    graph.invoke(ASK, THREAD)
    state = graph.invoke(Command(resume={"decisions": [{"type": "reject"}]}), THREAD)
    assert state["outcomes"]["1"]["status"] == "failed"
    assert "elicitation was decline" in state["outcomes"]["1"]["error"]
    state = deployed('order("tea")', None).invoke(ASK)
    assert "asking a person requires a checkpointer" in state["outcomes"]["1"]["error"]
    assert [line for line in lines(ledger) if line.startswith("order")] == []
    MCP_SERVERS.reset()
