"""The grammar of programs, held against the front end."""

import enum
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Annotated, Any, Literal

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.tools import StructuredTool
from pydantic import BaseModel, Field

from llm_compiler.language.grammar.program_grammar import program_grammar
from llm_compiler.language.grammar.program_rules import DEFAULT_MAX_STRING_CHARS
from llm_compiler.language.lowering.lowered import Refused
from llm_compiler.language.program import Program
from llm_compiler.language.toolbox.signatures import python_name
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.models.local.server import LOCAL_SERVER
from llm_compiler.prompting.overrides import question_and_program
from llm_compiler.prompts import examples
from llm_compiler.tools import SHIPPED
from tests.support.functions import toolbox
from tests.support.gbnf import Grammar

OPTIONS = settings(
    max_examples=60,
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
        "convert_money",
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
GRAMMARS = {name: Grammar(program_grammar(tools)) for name, tools in TOOLBOXES.items()}


def fenced(program: str) -> str:
    return f"```python\n{program}\n```"


def refused(tools: Toolbox, text: str) -> list[str]:
    """What does not compile, but for names that stand for nothing: no grammar can know them."""
    program = Program(tools)
    tasks = [*program.feed(text), *program.close()]
    reasons = [task.diagnostic.message for task in tasks if isinstance(task, Refused)]
    unknown = re.compile(r"no name |.* is a function; call it")
    return [reason for reason in reasons if not unknown.match(reason)]


@pytest.mark.parametrize("text", [text for *_, text in examples()])
def test_worked_programs_are_ones_that_the_model_may_write(text: str) -> None:
    assert GRAMMARS["shipped"].accepts(fenced(question_and_program(text)[1]))


@pytest.mark.parametrize(
    "program",
    [
        'answer("Hello!")',
        '# the height\nk2 = number("height in m", search("K2"))\nanswer(f"It is {k2:,.2f} m.")',
        'x = search(query="K2")\nanswer(x)',
        'x = read("q", search(f"{search("a")} (b) \\"c\\" \\\\ \\n"))\nanswer(x)',
        'a = 1\nb = -2.5\nc = (a + b) / 3 - abs(a - b) * 2 ** 2\nanswer(c)',
        'answer(max(number("m", search("a")), number("m", search("b"))))',
        'd = {"A": 1, "B\'s": 2 * 3}\nanswer(f"{largest(d)} {max(d.values())} {d["A"]}")',
        'answer(f"{"A" if a > b else "B"} is larger.")',
        'd = [3, 1, 2]\nanswer(f"{sorted(d, reverse=True)[1]} of {len(d)}, {sum(d) / len(d):.1f}")',
        'answer(sorted(d, key=d.get)[0])',
        'answer(a > b)',
        'search("K2")\nanswer("It costs $5, é漢🙂.")',
        'd = {name: number("m", search(name)) / 2 for name in ["K2", "Rysy"]}\nanswer(largest(d))',
        'x = read("q", "t")\nd = {name: search(name) for name in x}\nanswer(d)',
    ],
)  # fmt: skip
def test_program_that_is_accepted(program: str) -> None:
    assert GRAMMARS["shipped"].accepts(fenced(program))
    assert not refused(TOOLBOXES["shipped"], fenced(program))


@pytest.mark.parametrize(
    "text",
    [
        "",
        'answer("x")',
        '```python\nanswer("x")',
        'I will search.\n```python\nanswer("x")\n```',
        '```python\nanswer("x")\n```\nThat is all.',
        *map(
            fenced,
            [
                "",
                'x = search("K2")',
                'answer("a")\nanswer("b")',
                'answer("")',
                "answer()",
                "answer('a')",
                ' answer("a")',
                'for = 1\nanswer("a")',
                'is_it__so = 1\nanswer("a")',
                'search = 1\nanswer("a")',
                'answer = 1\nanswer("a")',
                'X = 1\nanswer("a")',
                'x = serch("K2")\nanswer(x)',
                "x = search()\nanswer(x)",
                "x = search(5)\nanswer(x)",
                'x = search("K2", "K3")\nanswer(x)',
                'x = search(q="K2")\nanswer(x)',
                'x = search("K2",)\nanswer(x)',
                'x = search("K\n2")\nanswer(x)',
                'x = {name: search(name) for name in ["K2"]}\nanswer(x)',
                'x = {name: search(name) for peak in ["K2", "Rysy"]}\nanswer(x)',
                'x = search("K\\2")\nanswer(x)',
                'x = number(text="x", "m")\nanswer(x)',
                'x = 1; y = 2\nanswer("a")',
                'x = (1 + 2\nanswer("a")',
                'x = 1 +\nanswer("a")',
                'x = 1,000\nanswer("a")',
                'x = 007\nanswer("a")',
                'import math\nanswer("a")',
                'for x in y:\n    search(x)\nanswer("a")',
                'x = eval("1")\nanswer("a")',
                'x = a.b.c\nanswer("a")',
                'answer(f"{x!r}")',
                'answer(largest({"A": 1}))',
                'answer(largest({"A": [1], "B": [2]}))',
                'answer(f"{x:>999}")',
                'answer(f"{")',
                "# one\n# two\nanswer('a')",
                'x = [[[[[[1]]]]]]\nanswer("a")',
                'x = search(search(search(search(search("a")))))\nanswer("a")',
                'x = search("' + "x" * (DEFAULT_MAX_STRING_CHARS + 1) + '")\nanswer("a")',
                "x = 1\n" * 50 + 'answer("a")',
            ],
        ),
    ],
)
def test_program_that_is_refused(text: str) -> None:
    assert not GRAMMARS["shipped"].accepts(text)


@pytest.mark.parametrize(
    ("tools", "call", "accepted"),
    [
        ("typed", "now()", True),
        ("typed", "now(1)", False),
        ("typed", "total([1, -2])", True),
        ("typed", "total([1, x, 3], scale=0.5)", True),
        ("typed", "total([1, abs(x), 3], scale=x / 2)", True),
        ("typed", "total(x)", True),
        ("typed", "total([1])", False),
        ("typed", "total([1, 2, 3, 4])", False),
        ("typed", "total([1, 2.5])", False),
        ("typed", "total([1, 2], 0.5)", False),
        ("typed", 'hire({"name": "Ann", "homes": [{"street": "High"}]})', True),
        ("typed", 'hire({"name": "A", "homes": x, "friends": [{"name": y, "homes": x}]})', True),
        ("typed", 'hire({"homes": [], "name": "A"})', False),
        ("typed", 'hire({"name": "A"})', False),
        ("typed", 'hire(x, colour="red")', True),
        ("typed", 'hire(x, colour="light \\"blue\\"\\nor \\\\ sky é")', True),
        ("typed", 'hire(x, colour="$5")', True),
        ("typed", 'hire(x, colour="green")', False),
        ("typed", 'feed({"kind": "cat", "lives": 9}, gently=False)', True),
        ("typed", 'feed({"kind": "cat", "lives": 9}, gently="no")', False),
        ("typed", 'feed({"kind": "dog"})', True),
        ("typed", 'feed({"kind": "dog", "lives": 9})', False),
        ("typed", 'save("abcde", labels={"a": 1}, where=[1, "x"], level=2)', True),
        ("typed", 'save("x", labels=None)', True),
        ("typed", 'save("x", level=2, labels=None)', False),
        ("typed", 'save("x", where=[1])', False),
        ("typed", 'save("x", level=4)', False),
        ("typed", 'save("")', False),
        ("typed", 'save("abcdef")', False),
        ("typed", 'save(f"{x}!")', True),
        ("typed", 'guess({"a": [1, {"b": None}]}, among={"a": 1, "b": "x"})', True),
        ("typed", 'guess(1, among={"c": 1})', False),
        ("strange", 'convert_money(1.5, from_="CHF", note="")', True),
        ("strange", 'convert_money(1.5, note="", from="CHF")', False),
        ("strange", 'convert_money(amount=1.5, from_="CHF", to=None)', True),
        ("strange", "late(b=1)", True),
        ("strange", 'late(b=1, a_b="x", c={"k": "v"})', True),
        ("strange", "late(1)", False),
        ("strange", 'tree({"left": {"left": {}, "ri$ght": True}})', True),
        ("strange", "tree({})", True),
        ("strange", "tree(1)", False),
        ("strange", 'either({"id": 1})', True),
        ("strange", 'either({"id": 1, "name": "x"}, all={"x": None, "y": 7})', True),
        ("strange", "either({})", False),
        ("strange", "root()", True),
        ("strange", "root(thought=[])", True),
        ("strange", "string(value=[])", True),
        ("strange", "string(value=[None])", False),
    ],
)
def test_call_by_its_schema(tools: str, call: str, accepted: bool) -> None:
    text = fenced(f'x = abs(1)\ny = abs(2)\n{call}\nanswer("a")')
    assert GRAMMARS[tools].accepts(text) == accepted
    if accepted:
        assert not refused(TOOLBOXES[tools], text)


@pytest.mark.slow
@pytest.mark.parametrize("name", TOOLBOXES)
@OPTIONS
@given(random=st.randoms(use_true_random=False))
def test_whatever_it_accepts_compiles(name: str, random: Random) -> None:
    text = GRAMMARS[name].sentence(random.choice)
    assert GRAMMARS[name].accepts(text)
    # Line by line: no grammar knows what a name stands for, as a text where a number is needed.
    lines = text.split("\n")[1:-1]
    assert [why for line in lines for why in refused(TOOLBOXES[name], fenced(line))] == []


def test_names_of_rules_are_valid_and_unique_whatever_the_tools_are_called() -> None:
    words = (
        "root",
        "call",
        "name",
        "Héllo",
        "x_y",
        "value_1",
        "rest",
        "漢字",
        "string",
        "sum",
        "i",
    )
    tools = Toolbox.of([by_schema(word, {}, []) for word in words])
    names = [python_name(name) for name in tools]
    text = program_grammar(tools)
    assert all(re.match(r"[a-z][a-z0-9-]* ::= ", line) for line in text.splitlines())
    assert text.isascii()
    rules = Grammar(text)
    assert all(rules.accepts(fenced(f'{name}()\nanswer("x")')) for name in names)
    assert not any(rules.accepts(fenced(f'{name} = 1\nanswer("x")')) for name in names)
    assert rules.accepts(fenced("x_yz = if_it\nii = x_y_z\nx = value\nanswer(x)"))
    assert not rules.accepts(fenced('x = sum([1, 2])\nanswer("x")'))


def test_schema_that_leads_only_back_to_itself_is_no_left_recursion() -> None:
    x = {"anyOf": [{"$ref": "#/$defs/x"}, {"type": "boolean"}]}
    tool = by_schema("loop", {"x": {"$ref": "#/$defs/x"}}, ["x"], **{"$defs": {"x": x}})
    rules = Grammar(program_grammar(Toolbox.of([tool])))
    assert rules.accepts(fenced('loop(True)\nanswer("x")'))
    assert not rules.accepts(fenced('loop(1)\nanswer("x")'))


@pytest.mark.parametrize("name", ["my tool", "my-tool", "if", "a__b"])
def test_tool_that_the_language_cannot_call_is_left_out(name: str) -> None:
    rules = Grammar(program_grammar(toolbox(by_schema(name, {}, []), now)))
    assert rules.accepts(fenced('now()\nanswer("x")'))
    assert not rules.accepts(fenced(f'{name}()\nanswer("x")'))


def test_without_tools_there_are_computations_and_an_answer() -> None:
    rules = Grammar(program_grammar({}))
    assert rules.accepts(fenced('answer("I have no tools.")'))
    assert rules.accepts(fenced('x = 17 * 23\nanswer(f"It is {x}.")'))


def test_functions_of_the_language_can_be_left_out() -> None:
    tools = toolbox(now)
    plans = {name: fenced(f'x = {name}(1, 2)\nanswer(f"{{x}}")') for name in ("min", "max")}
    plans["name"] = fenced('max_x = 1\nanswer(f"{max_x}")')
    keys = fenced('ma = smallest({"a": 1, "b": 2})\nx_max = ma\nanswer(f"{x_max}")')
    every, some = (Grammar(program_grammar(tools, without)) for without in ((), ("min", "max")))
    assert all(every.accepts(plan) for plan in plans.values())
    assert not any(some.accepts(plan) for plan in plans.values())
    assert some.accepts(keys)


def test_comparisons_can_be_left_out_but_not_the_choice_between_two() -> None:
    rules = Grammar(program_grammar(toolbox(now), [">"]))
    assert not rules.accepts(fenced('a = 1\nb = 2\nc = a > b\nanswer(f"{c}")'))
    assert not rules.accepts(fenced("answer(a > b)"))
    assert rules.accepts(fenced('answer(f"{"A" if a > b else "B"} is larger.")'))


def test_what_was_computed_last_is_said() -> None:
    rules = Grammar(program_grammar(toolbox(now)))
    assert not rules.accepts(fenced('x = 1 + 1\nanswer("It is 2.")'))
    assert rules.accepts(fenced('x = 1 + 1\nanswer(f"It is {x}.")'))
    assert rules.accepts(fenced("x = 1 + 1\nanswer(x)"))
    assert rules.accepts(fenced('x = 1 + 1\nnow()\nanswer("Done.")'))


def test_a_program_that_chooses_ends_with_one_of_several() -> None:
    tools = TOOLBOXES["shipped"]
    rules = Grammar(program_grammar(tools, ["min", "max"], chooses=True))
    said = 'answer(f"It is {x}.")'
    heights = 'a = number("m", search("K2"))\nb = number("m", search("Rysy"))\n'
    for chosen in (
        'x = largest({"K2": a, "Rysy": b})',
        "x = smallest(d)",
        "x = sorted(d, key=d.get)[0]",
        'x = "K2" if a > b else "Rysy"',
        'x = read("Which is the higher one?", search("Rysy"))',
    ):
        assert rules.accepts(fenced(f"{heights}{chosen}\n{said}"))
    for value in ("", "x = a - b\n", 'x = number("m", "K2 or Rysy")\n'):
        assert not rules.accepts(fenced(f"{heights}{value}{said}"))
    assert rules.accepts(fenced('answer("I do not know.")'))


def test_a_program_that_divides_names_the_rate_and_divides_two_figures_of_each() -> None:
    rules = Grammar(program_grammar(TOOLBOXES["shipped"], ["min"], chooses=True, divides=True))
    figure, names = 'number("m", search(name))', '["K2", "Rysy"]'
    rest = 'x = largest(a_per_b)\nanswer(f"It is {x}.")'
    divided = f"a_per_b = {{name: {figure} / {figure} for name in {names}}}\n{rest}"
    assert rules.accepts(fenced(divided))
    assert rules.accepts(fenced(divided.replace("a_per_b", "some_value_to_another")))
    assert not refused(TOOLBOXES["shipped"], fenced(divided))
    assert rules.accepts(fenced('answer("I do not know.")'))
    for other in (
        f"a_per_b = {{name: {figure} for name in {names}}}\n{rest}",
        f"a = {{name: {figure} / {figure} for name in {names}}}\n{rest}",
        'a_per_b = {"K2": 1, "Rysy": 2}\n' + rest,
    ):
        assert not rules.accepts(fenced(other))


def test_keys_begin_with_a_word() -> None:
    rules = Grammar(program_grammar(toolbox(now)))
    assert rules.accepts(fenced('x = {"B: 1\'s": 1}\nanswer(x)'))
    for key in (": ", " A", "{:.2f}", ".", "!"):
        assert not rules.accepts(fenced(f'x = {{"{key}": 1}}\nanswer(x)'))


@pytest.mark.parametrize("name", TOOLBOXES)
@pytest.mark.local
async def test_local_model_writes_nothing_else(name: str) -> None:
    endpoint = await LOCAL_SERVER.start()
    tools = TOOLBOXES[name]
    text = program_grammar(tools)
    described = "\n".join(tool.signature for tool in tools.values())
    body = {
        "messages": [
            {"role": "system", "content": f"Write a short program of calls.\n{described}"},
            {"role": "user", "content": "Try the tools with odd arguments."},
        ],
        "grammar": text,
        "cache_prompt": True,
        "temperature": 1.2,
        "seed": 1,
        "max_tokens": 60,
    }
    headers = {"Authorization": f"Bearer {endpoint.api_key}"}
    async with httpx.AsyncClient(headers=headers, timeout=100) as client:
        reply = await client.post(f"{endpoint.base_url}/chat/completions", json=body)
    choice = reply.json()["choices"][0]
    written = choice["message"]["content"]
    whole = choice["finish_reason"] == "stop"
    assert Grammar(text).accepts(written) or not whole, written
    program = Program(tools)
    tasks = [*program.feed(written), *program.close(cut=not whole)]
    reasons = [task.diagnostic.message for task in tasks if isinstance(task, Refused)]
    cut = "cut off" if not whole else "no name"
    assert [it for it in reasons if cut not in it and not it.startswith("no name")] == []
