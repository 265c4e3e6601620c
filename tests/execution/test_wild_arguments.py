"""Arguments of tools as people write them: one row a case, each run through the whole graph."""

import functools
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import (
    BaseTool,
    BaseToolkit,
    InjectedToolArg,
    StructuredTool,
    Tool,
    create_retriever_tool,
    tool,
)
from langgraph.prebuilt import InjectedState
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator
from pydantic.v1 import BaseModel as BaseModelV1
from pydantic.v1 import Field as FieldV1
from typing_extensions import TypedDict

from llm_compiler import Context, build_graph
from llm_compiler.errors import SetupError
from tests.support.scripted import ScriptedModel
from tests.support.wild import ended, state_after


def echo(**args: Any) -> Any:
    """Give the arguments back."""
    return args


class Typed(BaseModel):
    i: int
    s: str
    f: float
    b: bool
    l: list[str]  # noqa: E741
    d: dict[str, int]


class TypedV1(BaseModelV1):
    i: int
    s: str
    f: float
    b: bool
    l: list[str]  # noqa: E741
    d: dict[str, int]


class Handwritten(BaseTool):
    name: str = "typed"
    description: str = "T."

    def _run(self, i: int, s: str, f: float, b: bool, l: list[str], d: dict[str, int]) -> Any:  # noqa: E741
        return echo(i=i, s=s, f=f, b=b, l=l, d=d)


def typed(i: int, s: str, f: float, b: bool, l: list[str], d: dict[str, int]) -> Any:  # noqa: E741
    """T."""
    return echo(i=i, s=s, f=f, b=b, l=l, d=d)


def by(schema: Any, function: Any = echo, name: str = "typed") -> StructuredTool:
    return StructuredTool(name=name, description="T.", args_schema=schema, func=function)


def give(what: str) -> Any:
    """Give a value."""
    return {"none": None, "number": "1,234", "json": '["a", "b"]', "five": 5, "text": "42"}[what]


KINDS = [typed, by(Typed), by(TypedV1), by(Typed.model_json_schema()), Handwritten()]
CONVERTED = [
    (
        'typed("42", 5, "2.5", "true", [1, 2], {"a": "7"})',
        [42, "5", 2.5, True, ["1", "2"], {"a": 7}],
    ),
    ('typed(5.0, 2.5, 3, 1, give("json"), {})', [5, "2.5", 3, True, ["a", "b"], {}]),
    (
        'typed(give("number"), give("five"), give("text"), False, [], {})',
        [1234, "5", 42, False, [], {}],
    ),
]
LOSSY = [
    'typed(5.5, "a", 1, True, [], {})',
    'typed("5 km", "a", 1, True, [], {})',
    'typed(1, ["a"], 1, True, [], {})',
    'typed(1, "a", 1, "perhaps", [], {})',
    'typed(1, "a", 1, True, "a, b", {})',
]


@pytest.mark.parametrize("given", KINDS, ids=["function", "v2", "v1", "schema", "class"])
async def test_all_kinds_of_tools_get_the_same_lossless_conversions(given: Any) -> None:
    for program, values in CONVERTED:
        assert list((await ended(program, given, give)).values()) == values
    for program in LOSSY:
        assert "failed: line 1: typed" in await ended(program, given, give)


class Aliased(BaseModel):
    due: str = Field(alias="dueDate")
    count: int = Field(3, validation_alias=AliasChoices("count-of", "n"))


class AliasedV1(BaseModelV1):
    due: str = FieldV1(alias="dueDate")
    count: int = FieldV1(3, alias="n")


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Upper(BaseModel):
    a: str

    @field_validator("a")
    @classmethod
    def upper(cls, value: str) -> str:
        return value.upper()


class Item(BaseModel):
    sku: str
    qty: int = 1
    note: str | None = None


def filtered(a: int, *more: int, **filters: int) -> Any:
    """F."""
    return [a, filters]


def positional(a: int, /, b: int) -> Any:
    """P."""
    return [a, b]


def named(config: str, self: str, runtime: str, from_: str, input: str) -> Any:
    """N."""
    return [config, self, runtime, from_, input]


def optional(q: str, limit: int = None, tags: list[str] = None) -> Any:  # type: ignore[assignment]  # noqa: RUF013
    """O."""
    return [q, limit, tags]


