"""The plan language's grammar, held against the parser and the compiler."""

import ast
import enum
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Annotated, Any, Literal

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.tools import StructuredTool, ToolException
from pydantic import BaseModel, Field

from llm_compiler.errors import SetupError
from llm_compiler.language.compiler import Compiler
from llm_compiler.language.parser import PlanParser
from llm_compiler.language.plan_grammar import plan_grammar
from llm_compiler.language.references import PATTERN as REFERENCE
from llm_compiler.language.task import ANSWER, Refused, Task
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.language.value_rules import DEFAULT_MAX_STRING_CHARS
from llm_compiler.models.local.server import LOCAL_SERVER
from llm_compiler.prompts import examples
from llm_compiler.tools import SHIPPED
from llm_compiler.tools.arithmetic import evaluate
from tests.support.functions import toolbox
from tests.support.gbnf import Grammar

OPTIONS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Colour(enum.Enum):
    RED = "red"
    LIGHT_BLUE = 'light "blue"\nor \\ sky é'
    PRICED = "$5"


class Address(BaseModel):
    street: str
    number: int = 1
    flat: str | None = None


class Person(BaseModel):
    name: str
    homes: list[Address]
    friends: list["Person"] = Field(default_factory=list, max_length=2)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str] = []


def hire(person: Person, colour: Colour = Colour.RED) -> str:
    """Hire a person."""
    return person.name


def total(
    numbers: Annotated[list[int], Field(min_length=2, max_length=3)], scale: float = 1.0
) -> float:
    """Add whole numbers."""
    return sum(numbers) * scale


def feed(animal: Annotated[Cat | Dog, Field(discriminator="kind")], *, gently: bool = True) -> str:
    """Feed an animal."""
    return animal.kind


def save(
    text: Annotated[str, Field(min_length=1, max_length=5)],
    labels: dict[str, float] | None = None,
    where: tuple[int, str] = (0, ""),
    level: Literal[1, 2, 3] = 1,
) -> None:
    """Save a text."""


def now() -> str:
    """The time."""
    return ""


def guess(anything: Any, among: dict[Literal["a", "b"], Any] = {}) -> str:  # noqa: B006
    """Guess."""
    return ""


def by_schema(
    name: str, properties: Mapping[str, Any], required: Sequence[str], **more: Any
) -> StructuredTool:
    """A tool that brings its own JSON schema, as those of MCP servers do."""
    schema = {"type": "object", "properties": dict(properties), "required": list(required), **more}
    return StructuredTool.from_function(
        func=lambda **_: "", name=name, description=name, args_schema=schema
    )


STRANGE = (
    by_schema(
        "convert-money.v2",
        {
            "amount": {"type": "number"},
            "note": {"type": "string"},
            "from": {"type": "string"},
            "to": {"type": ["string", "null"]},
        },
        ["amount", "from"],
    ),
    by_schema(
        "late",
        {
            "a-b": {"type": "string"},
            "b": {"type": "integer"},
            "c": {"enum": [None, True, 2.5, "x", [1], {"k": "v"}]},
        },
        ["b"],
    ),
    by_schema(
        "tree",
        {"root": {"$ref": "#/$defs/node"}},
        ["root"],
        **{
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {"left": {"$ref": "#/$defs/node"}, "ri$ght": {"type": "boolean"}},
                    "additionalProperties": False,
                }
            }
        },
    ),
    by_schema(
        "either",
        {
            "by": {
                "type": "object",
                "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
                "additionalProperties": False,
                "anyOf": [{"required": ["id"]}, {"required": ["name"]}],
            },
            "all": {
                "allOf": [
                    {"properties": {"x": {"type": "null"}}, "required": ["x"]},
                    {"properties": {"y": {"const": 7}}},
                ]
            },
        },
        ["by"],
    ),
    by_schema("root", {"thought": {}}, []),
    by_schema("string", {"value": {"type": "array", "items": {"type": "null"}, "maxItems": 0}}, []),
)
TOOLBOXES = {
    "shipped": Toolbox.of(SHIPPED),
    "typed": toolbox(hire, total, feed, save, now, guess),
    "strange": Toolbox.of(STRANGE),
}
EXPRESSION = TOOLBOXES["shipped"]["math"].parameters["expression"]
GRAMMARS = {name: Grammar(plan_grammar(tools, 1)) for name, tools in TOOLBOXES.items()}


