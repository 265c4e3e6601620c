"""The tools of a run: how they read, what they refuse, and how they are called."""

import datetime
import enum
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import (
    BaseTool,
    InjectedToolArg,
    StructuredTool,
    Tool,
    ToolException,
    tool,
)
from langgraph.prebuilt import InjectedState, ToolRuntime
from pydantic import AfterValidator, BaseModel, Field

from llm_compiler.errors import PlanError, SetupError
from llm_compiler.language.toolbox import Tool as LookedAt
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.scheduling.facts import ToolRules


class Unit(enum.Enum):
    METRES = "m"
    FEET = "ft"


class Place(BaseModel):
    name: str
    height: float = 0


class Options(TypedDict):
    deep: bool


def only(given: BaseTool | Callable[..., Any]) -> LookedAt:
    [found] = Toolbox.of([given]).values()
    return found


def from_schema(schema: dict[str, Any], name: str = "remote") -> LookedAt:
    """As an MCP server describes its tools."""

    def call(**args: Any) -> Any:
        return args

    return only(StructuredTool(name=name, description="Remote.", args_schema=schema, func=call))


# ── signatures ────────────────────────────────────────────────────────────────────────────────


def texts(query: str, note: str = "none", more: str | None = None) -> str:
    """Find texts.

    More about it.
    """
    return query


def numbers(count: int, share: float = 0.5, exact: bool = False) -> int:
    """Numbers."""
    return count


def choices(kind: Literal["a", "b"], unit: Unit = Unit.METRES, level: Literal[1, 2] = 1) -> str:
    """Choices."""
    return kind


def structures(ids: list[int], names: dict[str, str], place: Place, any: Any = None) -> str:
    """Structures."""
    return ""


def unions(
    when: datetime.date, number: int | float, text: int | str, none: int | None = None
) -> str:
    """Unions."""
    return ""


def keyword_only(a: int, *, b: str = "x") -> str:
    """Keyword only."""
    return b


def nothing() -> str:
    """Nothing."""
    return ""


def variadic(a: int, *args: int, **more: int) -> Any:
    """Variadic."""
    return [a, args, more]


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (texts, 'texts(query, note="none", more=null)'),
        (numbers, "numbers(count: integer, share: number=0.5, exact: boolean=false)"),
        (choices, 'choices(kind: "a" or "b", unit="m", level: 1 or 2=1)'),
        (structures, "structures(ids: [integer], names: {name: ...}, place, any=null)"),
        (unions, "unions(when, number: integer or number, text, none: integer=null)"),
        (keyword_only, 'keyword_only(a: integer, b="x")'),
        (nothing, "nothing()"),
        (variadic, "variadic(a: integer)"),
    ],
)
def test_signature_of_a_function(function: Callable[..., Any], signature: str) -> None:
    assert only(function).signature == signature


@pytest.mark.parametrize(
    ("properties", "signature"),
    [
        ({"a": {"type": "string"}}, "remote(a)"),
        ({"a": {"type": ["string", "null"]}}, "remote(a)"),
        ({"a": {"type": ["integer", "null"]}}, "remote(a: integer)"),
        ({"a": {"type": "integer", "default": 5}}, "remote(a: integer=5)"),
        ({"a": {"type": "array"}}, "remote(a: [...])"),
        ({"a": {"type": "array", "items": True}}, "remote(a: [...])"),
        ({"a": {"type": "object"}}, "remote(a: {name: ...})"),
        ({"a": {"const": 5}}, "remote(a: 5)"),
        ({"a": {"enum": ["x", None]}}, 'remote(a: "x" or null)'),
        ({"a": {"$ref": "#/$defs/A"}}, "remote(a)"),
        ({"a": True}, "remote(a)"),
        ({}, "remote()"),
    ],
    ids=repr,
)
def test_signature_of_a_json_schema(properties: dict[str, Any], signature: str) -> None:
    assert from_schema({"type": "object", "properties": properties}).signature == signature


def test_summary_is_the_first_line_of_the_description() -> None:
    assert only(texts).summary == "Find texts."


def test_tool_of_a_single_input_takes_one_text() -> None:
    single = only(Tool(name="ask", description="Ask.", func=str.upper))
    assert (single.signature, single.is_async) == ("ask(tool_input)", False)
    assert single.call({"tool_input": "x"}, {}) == "X"


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
            "texts needs the argument 'query'; write texts(query, note=\"none\", more=null)",
        ),
        (texts, {"query": "x", "nte": ""}, "texts has no argument 'nte'; did you mean 'note'?"),
        (texts, {"query": 5}, "texts: query: Input should be a valid string, not 5"),
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
            f"texts: query: Input should be a valid string, not ['{'x' * 55}...",
        ),
    ],
    ids=repr,
)
def test_refused_arguments_say_which_and_what_is_right(
    function: Callable[..., Any], args: dict[str, Any], error: str
) -> None:
    for check in (only(function).check, only(function).check_written):
        with pytest.raises(PlanError) as raised:
            check(args)
        assert str(raised.value) == error


