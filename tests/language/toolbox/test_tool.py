"""One tool: how it reads, and what it refuses."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langchain_core.tools import Tool, tool
from pydantic import AfterValidator

from llm_compiler.errors import PlanError, SetupError
from llm_compiler.language.toolbox.tool_rules import ToolRules
from tests.support.functions import (
    REMOTE,
    Place,
    Unit,
    choices,
    configured,
    from_schema,
    injected,
    keyword_only,
    nothing,
    numbers,
    only,
    stateful,
    structures,
    texts,
    unions,
    variadic,
    with_runtime,
)


def named(value: object) -> str:
    """How a case is called: the same in every process."""
    return str(getattr(value, "__name__", None) or repr(value))


# ── signatures ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (texts, "texts(query: str, note: str = 'none', more: str | None = None)"),
        (numbers, "numbers(count: int, share: float = 0.5, exact: bool = False)"),
        (
            choices,
            "choices(kind: Literal['a', 'b'], unit: Literal['m', 'ft'] = 'm',"
            " level: Literal[1, 2] = 1)",
        ),
        (
            structures,
            "structures(ids: list[int], names: dict[str, str],"
            ' place: {"name": str, "height"?: float}, any = None)',
        ),
        (
            unions,
            "unions(when: str, number: int | float, text: int | str, none: int | None = None)",
        ),
        (keyword_only, "keyword_only(a: int, b: str = 'x')"),
        (nothing, "nothing()"),
        (variadic, "variadic(a: int, args: list[int] = None, **more)"),
    ],
)
def test_signature_of_a_function(function: Callable[..., Any], signature: str) -> None:
    assert only(function).signature == signature


@pytest.mark.parametrize(
    ("properties", "signature"),
    [
        ({"a": {"type": "string"}}, "remote(a: str = None)"),
        ({"a": {"type": ["string", "null"]}}, "remote(a: str | None = None)"),
        ({"a": {"type": ["integer", "null"]}}, "remote(a: int | None = None)"),
        ({"a": {"type": "integer", "default": 5}}, "remote(a: int = 5)"),
        ({"a": {"type": "array"}}, "remote(a: list = None)"),
        ({"a": {"type": "array", "items": True}}, "remote(a: list = None)"),
        ({"a": {"type": "object"}}, "remote(a: dict = None)"),
        ({"a": {"const": 5}}, "remote(a: Literal[5] = None)"),
        ({"a": {"enum": ["x", None]}}, "remote(a: Literal['x', None] = None)"),
        ({"a": {"$ref": "#/$defs/A"}}, "remote(a = None)"),
        ({"a": True}, "remote(a = None)"),
        ({}, "remote()"),
    ],
    ids=named,
)
def test_signature_of_a_json_schema(properties: dict[str, Any], signature: str) -> None:
    assert from_schema({"type": "object", "properties": properties}).signature == signature


def test_summary_is_the_first_line_of_the_description() -> None:
    assert only(texts).summary == "Find texts."


def test_tool_of_a_single_input_takes_one_text() -> None:
    single = only(Tool(name="ask", description="Ask.", func=str.upper))
    assert single.signature == "ask(tool_input: str)"
    assert single.check({"tool_input": "x"}) == {"tool_input": "x"}


@pytest.mark.parametrize("function", [configured, injected, stateful, with_runtime])
def test_injected_arguments_are_not_for_the_planner(function: Callable[..., Any]) -> None:
    found = only(function)
    assert found.signature == f"{function.__name__}(a: int)"
    found.check_written({"a": 1})
    with pytest.raises(PlanError, match="has no argument"):
        found.check({"a": 1, "config": {}, "user": "root", "state": {}})


# ── checks ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("function", "args", "checked"),
    [
        (texts, {"query": "x"}, {"query": "x", "note": "none", "more": None}),
        (numbers, {"count": "5"}, {"count": 5, "share": 0.5, "exact": False}),
        (choices, {"kind": "a", "unit": "ft"}, {"kind": "a", "unit": Unit.FEET, "level": 1}),
        (
            structures,
            {"ids": [1], "names": {}, "place": {"name": "K2"}},
            {"ids": [1], "names": {}, "place": Place(name="K2"), "any": None},
        ),
    ],
)
def test_checked_arguments_are_what_the_tool_gets(
    function: Callable[..., Any], args: dict[str, Any], checked: dict[str, Any]
) -> None:
    assert only(function).check(args) == checked


@pytest.mark.parametrize(
    ("function", "args", "error"),
    [
        (
            texts,
            {},
            "texts needs the argument 'query'; write texts(query: str, note: str = 'none',"
            " more: str | None = None)",
        ),
        (texts, {"query": "x", "nte": ""}, "texts has no argument 'nte'; did you mean 'note'?"),
        (texts, {"query": [5]}, "texts: query: Input should be a valid string, not [5]"),
        (
            numbers,
            {"count": "many"},
            "numbers: count: Input should be a valid integer, unable to parse string as an"
            " integer, not 'many'",
        ),
        (choices, {"kind": "c"}, "choices: kind: Input should be 'a' or 'b', not 'c'"),
        (
            structures,
            {"ids": [], "names": {}, "place": {}},
            "structures: place.name: Field required, not {}",
        ),
        (
            texts,
            {"query": ["x" * 100]},
            f"texts: query: Input should be a valid string, not ['{'x' * 57}…",
        ),
    ],
    ids=named,
)
def test_refused_arguments_say_which_and_what_is_right(
    function: Callable[..., Any], args: dict[str, Any], error: str
) -> None:
    for check in (only(function).check, only(function).check_written):
        with pytest.raises(PlanError) as raised:
            check(args)
        assert str(raised.value) == error


def test_json_schema_is_checked_with_its_definitions_and_defaults() -> None:
    remote = from_schema(REMOTE)
    assert remote.check({"path": "x"}) == {"path": "x", "lines": 10}
    for args, error in (
        ({"path": [5]}, "remote: [5] is not of type 'string'"),
        ({"path": "x", "lines": 0}, "remote: 0 is less than the minimum of 1"),
        ({"path": "x", "mode": "y"}, "remote: 'y' is not one of ['text', 'bytes']"),
        (
            {},
            "remote needs the argument 'path'; write remote(path: str, lines: int = 10,"
            " mode: Literal['text', 'bytes'] = None)",
        ),
        ({"pth": "x"}, "remote has no argument 'pth'; did you mean 'path'?"),
    ):
        with pytest.raises(PlanError) as raised:
            remote.check(args)
        assert str(raised.value) == error


@pytest.mark.parametrize(
    "args",
    [{"path": "$1"}, {"path": "$1", "lines": "$2"}, {"path": "x", "lines": "${2}"}],
    ids=named,
)
def test_argument_that_holds_a_reference_is_not_checked_as_written(args: dict[str, Any]) -> None:
    from_schema(REMOTE).check_written(args)


def test_what_stands_beside_a_reference_is_checked_as_written() -> None:
    with pytest.raises(PlanError, match="'y' is not one of"):
        from_schema(REMOTE).check_written({"path": "$1", "mode": "y"})
    with pytest.raises(PlanError, match="names: Input should be a valid dictionary"):
        only(structures).check_written({"ids": ["$1"], "names": 5, "place": "$2"})


def picky(value: int) -> int:
    if value == 5:
        raise KeyError("five")
    return value


def test_validator_that_raises_is_a_refusal_and_no_crash() -> None:
    def five(value: Annotated[int, AfterValidator(picky)]) -> int:
        """Not five."""
        return value

    with pytest.raises(PlanError, match="five: its schema cannot check this: KeyError: 'five'"):
        only(five).check({"value": 5})
    broken = from_schema({"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}})
    with pytest.raises(PlanError, match="remote: its schema cannot check this"):
        broken.check({"a": 1})


# ── rules ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("metadata", "rules"),
    [
        ({}, ToolRules()),
        ({"readOnlyHint": True}, ToolRules()),
        (
            {"destructiveHint": True},
            ToolRules(writes=True, guarded=True, destructive=True),
        ),
        ({"readOnlyHint": False}, ToolRules(writes=True, guarded=True)),
        ({"readOnlyHint": True, "domain": "orders"}, ToolRules(domain="orders")),
        ({"openWorldHint": True}, ToolRules(untrusted=True)),
        ({"max_parallel": 2}, ToolRules(limits={"tool texts": 2})),
        ({"exclusive": "disk"}, ToolRules(limits={"exclusive disk": 1})),
    ],
    ids=named,
)
def test_rules_come_from_the_annotations(metadata: dict[str, Any], rules: ToolRules) -> None:
    annotated = tool(texts)
    annotated.metadata = metadata
    assert only(annotated).rules == rules


def test_domain_that_is_no_name_is_an_error() -> None:
    annotated = tool(texts)
    annotated.metadata = {"domain": 5}
    with pytest.raises(SetupError, match="texts has domain=5; write a name"):
        only(annotated)


@pytest.mark.parametrize("most", [0, -1, "many", None])
def test_limit_that_would_never_let_a_call_start_is_refused(most: Any) -> None:
    annotated = tool(texts)
    annotated.metadata = {"max_parallel": most}
    with pytest.raises(SetupError, match="texts has max_parallel="):
        only(annotated)


def takes_function(call: Callable[[], int]) -> int:
    """No schema."""
    return call()


def test_arguments_without_a_json_schema_are_refused_at_once() -> None:
    with pytest.raises(SetupError, match="the arguments of takes_function have no JSON schema"):
        only(takes_function)