def compiled(tools: Toolbox, text: str) -> list[Task | Refused]:
    """Parse and compile a plan; the ids that no grammar can know are made to fit."""
    parser = PlanParser()
    calls = [*parser.feed(text), *parser.close()]
    tasks = []
    for call in calls:
        compiler = Compiler(tools, taken=(), max_tasks=50)
        tasks += [*compiler.compile(call), *compiler.close()]
    return tasks


@pytest.mark.parametrize(
    "plan",
    [
        '1. search("K2")\n2. join()',
        '1. search(query="K2")\n2. join()',
        'Thought: I need both first.\n1. search("K2")\n2. number("height in m", $1)\n3. join()',
        '1. search("a")\n2. search("b")\n3. number("m", $1)\n4. number("m", text=$2)\n'
        '5. math("max($3, $4) * 1.2 - sqrt(2) / (1 - $3)")\n6. join()',
        '1. pick("largest", {"A": "$3 / $4", "B \'x\'": "2"})\n2. join()',
        '1. pick(which="smallest", values=$2.values[0].x)\n2. join()',
        '1. search("a (\\"b\\") #1 \\\\ é漢🙂 \\n$1, $2.name and $$5")\n'
        '7. after 1, 2: read("q", "$1")\n999. join()',
        '1. search("")\n2. join()',
        '1. math("$1 >= 2")\n2. join()',
        '1. answer("It costs $5, \\"all in\\".")',
        'Thought: Nothing to look up.\n1. answer("Hello!")',
    ],
)  # fmt: skip
def test_plan_that_is_accepted(plan: str) -> None:
    assert GRAMMARS["shipped"].accepts(plan)
    assert not [task for task in compiled(TOOLBOXES["shipped"], plan) if isinstance(task, Refused)]


@pytest.mark.parametrize(
    "plan",
    [
        "",
        "1. join()",
        '1. search("K2")',
        '1. search("K2")\n',
        '1. search("K2")\n2. join()\n',
        '1. search("K2")\n2. join()\n3. search("x")\n4. join()',
        '2. search("K2")\n3. join()',
        '01. search("K2")\n2. join()',
        '1. search("K2")\n0. join()',
        '1. search("K2")\n2. search("a") 3. join()',
        '1. serch("K2")\n2. join()',
        "1. search()\n2. join()",
        "1. search(5)\n2. join()",
        "1. search('K2')\n2. join()",
        '1. search("K2", "K3")\n2. join()',
        '1. search(q="K2")\n2. join()',
        '1. search("K2",)\n2. join()',
        '1. search( "K2")\n2. join()',
        '1. search("K2"\n2. join()',
        '1. search("K2"))\n2. join()',
        '1. search("K\n2")\n2. join()',
        '1. search("K\\2")\n2. join()',
        '1. search("K"2")\n2. join()',
        '1. search("costs $")\n2. join()',
        '1. search("$x")\n2. join()',
        "1. search($)\n2. join()",
        "1. search($0)\n2. join()",
        '1. search($1 + "a")\n2. join()',
        '1. number(text="x", "m")\n2. join()',
        '1. number("m")\n2. join()',
        '1. number("m","x")\n2. join()',
        '1. number("m", [1, [2, [3, [4]]]])\n2. join()',
        '1. math("2 +")\n2. join()',
        '1. math("(2 + 3")\n2. join()',
        '1. math("2+3")\n2. join()',
        '1. math("20% * 3")\n2. join()',
        '1. math("8,848 + 1")\n2. join()',
        '1. math("max($1)")\n2. join()',
        '1. math("sqrt(1, 2)")\n2. join()',
        '1. math("height($1)")\n2. join()',
        '1. math("")\n2. join()',
        '1. pick("max", {"A": "1", "B": "2"})\n2. join()',
        '1. pick("largest", {"A": "1"})\n2. join()',
        '1. pick("largest", {"A": "1", "B": "1 < 2"})\n2. join()',
        '1. pick("largest", ["1", "2"])\n2. join()',
        '1. pick("largest", {A: "1", B: "2"})\n2. join()',
        '1. after: search("K2")\n2. join()',
        '1. after 0: search("K2")\n2. join()',
        '1. answer("a")\n2. join()',
        '1. answer("a")\n2. search("K2")\n3. join()',
        '1. search("K2")\n2. answer("a")',
        '1. answer("")',
        "1. answer($1)",
        'Thought: see 3. after\n1. search("K2")\n2. join()',
        'Thought: 1. search("K3").\n1. search("K2")\n2. join()',
        '1. search("K2")\nThought: more.\n2. join()',
        'I will search.\n1. search("K2")\n2. join()',
        '1. search("' + "x" * (DEFAULT_MAX_STRING_CHARS + 1) + '")\n2. join()',
        "".join(f'{id}. search("K2")\n' for id in range(1, 52)) + "52. join()",
    ],
)  # fmt: skip
def test_plan_that_is_refused(plan: str) -> None:
    assert not GRAMMARS["shipped"].accepts(plan)


