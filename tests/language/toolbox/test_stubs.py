"""Tools as Python signatures: nothing of their schemas is lost, and what that costs."""

import datetime
from collections.abc import Callable
from typing import Annotated, Any, Literal, NotRequired

import pytest
from langchain_core.tools import BaseTool, StructuredTool, tool
from pydantic import BaseModel, Field
from pydantic.v1 import BaseModel as BaseModelV1
from pydantic.v1 import Field as FieldV1
from typing_extensions import TypedDict

from llm_compiler.execution.function_tool import as_tool
from llm_compiler.language.program import Program
from llm_compiler.language.tasks.task import Task
from llm_compiler.language.toolbox.signatures import python_name
from llm_compiler.language.toolbox.stubs import stub
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.tools import SHIPPED


class Ticket(BaseModel):
    """A ticket."""

    title: str = Field(max_length=80, description="What it is about.")
    priority: int = Field(2, ge=1, le=5)
    tags: list[str] = []


class Made(TypedDict):
    id: int
    url: NotRequired[str]


class Node(BaseModel):
    value: int
    inside: list["Node"] = []


def create_ticket(
    title: str,
    priority: Literal[1, 2, 3] = 2,
    tags: list[str] = [],  # noqa: B006
) -> Made:
    """Make a ticket."""
    return {"id": 1}


def nested(ticket: Ticket, due: datetime.date | None = None) -> list[Made]:
    """File a ticket.

    It is read by people.
    """
    return []


def tree(root: Node) -> Node:
    """Walk a tree."""
    return root


def anything(value: Any, more: dict[str, float], pair: tuple[int, str], flag: bool = False):  # type: ignore[no-untyped-def]
    """Take anything."""


def described(
    query: Annotated[str, "What to look for."], limit: Annotated[int, Field(gt=0, lt=50)] = 10
) -> str:
    """Find texts."""
    return query


class MadeV1(BaseModelV1):
    id: int


class Old(BaseModelV1):
    due: str = FieldV1(alias="dueDate", description="A day.")
    priority: int = FieldV1(2, ge=1, le=5)
    made: list[MadeV1] = []


def filtered(a: int, *more: int, **filters: str) -> int:
    """Filter."""
    return a


OLD = StructuredTool(name="old", description="Old.", args_schema=Old, func=dict)


def shown(given: BaseTool | Callable[..., Any], *, brief: bool = False) -> str:
    [found] = Toolbox.of([as_tool(given)]).values()
    return stub(found, brief=brief)


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (
            create_ticket,
            "def create_ticket(title: str, priority: Literal[1, 2, 3] = 2, tags: list[str] = [])"
            ' -> {"id": int, "url"?: str}: """Make a ticket."""',
        ),
        (
            nested,
            'def nested(ticket: {"title": str, "priority"?: int, "tags"?: list[str]},'
            ' due: str | None = None) -> list[{"id": int, "url"?: str}]:\n'
            '    """File a ticket.\n\n    It is read by people.\n\n    ticket: A ticket.\n'
            "    ticket.title: What it is about.; at most 80 characters\n"
            '    ticket.priority: 1 to 5\n    due: format date\n    """',
        ),
        (
            anything,
            "def anything(value, more: dict[str, float], pair: [int, str], flag: bool = False):\n"
            '    """Take anything.\n\n    pair: 2 to 2 items\n    """',
        ),
        (
            described,
            'def described(query: str, limit: int = 10) -> str:\n    """Find texts.\n\n'
            '    query: What to look for.\n    limit: above 0; below 50\n    """',
        ),
    ],
)
def test_stub_of_a_function(function: Callable[..., Any], signature: str) -> None:
    assert shown(function) == signature


