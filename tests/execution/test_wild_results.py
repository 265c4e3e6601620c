"""What tools return as people write them: one row a case, each run through the whole graph."""

import dataclasses
import datetime
import decimal
import enum
import json
from typing import Annotated, Any

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, InjectedToolCallId, StructuredTool, ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolRuntime
from langgraph.types import Command
from pydantic import BaseModel, TypeAdapter
from pydantic.v1 import BaseModel as BaseModelV1

from llm_compiler import Context, build_graph
from tests.support.scripted import ScriptedModel
from tests.support.wild import ended, state_after


class Colour(enum.Enum):
    RED = "red"


class City(BaseModel):
    name: str
    since: datetime.date
    colour: Colour = Colour.RED


class CityV1(BaseModelV1):
    name: str


@dataclasses.dataclass
class Measured:
    name: str
    sizes: Any


ROME = City(name="Rome", since=datetime.date(2026, 1, 2))
PLAIN_ROME = {"name": "Rome", "since": "2026-01-02", "colour": "red"}
RESULTS: dict[str, tuple[Any, Any]] = {
    "float": (np.float64(2.5), 2.5),
    "float32": (np.float32(1.5), 1.5),
    "int": (np.int64(3), 3),
    "bool": (np.bool_(True), True),
    "text": (np.str_("abc"), "abc"),
    "nan": (np.float64("nan"), "NaN"),
    "array": (np.arange(3), [0, 1, 2]),
    "matrix": (np.ones((1, 2)), [[1.0, 1.0]]),
    "objects": (np.array(["a", None], dtype=object), ["a", None]),
    "day": (np.datetime64("2026-01-02"), "2026-01-02"),
    "moment": (
        np.array(["2026-01-02T03"], dtype="datetime64[ns]"),
        ["2026-01-02T03:00:00.000000000"],
    ),
    "date": (datetime.date(2026, 1, 2), "2026-01-02"),
    "decimal": (decimal.Decimal("1.50"), "1.50"),
    "enum": (Colour.RED, "red"),
    "keys": ({Colour.RED: 1, np.int64(7): 2}, {"red": 1, "7": 2}),
    "pydantic": (ROME, PLAIN_ROME),
    "pydantic 1": (CityV1(name="Rome"), {"name": "Rome"}),
    "dataclass": (Measured("a", np.arange(2)), {"name": "a", "sizes": [0, 1]}),
    "nested": ([{"a": (np.int64(1), ROME)}], [{"a": [1, PLAIN_ROME]}]),
    "range": (range(3), [0, 1, 2]),
    "message": (AIMessage("said"), "said"),
}


def handled(handler: Any, function: Any) -> BaseTool:
    return StructuredTool.from_function(function, name="give", handle_tool_error=handler)


def fail(a: int = 0) -> Any:
    """Fail."""
    raise ToolException("no such thing")


@pytest.mark.parametrize("name", RESULTS)
async def test_result_is_plain_data(name: str) -> None:
    def give() -> Any:
        """Give."""
        return RESULTS[name][0]

    value = await ended("give()", give)
    assert value == RESULTS[name][1]
    assert json.loads(json.dumps(value)) == value
    # An error handler, and so LangChain's way, changes nothing.
    assert await ended("give()", handled(True, give)) == value


async def test_parts_of_results_can_be_used() -> None:
    def give(what: str) -> Any:
        """Give."""
        return {"json": json.dumps({"id": 5}), "rome": ROME, "decimal": decimal.Decimal("1.5")}[
            what
        ]

    program = 'a = give("json")\nb = give("rome")\nc = give("decimal")\na.id + b.since.year + c'
    assert await ended(program, give) == 5 + 2026 + 1.5


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (True, "no such thing"),
        ("try another", "try another"),
        (lambda error: f"sorry, {error}", "sorry, no such thing"),
        (False, "no such thing"),
    ],
)
async def test_handled_errors_are_failures(handler: Any, said: str) -> None:
    assert await ended("give()", handled(handler, fail)) == f"failed: {said}"
    state = await state_after("x = give()\ny = add(x)", handled(handler, fail), tool(add))
    assert [it["status"] for it in state["outcomes"].values()] == ["failed", "skipped"]


class OwnRun(StructuredTool):
    def run(self, *args: Any, **kwargs: Any) -> Any:
        return super().run(*args, **kwargs)


async def test_errors_are_failures_in_a_class_that_has_its_own_run() -> None:
    given = OwnRun.from_function(fail, name="give", handle_tool_error=True)
    assert await ended("give()", given) == "failed: no such thing"
    drawn = OwnRun.from_function(
        lambda: ("drawn", [1]),
        name="give",
        description="G.",
        response_format="content_and_artifact",
    )
    [message] = [it for it in (await state_after("give()", drawn))["messages"] if it.type == "tool"]
    assert (message.content, message.artifact) == ("drawn", [1])


def add(a: Any) -> Any:
    """Add."""
    return a


def strict(a: int) -> Any:
    """Take apart."""
    return TypeAdapter(int).validate_python("no number")


async def test_handled_validation_error_is_a_failure() -> None:
    taken = StructuredTool.from_function(strict, handle_validation_error="write numbers")
    assert await ended("strict(1)", taken) == "failed: write numbers"


# ── return_direct ─────────────────────────────────────────────────────────────────────────────