REMOTE = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "lines": {"type": "integer", "default": 10, "minimum": 1},
        "mode": {"$ref": "#/$defs/mode"},
    },
    "required": ["path"],
    "$defs": {"mode": {"enum": ["text", "bytes"]}},
}


def test_json_schema_is_checked_with_its_definitions_and_defaults() -> None:
    remote = from_schema(REMOTE)
    assert remote.check({"path": "x"}) == {"path": "x", "lines": 10}
    for args, error in (
        ({"path": 5}, "remote: 5 is not of type 'string'"),
        ({"path": "x", "lines": 0}, "remote: 0 is less than the minimum of 1"),
        ({"path": "x", "mode": "y"}, "remote: 'y' is not one of ['text', 'bytes']"),
        ({}, "remote needs the argument 'path'; write remote(path, lines: integer=10, mode)"),
        ({"pth": "x"}, "remote has no argument 'pth'; did you mean 'path'?"),
    ):
        with pytest.raises(PlanError) as raised:
            remote.check(args)
        assert str(raised.value) == error


@pytest.mark.parametrize(
    "args",
    [{"path": "$1"}, {"path": "$1", "lines": "$2"}, {"path": "x", "lines": "${2}"}],
    ids=repr,
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


def test_validator_that_breaks_is_a_refusal_and_no_crash() -> None:
    def five(value: Annotated[int, AfterValidator(picky)]) -> int:
        """Not five."""
        return value

    with pytest.raises(PlanError, match="five: its schema cannot check this: KeyError: 'five'"):
        only(five).check({"value": 5})
    broken = from_schema({"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}})
    with pytest.raises(PlanError, match="remote: its schema cannot check this"):
        broken.check({"a": 1})


def test_equal_calls_have_equal_keys_with_defaults_included() -> None:
    box = Toolbox.of([texts, numbers])
    key = box.check("texts", {"query": "x"})
    assert key == box.check("texts", {"note": "none", "query": "x"})
    assert key != box.check("texts", {"query": "y"})
    assert box.check("numbers", {"count": 1}) == box.check("numbers", {"count": "1"})
    with pytest.raises(PlanError, match=r"no tool 'text'; did you mean 'texts'\?"):
        box.check("text", {})


# ── the toolbox ───────────────────────────────────────────────────────────────────────────────


def test_functions_and_tools_are_looked_at_alike() -> None:
    box = Toolbox.of([texts, tool(numbers)])
    assert list(box) == ["texts", "numbers"]
    assert len(box) == 2
    assert box["texts"].name == "texts"


def no_docstring(a: int) -> int:
    return a


def joined() -> str:
    """Join."""
    return ""


def takes_function(call: Callable[[], int]) -> int:
    """No schema."""
    return call()


@pytest.mark.parametrize(
    ("tools", "error"),
    [
        ([texts, texts], "two tools are named 'texts'; rename one"),
        ([tool("join")(joined)], "a tool is named 'join', a word of the plan language; rename it"),
        ([tool("answer")(joined)], "a tool is named 'answer'"),
        ([no_docstring], "no_docstring cannot be a tool: .*; give it a docstring"),
        ([5], "5 cannot be a tool"),
        ([takes_function], "the arguments of takes_function have no JSON schema"),
    ],
    ids=repr,
)
def test_tools_that_cannot_be_used_are_refused_at_once(tools: list[Any], error: str) -> None:
    with pytest.raises(SetupError, match=error):
        Toolbox.of(tools)


def test_unknown_tool_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(PlanError, match=r"^no tool 'text'; did you mean 'texts'\?$"):
        Toolbox.of([texts, numbers]).tool("text")
    with pytest.raises(PlanError, match=r"^no tool 'zzz'; there are none$"):
        Toolbox.of([]).tool("zzz")


def test_offered_are_the_allowed_and_those_in_approve_ask() -> None:
    box = Toolbox.of([texts, numbers, choices])
    assert box.offered(None, ()) is box
    offered = box.offered(("numbers", "texts"), ("numbers",))
    assert list(offered) == ["texts", "numbers"]
    assert offered.rules("texts") == ToolRules()
    assert offered.rules("numbers") == ToolRules(early_start=False, asks=True)
    assert list(box.offered((), ())) == []


@pytest.mark.parametrize(("allow", "approve"), [(["txts"], ()), (None, ["txts"])])
def test_allow_and_approve_name_tools_that_exist(allow: Any, approve: Any) -> None:
    with pytest.raises(SetupError, match=r"no tool 'txts'; did you mean 'texts'\?"):
        Toolbox.of([texts]).offered(allow, approve)


@pytest.mark.parametrize(
    ("metadata", "rules"),
    [
        ({}, ToolRules()),
        ({"readOnlyHint": True}, ToolRules()),
        ({"destructiveHint": True}, ToolRules(early_start=False, shared=False, guarded=True)),
        ({"openWorldHint": True}, ToolRules(untrusted=True)),
        ({"max_parallel": 2}, ToolRules(limits={"tool texts": 2})),
        ({"exclusive": "disk"}, ToolRules(limits={"exclusive disk": 1})),
    ],
    ids=repr,
)
def test_rules_come_from_the_annotations(metadata: dict[str, Any], rules: ToolRules) -> None:
    annotated = tool(texts)
    annotated.metadata = metadata
    assert Toolbox.of([annotated]).rules("texts") == rules


@pytest.mark.parametrize("most", [0, -1, "many", None])
def test_limit_that_would_never_let_a_call_start_is_refused(most: Any) -> None:
    annotated = tool(texts)
    annotated.metadata = {"max_parallel": most}
    with pytest.raises(SetupError, match="texts has max_parallel="):
        Toolbox.of([annotated])


# ── calls ─────────────────────────────────────────────────────────────────────────────────────


async def sleeper(seconds: float) -> float:
    """Sleep."""
    return seconds


class Handwritten(BaseTool):
    name: str = "handwritten"
    description: str = "By hand."

    def _run(self, a: int) -> int:
        return a


class HandwrittenAsync(Handwritten):
    async def _arun(self, a: int) -> int:
        return a


@pytest.mark.parametrize(
    ("given", "is_async"),
    [(texts, False), (sleeper, True), (Handwritten(), False), (HandwrittenAsync(), True)],
)
def test_sync_and_async_tools_are_told_apart(given: Any, is_async: bool) -> None:
    assert only(given).is_async is is_async


def configured(a: int, config: RunnableConfig) -> Any:
    """Takes the config."""
    return a, config["configurable"]["user"]


def injected(a: int, user: Annotated[str, InjectedToolArg] = "nobody") -> Any:
    """Takes an injected argument."""
    return a, user


def stateful(a: int, state: Annotated[dict[str, Any], InjectedState]) -> Any:
    """Takes LangGraph's state."""
    return a, state


def with_runtime(a: int, runtime: ToolRuntime) -> Any:
    """Takes LangGraph's runtime."""
    return a


@pytest.mark.parametrize("function", [configured, injected, stateful, with_runtime])
def test_injected_arguments_are_not_for_the_planner(function: Callable[..., Any]) -> None:
    found = only(function)
    assert found.signature == f"{function.__name__}(a: integer)"
    found.check_written({"a": 1})
    with pytest.raises(PlanError, match="has no argument"):
        found.check({"a": 1, "config": {}, "user": "root", "state": {}})


class Nested(BaseModel):
    place: Place
    tags: list[str] = Field(default_factory=list)


def raising(a: int) -> int:
    """Raise."""
    raise ToolException(f"not {a}")


def echo(**args: Any) -> Any:
    return args


CONFIG: RunnableConfig = {"configurable": {"user": "ann"}}


@pytest.mark.parametrize(
    ("given", "args"),
    [
        (texts, {"query": "x"}),
        (numbers, {"count": "5", "share": 1}),
        (choices, {"kind": "a", "unit": "ft"}),
        (variadic, {"a": 1}),
        (keyword_only, {"a": 1, "b": "y"}),
        (nothing, {}),
        (configured, {"a": 1}),
        (injected, {"a": 1}),
        (raising, {"a": 1}),
        (texts, {"query": 5}),
        (numbers, {}),
        (Handwritten(), {"a": 1}),
        (
            StructuredTool(name="nested", description="N.", args_schema=Nested, func=echo),
            {"place": {"name": "K2"}},
        ),
        (
            StructuredTool(name="remote", description="R.", args_schema=REMOTE, func=echo),
            {"path": "x"},
        ),
    ],
    ids=lambda it: getattr(it, "__name__", None) or getattr(it, "name", None) or repr(it),
)
def test_direct_call_gives_what_langchain_gives(given: Any, args: dict[str, Any]) -> None:
    found, results = only(given), []
    for call in (found.call, lambda args, config: found.base.invoke(dict(args), config)):
        try:
            results.append(("returned", call(args, CONFIG)))
        except ToolException as error:
            results.append(("raised", str(error)))
        except (PlanError, ValueError):
            # LangChain words a refusal in several lines; ours is one.
            results.append(("refused", None))
    assert results[0] == results[1]


async def test_async_call_gives_what_langchain_gives() -> None:
    found = only(sleeper)
    assert await found.call({"seconds": "0"}, CONFIG) == await found.base.ainvoke({"seconds": "0"})


def test_errors_that_langchain_handles_become_results() -> None:
    handled = StructuredTool.from_function(raising, handle_tool_error="try another")
    assert only(handled).call({"a": 1}, CONFIG) == "try another"