@pytest.mark.parametrize(
    ("tools", "call", "accepted"),
    [
        ("typed", "now()", True),
        ("typed", "now(1)", False),
        ("typed", "total([1, -2])", True),
        ("typed", "total([1, $2, 3], scale=0.5)", True),
        ("typed", "total($1)", True),
        ("typed", "total([1])", False),
        ("typed", "total([1, 2, 3, 4])", False),
        ("typed", "total([1, 2.5])", False),
        ("typed", "total([1, 2], 0.5)", False),
        ("typed", 'hire({"name": "Ann", "homes": [{"street": "High"}]})', True),
        ("typed", 'hire({"name": "A", "homes": $1, "friends": [{"name": $2, "homes": $1}]})', True),
        ("typed", 'hire({"homes": [], "name": "A"})', False),
        ("typed", 'hire({"name": "A"})', False),
        ("typed", 'hire($1, colour="red")', True),
        ("typed", 'hire($1, colour="light \\"blue\\"\\nor \\\\ sky é")', True),
        ("typed", 'hire($1, colour="green")', False),
        ("typed", 'hire($1, colour="$5")', False),
        ("typed", 'feed({"kind": "cat", "lives": 9}, gently=false)', True),
        ("typed", 'feed({"kind": "dog"})', True),
        ("typed", 'feed({"kind": "dog", "lives": 9})', False),
        ("typed", 'save("abcde", labels={"a": 1}, where=[1, "x"], level=2)', True),
        ("typed", 'save("x", labels=null)', True),
        ("typed", 'save("x", level=2, labels=null)', False),
        ("typed", 'save("x", where=[1])', False),
        ("typed", 'save("x", level=4)', False),
        ("typed", 'save("")', False),
        ("typed", 'save("abcdef")', False),
        ("typed", 'guess({"a": [1, {"b": null}]}, among={"a": 1, "b": "x"})', True),
        ("typed", 'guess({"a": [1, {"b": [null]}]})', False),
        ("typed", 'guess(1, among={"c": 1})', False),
        ("strange", 'convert-money.v2(1.5, "", "CHF")', True),
        ("strange", 'convert-money.v2(1.5, "", "CHF", to=null)', True),
        ("strange", 'convert-money.v2(amount=1.5, note="", from="CHF")', False),
        ("strange", "late(b=1)", True),
        ("strange", 'late(b=1, c={"k": "v"})', True),
        ("strange", "late(1)", False),
        ("strange", 'tree({"left": {"left": {}, "ri$ght": true}})', True),
        ("strange", "tree({})", True),
        ("strange", "tree(1)", False),
        ("strange", 'either({"id": 1})', True),
        ("strange", 'either({"id": 1, "name": "x"}, all={"x": null, "y": 7})', True),
        ("strange", "either({})", False),
        ("strange", "root()", True),
        ("strange", "root(thought=[])", True),
        ("strange", "string(value=[])", True),
        ("strange", "string(value=[null])", False),
    ],
)  # fmt: skip
def test_call_by_its_schema(tools: str, call: str, accepted: bool) -> None:
    plan = f"1. {call}\n2. join()"
    assert GRAMMARS[tools].accepts(plan) == accepted
    if accepted:
        assert [type(task) for task in compiled(TOOLBOXES[tools], plan)] == [Task]