@tool(return_direct=True)
def final(a: int) -> Any:
    """Have the last word."""
    if a < 0:
        raise ToolException("negative")
    return {"a": a}


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("final(1)", '{"a": 1}'),
        ('x = final(1)\nanswer(f"Done: {x}")', '{"a": 1}'),
        ("final(1)\nfinal(2)", '{"a": 2}'),
        ("final(1)\nfinal(-2)", '{"a": 1}'),
        ("add(1)\nfinal(-2)", "Joined."),
    ],
)
async def test_result_of_return_direct_is_the_answer(program: str, answer: str) -> None:
    state = await state_after(program, final, add)
    assert state["messages"][-1].content == answer
    assert ("joiner" in state["usage"]) == (answer == "Joined.")


# ── artifacts, messages and commands ──────────────────────────────────────────────────────────


@tool(response_format="content_and_artifact")
def chart(a: int) -> Any:
    """Draw."""
    return ("drawn", {"points": np.arange(a)}) if a else "no pair"


def returning(result: Any) -> BaseTool:
    @tool
    def act(call: Annotated[str, InjectedToolCallId]) -> Any:
        """Act."""
        return result(call)

    return act


def done(call: str, **more: Any) -> ToolMessage:
    return ToolMessage("done", tool_call_id=call, **more)


@pytest.mark.parametrize(
    ("given", "program", "content", "artifact", "said"),
    [
        (chart, "chart(2)", "drawn", {"points": [0, 1]}, []),
        (chart, "chart(0)", "failed: its response_format is 'content_and_artifact'", None, []),
        (returning(lambda call: done(call, artifact=[1])), "act()", "done", [1], []),
        (returning(lambda call: done("another")), "act()", "done", None, []),
        (returning(lambda call: done(call, status="error")), "act()", "failed: done", None, []),
        (
            returning(lambda call: Command(update={"messages": [done(call)]})),
            "act()",
            "done",
            None,
            [],
        ),
        (returning(lambda call: Command(update=[done(call)])), "act()", "done", None, []),
        (
            returning(
                lambda call: [Command(update={"messages": [AIMessage("by the way")]}), done(call)]
            ),
            "act()",
            "done",
            None,
            ["by the way"],
        ),
        (
            returning(lambda call: Command(update={"user": "x"})),
            "act()",
            "failed: it returned a Command that updates user",
            None,
            [],
        ),
        (
            returning(lambda call: Command(goto="x")),
            "act()",
            "failed: it returned a Command with goto",
            None,
            [],
        ),
        (
            returning(lambda call: Command(update={"messages": [HumanMessage("And?")]})),
            "act()",
            "failed: it returned a Command with a HumanMessage",
            None,
            [],
        ),
        (
            returning(lambda call: Command(goto="x", graph=Command.PARENT)),
            "act()",
            "failed: it returned a Command for a parent graph",
            None,
            [],
        ),
        (
            returning(lambda call: [Command(), 5]),
            "act()",
            "failed: it returned a Command among other data",
            None,
            [],
        ),
    ],
)
async def test_messages_of_a_call(
    given: Any, program: str, content: str, artifact: Any, said: list[str]
) -> None:
    state = await state_after(program, given)
    _, calling, result, *others, _ = state["messages"]
    assert calling.tool_calls[0]["id"] == result.tool_call_id
    assert result.content.startswith(content)
    assert result.artifact == artifact
    assert [it.content for it in others] == said


async def test_what_came_beside_a_result_outlives_the_process() -> None:
    saver = InMemorySaver()
    thread: Any = {"configurable": {"thread_id": "1"}}
    context = Context(approve=("add",))
    said = returning(lambda call: [Command(update=[AIMessage("by the way")]), done(call)])
    planner = ScriptedModel("chart(2)\nact()\nadd(1)")
    joiner = ScriptedModel("Joined.")
    first = build_graph([chart, said, add], planner=planner, joiner=joiner, checkpointer=saver)
    asked: Any = {"messages": [HumanMessage("Go on.")]}
    assert "__interrupt__" in await first.ainvoke(asked, thread, context=context)
    second = build_graph([add], planner=ScriptedModel(), joiner=joiner, checkpointer=saver)
    approved: Any = Command(resume={"decisions": [{"type": "approve"}]})
    state = await second.ainvoke(approved, thread, context=context)
    _, _, drawn, _, _, note, _ = state["messages"]
    assert (drawn.artifact, note.content) == ({"points": [0, 1]}, "by the way")


@tool
def transfer(to: str, runtime: ToolRuntime[Any, Any]) -> Any:
    """Hand over."""
    told = ToolMessage("handed over", tool_call_id=str(runtime.tool_call_id))
    update = {**runtime.state, "messages": [*runtime.state["messages"], told], "active": to}
    return Command(goto=to, graph=Command.PARENT, update=update)


class Team(MessagesState):
    active: str


@pytest.mark.parametrize("saver", [None, InMemorySaver()], ids=["no saver", "saver"])
def test_a_handoff_goes_on_in_the_parent_graph(saver: Any) -> None:
    planner = ScriptedModel('x = add(1)\ntransfer("billing")')
    agent = build_graph([transfer, add], planner=planner, joiner=ScriptedModel())
    builder = StateGraph(Team)
    builder.add_node("agent", agent, destinations=("billing",))
    builder.add_node("billing", lambda state: {"messages": [AIMessage(f"at {state['active']}")]})
    builder.add_edge(START, "agent")
    team = builder.compile(saver)
    thread: Any = {"configurable": {"thread_id": "1"}}
    asked: Any = {"messages": [HumanMessage("Go on.")]}
    state = team.invoke(asked, thread)
    _, _, added, calling, result, last = state["messages"]
    assert (added.name, calling.tool_calls[0]["name"]) == ("add", "transfer")
    assert calling.tool_calls[0]["id"] == result.tool_call_id
    assert (result.content, last.content) == ("handed over", "at billing")