def test_stubs_of_what_only_some_tools_have() -> None:
    assert (
        shown(filtered)
        == 'def filtered(a: int, more: list[int] = None, **filters) -> int: """Filter."""'
    )
    assert shown(OLD) == (
        'def old(due: str, priority: int = 2, made: list[{"id": int}] = []):\n    """Old.\n\n'
        '    due: A day.\n    priority: 1 to 5\n    """'
    )


def test_schema_that_holds_itself_is_cut() -> None:
    written = shown(tree)
    assert written.startswith('def tree(root: {"value": int, "inside"?: list[{"value": int,')
    assert len(written) < 600


def test_brief_stub_has_the_first_paragraph() -> None:
    assert '"""File a ticket.\n' in shown(nested, brief=True)
    assert "people" not in shown(nested, brief=True)


def remote(schema: dict[str, Any], **metadata: Any) -> StructuredTool:
    """As an MCP server describes its tools."""
    return StructuredTool(
        name="remote", description="Remote.", args_schema=schema, func=dict, metadata=metadata
    )


SCHEMA = {
    "type": "object",
    "properties": {
        "from": {"type": "string", "format": "email"},
        "due-date": {"$ref": "#/$defs/Day"},
        "kind": {"enum": ["a", 1, None]},
        "many": {"type": ["integer", "null"], "minimum": 1},
        "note": {"type": "string"},
    },
    "required": ["from", "due-date"],
    "$defs": {"Day": {"type": "string", "pattern": "^[0-9-]+$", "description": "A day."}},
}
OUTPUT = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}


@pytest.mark.parametrize(
    ("metadata", "returned"),
    [
        ({}, ""),
        ({"outputSchema": OUTPUT}, ' -> {"n": float}'),
        ({"returns": OUTPUT}, ' -> {"n": float}'),
        ({"returns": Made}, ' -> {"id": int, "url"?: str}'),
        ({"returns": "text with lines `name: figure`"}, " -> text with lines `name: figure`"),
    ],
)
def test_stub_of_a_schema(metadata: dict[str, Any], returned: str) -> None:
    assert shown(remote(SCHEMA, **metadata)) == (
        "def remote(from_: str, due_date: str, kind: Literal['a', 1, None] = None,"
        f' many: int | None = None, note: str = None){returned}:\n    """Remote.\n\n'
        "    from_: format email\n    due_date: A day.; matches ^[0-9-]+$\n    many: at least 1\n"
        '    """'
    )


def test_names_and_defaults_that_a_stub_shows_are_accepted() -> None:
    program = Program(Toolbox.of([remote(SCHEMA)]))
    program.feed('x = remote(from_="a@b.de", due_date="2026-01-02", many=None, note=None)\n')
    [task] = program.tasks
    assert isinstance(task, Task)
    assert task.data()["args"] == {
        "from": "a@b.de",
        "due-date": "2026-01-02",
        "many": None,
        "note": None,
    }


@pytest.mark.parametrize(
    ("name", "written"),
    [("max-size", "max_size"), ("from", "from_"), ("2d", "_2d"), ("ﬁle", "file"), ("", "_")],
)
def test_a_name_is_written_as_python_reads_it(name: str, written: str) -> None:
    assert python_name(name) == written


def test_default_that_the_schema_refuses_is_accepted() -> None:
    @tool
    def find(query: str, limit: int = None) -> str:  # type: ignore[assignment]  # noqa: RUF013
        """Find."""
        return query

    program = Program(Toolbox.of([find]))
    program.feed('find("a", None)\n')
    [task] = program.tasks
    assert isinstance(task, Task)
    assert task.data()["args"] == {"query": "a", "limit": None}


def test_tokens_of_the_shipped_tools() -> None:
    """A figure that grows is seen. A token is four characters."""
    tokens = {it.name: len(stub(it, brief=True)) / 4 for it in Toolbox.of(SHIPPED).values()}
    most = {"search": 20, "number": 34, "read": 36, "math": 60, "pick": 60}
    assert {name: count for name, count in tokens.items() if count > most[name]} == {}
