"""Models that call tools in their own way, given a prompt for a plan, over real HTTP."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda

from llm_compiler import Context, build_graph
from llm_compiler.models.providers import OPEN_MODELS
from tests.bench.model_server import Reply
from tests.support.dialects import chunk, event, events, sent, whole
from tests.support.scripted import Ledger, ScriptedModel
from tests.support.serving import Serve, prompts, serving

ASK: Any = {"messages": [HumanMessage("Which?")]}
CALLS: list[tuple[str, dict[str, Any]]] = [("echo", {"value": "one"}), ("add", {"a": 1, "b": 2})]
PARTS = [
    {"index": at, "id": str(at), "function": {"name": name, "arguments": json.dumps(args)}}
    for at, (name, args) in enumerate(CALLS)
]
HARMONY = "".join(
    f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{json.dumps(args)}"
    "<|call|><|start|>assistant"
    for name, args in CALLS
)


def without(name: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in part.items() if key != name} for part in PARTS]


FORMS: dict[str, Reply] = {
    "streamed": Reply(tool_calls=CALLS),
    "streamed behind words": Reply("I look it up.", tool_calls=CALLS),
    "streamed whole": Reply(body=events([{"tool_calls": PARTS}])),
    "without an index": Reply(body=events([{"tool_calls": [part]} for part in without("index")])),
    "without index and id": Reply(
        body=events({"tool_calls": [{"function": part["function"]}]} for part in PARTS)
    ),
    "arguments as data": Reply(
        body=events(
            {"tool_calls": [{"function": {"name": name, "arguments": args}}]}
            for name, args in CALLS
        )
    ),
    "in one document": whole({"role": "assistant", "content": None, "tool_calls": PARTS}),
    "with the reason stop": Reply(
        body=event(chunk({"content": "", "tool_calls": PARTS}, "stop")) + "data: [DONE]\n\n"
    ),
    "as text": Reply(json.dumps([{"name": name, "arguments": args} for name, args in CALLS])),
    "as text behind words": Reply(
        "I look it up.\n"
        + "".join(
            f"<tool_call>{json.dumps({'name': name, 'arguments': args})}</tool_call>"
            for name, args in CALLS
        )
    ),
    "in harmony": Reply(f"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant{HARMONY}"),
}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    OPEN_MODELS.reset()
    with serving(monkeypatch, joiner="It is one.") as start:
        yield start


@pytest.mark.parametrize("form", FORMS)
async def test_a_planners_calls_are_a_plan(serve: Serve, form: str) -> None:
    ledger, server = Ledger(), serve(planner=FORMS[form])
    context = Context(model="openai:scripted", max_rounds=1)
    state = await build_graph(ledger.tools).ainvoke(ASK, context=context)
    assert [(task["tool"], task["args"]) for task in state["plan"]] == CALLS
    assert state["messages"][-1].text == "It is one."
    assert len(sent(server)) == 2
    assert ledger.begun == ["one", (1, 2)]


async def test_calls_of_a_callers_own_client_are_a_plan() -> None:
    calls = [{"name": name, "args": args, "id": name} for name, args in CALLS]
    replies = iter([AIMessage("", tool_calls=calls), AIMessage("It is one.")])
    model: Any = RunnableLambda(lambda _: next(replies))
    state = await build_graph(Ledger().tools, model=model).ainvoke(ASK)
    assert [(task["tool"], task["args"]) for task in state["plan"]] == CALLS
    assert state["messages"][-1].text == "It is one."


async def test_a_joiners_calls_are_what_is_missing(serve: Serve) -> None:
    joiner = [Reply(tool_calls=CALLS[1:]), "It is 3."]
    server = serve(planner=['echo("one")', "add(1, 2)"], joiner=joiner)
    state = await build_graph(Ledger().tools).ainvoke(ASK, context=Context(model="openai:scripted"))
    assert state["round"] == 2
    assert state["messages"][-1].text == "It is 3."
    assert "# Still missing: add(a=1, b=2)" in prompts(server, "planner")[1][-1][1]


async def test_calls_beside_a_whole_plan_change_nothing(serve: Serve) -> None:
    serve(planner=Reply('x = echo("one")\nanswer(f"Got {x}.")\n', tool_calls=CALLS))
    state = await build_graph(Ledger().tools).ainvoke(ASK, context=Context(model="openai:scripted"))
    assert state["messages"][-1].text == "Got one."
    assert "add" not in {task["tool"] for task in state["plan"]}


async def test_a_call_of_an_unknown_tool_is_a_diagnostic() -> None:
    model = ScriptedModel('<tool_call>{"name": "ech", "arguments": {}}</tool_call>', "No.")
    graph = build_graph(Ledger().tools, model=model)
    state = await graph.ainvoke(ASK, context=Context(max_rounds=1))
    assert 'no function "ech"; did you mean "echo"?' in str(state["outcomes"])