def chosen(
    kind: Literal["1", "2"],
    n: Literal[1, 2],
    opt: Optional[int] = None,  # noqa: UP045
    either: Union[int, str] = 3,  # noqa: UP007
) -> Any:
    """C."""
    return [kind, n, opt, either]


def basket(items: list[Item]) -> Any:
    """B."""
    return [item.model_dump() for item in items]


def key(secret: str, q: str, n: int = 3) -> str:
    """Find."""
    return f"{secret} {q} {n}"


async def akey(secret: str, q: str) -> str:
    """Find."""
    return f"{secret} {q}"


class Finder:
    """Finds."""

    def __call__(self, q: str) -> str:
        return f"found {q}"

    async def find(self, q: str) -> str:
        """Find."""
        return f"found {q}"


class AsyncFinder:
    """Finds."""

    async def __call__(self, q: str) -> str:
        return f"found {q}"


class AsyncOnly(BaseTool):
    name: str = "later"
    description: str = "L."

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def _arun(self, a: int) -> int:
        return a + 1


class OwnInvoke(BaseTool):
    name: str = "own"
    description: str = "O."

    def _run(self, a: int) -> int:
        return a

    def invoke(self, input: Any, config: RunnableConfig | None = None, **more: Any) -> Any:
        return f"invoked with {input}"


class Counter(BaseTool):
    name: str = "count"
    description: str = "C."
    counted: int = 0

    def _run(self) -> int:
        self.counted += 1
        return self.counted


class Retriever(BaseRetriever):
    def _get_relevant_documents(self, query: str, *, run_manager: Any) -> Any:
        from langchain_core.documents import Document

        return [Document(page_content=f"about {query}")]


RESERVED = {
    "type": "object",
    "properties": {
        name: {"type": "string"}
        for name in ("from", "config", "run_manager", "callbacks", "self", "runtime", "type")
    },
}
OPEN = {"type": "object", "additionalProperties": {"type": "integer"}}


@pytest.mark.parametrize(
    ("program", "given", "value"),
    [
        ('typed(due="x", n=5)', by(Aliased), {"due": "x", "count": 5}),
        ('typed(dueDate="x", count_of=5)', by(Aliased), {"due": "x", "count": 5}),
        ('typed("x")', by(AliasedV1), {"due": "x", "count": 3}),
        ('typed(dueDate="x", n="4")', by(AliasedV1), {"due": "x", "count": 4}),
        ('typed("x")', by(Upper), {"a": "X"}),
        ("filtered(1)", filtered, [1, {}]),
        ('filtered(1, size="2")', tool(filtered), [1, {"size": 2}]),
        ('typed(1, b="x")', by(Open), {"a": 1, "b": "x"}),
        ('typed(a="12")', by(OPEN), {"a": 12}),
        ("positional(1, b=2)", positional, [1, 2]),
        ('named("a", "b", "c", "d", "e")', named, ["a", "b", "c", "d", "e"]),
        (
            'typed("a", "b", "c", "d", "e", type="tool_call")',
            by(RESERVED),
            {
                "from": "a",
                "config": "b",
                "run_manager": "c",
                "callbacks": "d",
                "self": "e",
                "type": "tool_call",
            },
        ),
        ('optional("x", None, tags=None)', optional, ["x", None, None]),
        ('optional("x", limit=give("none"))', optional, ["x", None, None]),
        (
            'typed("x", None)',
            by({"type": "object", "properties": {"a": {}, "b": {"type": "string"}}}),
            {"a": "x"},
        ),
        ('chosen(1, "2", "7", "8")', chosen, ["1", 2, 7, "8"]),
        (
            'basket([{"sku": 5, "qty": "2"}, \'{"sku": "a", "qty": null}\'])',
            basket,
            [{"sku": "5", "qty": 2, "note": None}, {"sku": "a", "qty": 1, "note": None}],
        ),
        (
            'Company_Search("a", "x")',
            StructuredTool.from_function(key, name="Company Search"),
            "a x 3",
        ),
        ('key("x")', functools.partial(key, "K"), "K x 3"),
        ('key(q="x")', functools.partial(key, secret="K"), "K x 3"),
        ('akey("x")', functools.partial(akey, "K"), "K x"),
        ('Finder("x")', Finder(), "found x"),
        ('AsyncFinder("x")', AsyncFinder(), "found x"),
        ('find("x")', Finder().find, "found x"),
        ("ask(5)", Tool(name="ask", description="A.", func=str.upper), "5"),
        ("later(a=1)", AsyncOnly(), 2),
        ("own(1)", OwnInvoke(), "invoked with {'a': 1}"),
        ("count()\nx = count()\nx + 0", Counter(metadata={"readOnlyHint": False}), 2),
        ('look("x")', create_retriever_tool(Retriever(), "look", "L."), "about x"),
    ],
)
async def test_arguments_reach_the_function(program: str, given: Any, value: Any) -> None:
    assert await ended(program, given, give) == value