_CALL = re.compile(r"(\d+)\. (?:after ([\d, ]+): )?([^(]+)\((.*)\)")
_NAMES = {"true": "True", "false": "False", "null": "None"}


def read(arguments: str) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of a canonical call, read another way than the compiler does."""
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', arguments)
    pieces[::2] = [
        re.sub(
            r"(\$\d+(?:\.\w+|\[-?\d+\])*)|\b(true|false|null)\b",
            lambda found: f'"{found[1]}"' if found[1] else _NAMES[found[2]],
            piece,
        )
        for piece in pieces[::2]
    ]
    call = ast.parse(f"_({''.join(pieces)})", mode="eval").body
    assert isinstance(call, ast.Call)
    keywords = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    return [ast.literal_eval(argument) for argument in call.args], keywords


@pytest.mark.parametrize("name", TOOLBOXES)
@OPTIONS
@given(random=st.randoms(use_true_random=False))
def test_whatever_it_accepts_compiles_to_what_stands_there(name: str, random: Random) -> None:
    tools, rules = TOOLBOXES[name], GRAMMARS[name]
    plan = rules.sentence(random.choice)
    assert rules.accepts(plan)
    tasks = compiled(tools, plan)
    lines = [found for line in plan.split("\n") if (found := _CALL.fullmatch(line))]
    written = [line for line in lines if line[3] != "join"]
    assert len(tasks) == len(written)
    for task, (id, after, tool, arguments) in zip(
        tasks, [line.groups() for line in written], strict=True
    ):
        assert isinstance(task, Task), task
        assert (task.id, task.tool) == (int(id), tool)
        positional, keywords = read(arguments)
        names = ["text"] if tool == ANSWER else list(tools[tool].parameters)
        assert task.args == dict(zip(names, positional, strict=False)) | keywords
        assert {int(need) for need in re.findall(r"\d+", after or "")} <= set(task.needs)


@OPTIONS
@given(random=st.randoms(use_true_random=False))
def test_expression_is_one_that_math_computes(random: Random) -> None:
    rules = Grammar(f'root ::= comparison\n{EXPRESSION["gbnf"]}\nreference ::= "$2"')
    expression = REFERENCE.sub("2", rules.sentence(random.choice, depth=9))
    with suppress(ToolException):
        evaluate(expression)
        return
    # What the values come to, no grammar can know.
    with pytest.raises(ToolException, match=r"division by zero|too large|not a number|characters"):
        evaluate(expression)


def tool_with(gbnf: str, name: str = "draw") -> StructuredTool:
    return by_schema(name, {"shape": {"type": "string", "gbnf": gbnf}}, ["shape"])


def test_rules_of_tools_are_kept_apart() -> None:
    one = 'string ::= "a" id{2} # two of them\nid ::= [b"]'.replace('"]', "]")
    other = 'string ::= id\nid ::= "c"'
    rules = Grammar(plan_grammar(Toolbox.of([tool_with(one), tool_with(other, "paint")])))
    for call, accepted in {
        'draw("abb")': True,
        'paint("c")': True,
        "paint($1)": True,
        'draw("c")': False,
        'paint("abb")': False,
        'draw("ab")': False,
        "draw(abb)": False,
    }.items():
        assert rules.accepts(f"1. {call}\n2. join()") == accepted, call


@pytest.mark.parametrize(
    ("gbnf", "message"),
    [("a ::= b", "uses the rule 'b'"), ("no rules here", "no rule"), ("", "no rule")],
)
def test_rules_that_a_tool_forgot_are_the_persons_to_mend(gbnf: str, message: str) -> None:
    with pytest.raises(SetupError, match=message):
        plan_grammar(Toolbox.of([tool_with(gbnf)]))


def test_names_of_rules_are_valid_and_unique_whatever_the_tools_are_called() -> None:
    words = ("root", "call", "id", "Héllo", "x--y", "_", "a.b", "a-b", "漢字", "after", "string")
    tools = Toolbox.of([by_schema(word, {}, []) for word in words])
    text = plan_grammar(tools)
    assert all(re.match(r"[a-z][a-z0-9-]* ::= ", line) for line in text.splitlines())
    assert text.isascii()
    rules = Grammar(text)
    assert all(rules.accepts(f"1. {word}()\n2. join()") for word in words)
    assert all(compiled(tools, f"1. {word}()")[0].tool == word for word in words)


def test_schema_that_leads_only_back_to_itself_is_no_left_recursion() -> None:
    x = {"anyOf": [{"$ref": "#/$defs/x"}, {"type": "boolean"}]}
    tool = by_schema("loop", {"x": {"$ref": "#/$defs/x"}}, ["x"], **{"$defs": {"x": x}})
    rules = Grammar(plan_grammar(Toolbox.of([tool])))
    assert rules.accepts("1. loop(true)\n2. join()")
    assert not rules.accepts("1. loop(1)\n2. join()")


def test_tool_that_the_language_cannot_call_is_left_out() -> None:
    rules = Grammar(plan_grammar(toolbox(by_schema("my tool", {}, []), now)))
    assert rules.accepts("1. now()\n2. join()")
    assert not rules.accepts("1. my tool()\n2. join()")


def test_without_tools_there_is_only_an_answer() -> None:
    rules = Grammar(plan_grammar({}))
    assert rules.accepts('1. answer("I have no tools.")')
    assert not rules.accepts("1. join()")


def test_worked_plans_are_ones_that_the_model_may_write() -> None:
    assert all(example.startswith("Question: ") for example in examples())
    plans = [example.rpartition("Question: ")[2].partition("\n")[2] for example in examples()]
    assert [plan for plan in plans if not GRAMMARS["shipped"].accepts(plan)] == []


def test_later_round_goes_on_from_its_first_id() -> None:
    rules = Grammar(plan_grammar(TOOLBOXES["typed"], 998, max_tasks=3))
    assert rules.accepts("998. now()\n999. after 997: now()\n1000. now()\n1001. join()")
    assert rules.accepts('998. answer("Done.")')
    assert not rules.accepts("1. now()\n2. join()")
    assert not rules.accepts("998. now()\n1. now()\n2. now()\n3. now()\n4. join()")
    assert Grammar(plan_grammar(TOOLBOXES["typed"], max_tasks=1)).accepts("1. now()\n2. join()")


@pytest.mark.parametrize("name", TOOLBOXES)
@pytest.mark.local
async def test_local_model_writes_nothing_else(name: str) -> None:
    endpoint = await LOCAL_SERVER.start()
    tools = TOOLBOXES[name]
    text = plan_grammar(tools, 1, max_tasks=2)
    rules = Grammar(text)
    described = "\n".join(tool.signature for tool in tools.values())
    body = {
        "messages": [
            {
                "role": "system",
                "content": f"Write a plan, one call a line, then join().\n{described}",
            },
            {"role": "user", "content": "Try the tools with odd arguments."},
        ],
        "grammar": text,
        "cache_prompt": True,
        "temperature": 1.2,
        "seed": 1,
        "max_tokens": 120,
    }
    headers = {"Authorization": f"Bearer {endpoint.api_key}"}
    async with httpx.AsyncClient(headers=headers, timeout=100) as client:
        reply = await client.post(f"{endpoint.base_url}/chat/completions", json=body)
    choice = reply.json()["choices"][0]
    plan = choice["message"]["content"]
    whole = choice["finish_reason"] == "stop"
    assert rules.accepts(plan) or not whole, plan
    tasks = compiled(tools, plan)
    assert [task for task in tasks[: None if whole else -1] if isinstance(task, Refused)] == []
