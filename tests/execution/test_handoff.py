"""A handoff outlives its process: it is JSON data, and the same command again."""

import json

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.types import Command, Send

from llm_compiler.errors import ToolError
from llm_compiler.execution.handoff import command_of, handoff_data

CALL = {"name": "f", "args": {"a": 1}, "id": "1", "type": "tool_call"}
SAID = [
    HumanMessage("Go on.", id="a"),
    AIMessage("", tool_calls=[CALL], id="b"),
    ToolMessage("5", tool_call_id="1", artifact=[1], id="c"),
]


@pytest.mark.parametrize(
    ("goto", "update"),
    [
        ("billing", {"messages": SAID, "active": "billing", "more": {"a": [1, None]}}),
        ([Send("billing", {"messages": SAID, "n": 1})], None),
        (("a", "b"), SAID),
    ],
)
def test_command_is_the_same_again(goto: object, update: object) -> None:
    command = Command(graph=Command.PARENT, goto=goto, update=update)
    again = command_of(json.loads(json.dumps(handoff_data(command))))
    expected = list(goto) if isinstance(goto, tuple) else goto
    assert (again.graph, again.goto, again.update) == (Command.PARENT, expected, update)


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(ToolError, match="which JSON cannot express"):
        handoff_data(Command(graph=Command.PARENT, update={"a": object()}))