async def test_what_is_bound_is_kept_from_the_planner() -> None:
    state = await state_after('key("x")', functools.partial(key, secret="hunter2"))
    assert "def key(q: str, n: int = 3) -> str" in state["prompt"]
    assert "hunter2" not in str(state["prompt"])


def missing_doc(a: int) -> int:
    return a


def manager(run_manager: str) -> str:
    """M."""
    return run_manager


def others_args(args: str) -> str:
    """A."""
    return args


def customs(a: int, user: Annotated[str, InjectedToolArg]) -> str:
    """C."""
    return user


def of_key(a: int, name: Annotated[str, InjectedState("user_name")]) -> str:
    """K."""
    return name


class Theirs(TypedDict):
    messages: list[Any]
    user_name: str


def of_state(a: int, state: Annotated[Theirs, InjectedState]) -> str:
    """S."""
    return state["user_name"]


class Kit(BaseToolkit):
    def get_tools(self) -> list[BaseTool]:
        return []


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (missing_doc, "missing_doc cannot be a tool: it has no docstring"),
        (lambda q: q, "<lambda> cannot be a tool"),
        ("search", "it is no function"),
        ({"type": "function"}, "it is no function"),
        (Counter, "it is a class; write Counter\\(\\)"),
        (Item, "it describes arguments"),
        (Kit(), r"write \*toolkit.get_tools\(\)"),
        (RunnableLambda(give), "it is a Runnable; write runnable.as_tool"),
        (manager, "LangChain hides the parameter 'run_manager' of manager; rename it"),
        (others_args, "LangChain hides the parameter 'args'"),
        (customs, "nothing fills the parameter 'user'.* functools.partial"),
        (of_key, "of_key takes 'user_name' of the state, which this graph's state does not have"),
        (of_state, "of_state takes a state with 'user_name'"),
        (by(Item, missing_doc), "the function of typed has no parameter 'sku'|nothing fills"),
        (by({"type": "object", "properties": ["a"]}), "typed have no JSON schema: .*not an object"),
        (by({"properties": {"a": {"type": "text"}}}), "schema of typed: it has the unknown type"),
        (by({"properties": {"a": {"$ref": "#/$defs/A"}}}), "it refers to '#/\\$defs/A'"),
        (by({"properties": {"a-b": {}, "a_b": {}}}), "typed are both written 'a_b'"),
        (StructuredTool(name="none", description="N.", args_schema=Item), "none has no function"),
        (
            Tool(name="two", description="T.", func=echo, args_schema=Item),
            "is a Tool of one argument",
        ),
    ],
)
def test_what_can_never_be_called_is_a_setup_error(given: Any, error: str) -> None:
    with pytest.raises(SetupError, match=error):
        build_graph([given])


def test_two_tools_with_one_name_after_renaming_are_a_setup_error() -> None:
    tools = [StructuredTool.from_function(key, name=name) for name in ("a b", "a.b")]
    with pytest.raises(SetupError, match="two tools are named 'a_b'"):
        build_graph(tools)


async def test_settings_take_the_name_that_a_tool_was_given() -> None:
    renamed = StructuredTool.from_function(key, name="Company Search")
    planner = ScriptedModel('Company_Search("a", "x")')
    graph = build_graph([renamed, give], planner=planner, joiner=ScriptedModel())
    state = await graph.ainvoke(
        {"messages": [HumanMessage("Go on.")]},
        context=Context(max_rounds=1, approve=("Company Search",), allow=("Company Search",)),
    )
    assert state["outcomes"]["1"]["status"] == "rejected"
