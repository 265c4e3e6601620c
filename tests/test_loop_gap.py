"""The event loop never stands still: nothing of ours computes on it for long, whatever comes in.

Each input goes in where it would in a turn. The limit is 50 ms of the loop's own thread, and twice
that of all threads, in the best of three tries.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import StructuredTool, ToolException
from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler import Context, build_graph
from llm_compiler.errors import ModelError, PlanError
from llm_compiler.language.program import Program
from llm_compiler.language.stored_tasks import compile_data
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.models.model import Meter
from llm_compiler.observability.langsmith import _mask
from llm_compiler.redaction import one_line
from llm_compiler.tools.number import number
from llm_compiler.tools.read import read
from llm_compiler.tools.search import search
from tests.bench.overhead import Writer
from tests.support.loop_watch import LoopWatch
from tests.support.models import open_model
from tests.tools.scripted_reader import ScriptedReader, with_resources

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

BUSY = 0.05
HELD = 0.1

Work = Callable[[], Awaitable[object]]


async def gaps(work: Work) -> tuple[float, float]:
    """The longest gaps while `work` was done, in the best of three tries."""
    await asyncio.sleep(0)
    found = []
    for _ in range(3):
        async with LoopWatch() as watch:
            await work()
        found.append((watch.busy, watch.held))
        if watch.busy < BUSY and watch.held < HELD:
            break
    return min(busy for busy, _ in found), min(held for _, held in found)


async def check(work: Work) -> None:
    busy, held = await gaps(work)
    assert busy < BUSY
    assert held < HELD


# ── texts that tools read ─────────────────────────────────────────────────────────────────────

PROSE = "The tower of the town is 330 m high, and 12 people live in it. It was built in 1889. "
TEXTS: dict[str, Any] = {
    "8 kB of numbers": "1 " * 4096,
    "40 kB of numbers": "1 " * 20_000,
    "32 kB of CSV": "\n".join(",".join(str(n * 7 % 1000) for n in range(10)) for _ in range(1000)),
    "32 kB of CSV in one line": ",".join(str(n * 7 % 1000) for n in range(8200)),
    "200 kB of prose": PROSE * 2400,
    "80 kB of labels": "Height of the tower: 330 m\n" * 3000,
    "40 kB of thousands": "1,111,111 " * 4000,
    "40 kB of gaps": "1 111 111 " * 4000,
    "long labels": ("word " * 100 + ": 5 m\n") * 1000,
    "brackets": "(1 " * 4000,
    "no line has an end": "1 m, " * 4000,
    "a word of 10 MB": "x" * 10_000_000,
    "digits of 10 MB": "9" * 10_000_000,
    "blanks of 10 MB": " " * 10_000_000,
    "ends of lines": "\n" * 10_000_000,
    "letters of 2 MB": "a " * 1_000_000,
    "headings": "# x\n" * 150_000,
    "other letters": "é ü 5 m " * 4000,
    "a list": ["8,611 m", {"b": "8,849 m"}] * 4000,
    "deep": json.loads("[" * 90 + "5" + "]" * 90),
}


def reader() -> Any:
    return with_resources(reader=ScriptedReader(["1"] * 9, grammars=False))


async def attempt(work: Awaitable[object]) -> None:
    """An error is as good as an answer here."""
    with suppress(ToolException):
        await work


@pytest.mark.parametrize("text", TEXTS)
async def test_number(text: str) -> None:
    given = {"what": "height in metres", "text": TEXTS[text]}
    await attempt(number.ainvoke({"what": "height in m", "text": "5 m or 6 m"}, reader()))
    await check(lambda: attempt(number.ainvoke(given, reader())))


@pytest.mark.parametrize("text", TEXTS)
async def test_read(text: str) -> None:
    given = {"question": "What is high?", "text": TEXTS[text]}
    await check(lambda: attempt(read.ainvoke(given, reader())))


QUESTIONS = {
    "blanks": "height" + " " * 1_000_000 + "in m",
    "units": "in m " * 200_000,
    "words": "height of the tower " * 50_000,
    "a word": "x" * 1_000_000,
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_what_is_asked(question: str) -> None:
    asked, text = QUESTIONS[question], "5 m or 6 m"
    await check(lambda: attempt(number.ainvoke({"what": asked, "text": text}, reader())))
    await check(lambda: attempt(read.ainvoke({"question": asked, "text": text}, reader())))
    await check(lambda: attempt(search.ainvoke({"query": asked}, {})))


DOCUMENTS = {
    "32 kB of heading marks": "# " + "#" * 32_000 + "x",
    "heading marks apart": "# " + " #" * 16_000 + " x",
    "headings": "# a #\n" * 20_000,
    "a long heading": "# " + "x" * 1_000_000,
    "a word of 2 MB": "x" * 2_000_000,
    "a paragraph of 2 MB": "word " * 400_000,
    "blank lines": "\n \n" * 500_000,
    "blanks": "#" + " " * 1_000_000 + "\n" + " " * 1_000_000,
}


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_documents(tmp_path: Path, document: str) -> None:
    tmp_path.joinpath("a.md").write_text(DOCUMENTS[document])
    tmp_path.joinpath("b.md").write_text("# Tower\n\nIt is 330 m high.")
    run = with_resources(documents=tmp_path)
    await check(lambda: search.ainvoke({"query": "tower"}, run))


# ── what is computed on the loop ──────────────────────────────────────────────────────────────


def refused(schema: dict[str, Any], args: dict[str, Any]) -> None:
    """Check arguments against a schema that a MCP server sends."""

    def call(**_: Any) -> None: ...

    given = {"type": "object", **schema}
    tool = StructuredTool.from_function(call, name="f", description="F.", args_schema=given)
    with suppress(PlanError):
        Toolbox.of([tool])["f"].check(args)


def one(schema: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"a": schema}}


EVIL, FITS = "(a+)+$", "a" * 40 + "!"
TWICE = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
SCHEMAS: dict[str, tuple[dict[str, Any], Any]] = {
    "a pattern": (one({"pattern": EVIL}), FITS),
    "a pattern of another draft": (
        one({"$schema": "http://json-schema.org/draft-07/schema#", "pattern": EVIL}),
        FITS,
    ),
    "a pattern for names": (one({"patternProperties": {EVIL: {}}}), {FITS: 1}),
    "a pattern for other names": (
        one({"patternProperties": {EVIL: {}}, "additionalProperties": False}),
        {FITS: 1},
    ),
    "a pattern for unevaluated names": (
        one({"patternProperties": {EVIL: {}}, "unevaluatedProperties": False}),
        {FITS: 1},
    ),
    "a pattern for any name": (one({"propertyNames": {"pattern": EVIL}}), {FITS: 1}),
    "unique items": (one({"uniqueItems": True}), [{"n": n} for n in range(5000)]),
    "doubled references": ({"$defs": {**TWICE, "d40": {}}, **one({"$ref": "#/$defs/d0"})}, 1),
    "a circle": (one({"$ref": "#"}), 1),
    "many choices": (one({"anyOf": [{"const": n} for n in range(5000)]}), "x" * 90_000),
    "many items": (one({"items": {"type": "integer"}}), [0] * 1_000_000),
    "many wrong items": (one({"items": {"type": "integer"}}), ["x"] * 40_000),
    "a long text": (one({"type": "integer"}), "x" * 10_000_000),
}


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_foreign_schemas(schema: str) -> None:
    given, value = SCHEMAS[schema]

    async def work() -> None:
        refused(given, {"a": value})

    await check(work)


ERRORS = {
    "60 kB ?keykey": "?" + "key" * 20_000,
    "1 MB ?key": "?key" * 250_000,
    "10 MB": "x" * 10_000_000,
    "10 MB of addresses": "x://a:b/" * 1_250_000,
    "10 MB of blanks": " " * 10_000_000,
    "keys without end": "-----BEGIN PRIVATE KEY-----" * 10_000,
    "names": "password=" * 10_000,
    "tokens": "eyJ" * 20_000,
    "other letters": "é" * 1_000_000,
}


@pytest.mark.parametrize("error", ERRORS)
async def test_errors_and_traces(error: str) -> None:
    text = ERRORS[error]

    async def told() -> None:
        assert len(one_line(ValueError(text))) <= 320

    async def traced() -> None:
        assert _mask({"error": text, "again": [text] * 10}) is not None

    _mask("warm")
    await check(told)
    await check(traced)


async def test_a_trace_of_much_data() -> None:
    texts = [f"text {n}" for n in range(100_000)]

    async def traced() -> None:
        assert _mask({"many": texts, "numbers": list(range(1_000_000)), "same": ["a"] * 1_000_000})

    _mask("warm")
    await check(traced)


EVENTS = {
    "words": ('{"choices": [{"index": 0, "delta": {"content": "', "word ", '"}}]}'),
    "escapes": ('{"choices": [{"index": 0, "delta": {"content": "', r"\u00e9", '"}}]}'),
    "choices": ('{"choices": [{}', ', {"index": 0, "delta": {"content": "x"}}', "]}"),
    "more of it": ('{"choices": [], "more": [0', ', {"a": []}', "]}"),
}


@pytest.mark.parametrize("kind", EVENTS)
async def test_a_long_event_of_a_model(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, again, after = EVENTS[kind]
    event = before + again * (990_000 // len(again)) + after
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"{head}data: {event}\n\ndata: [DONE]\n\n".encode())
            await writer.drain()
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    model = await open_model("openai:m")

    async def read() -> None:
        with suppress(ModelError):
            async for _ in model.stream([HumanMessage("?")], Meter(), role="joiner"):
                pass

    async with server:
        await read()
        await check(read)


# ── whole turns ───────────────────────────────────────────────────────────────────────────────

LARGE: dict[str, Any] = {
    "400,000 numbers": [1] * 400_000,
    "lists": [[n] for n in range(100_000)],
    "100,000 keys": {f"k{n}": n for n in range(100_000)},
    "10 MB of text": "word " * 2_000_000,
}
TURNS = [
    ("400,000 numbers", "typed(x)", True),
    ("400,000 numbers", "y = [use(i) for i in x]", False),
    ("lists", "y = [use([i, x]) for i in [1, 2]]", False),
    ("100,000 keys", "remote(x)", False),
    ("10 MB of text", "write(x)", True),
    ("10 MB of text", 'use(f"see {x}")', False),
]
"""A result, what is done with it, and whether it is stored."""


def turn_tools(large: Any, *, is_async: bool) -> list[StructuredTool]:
    def get() -> Any:
        return large

    async def aget() -> Any:
        return large

    def use(x: Any) -> int:
        return 1

    async def ause(x: Any) -> int:
        return 1

    def typed(x: list[int] | list[list[int]] | dict[str, int] | str) -> int:
        return 1

    async def remote(**args: Any) -> int:
        return 1

    schema = {"type": "object", "properties": {"x": {"type": ["array", "object", "string"]}}}
    given: list[tuple[str, Any, Any]] = [
        ("get", get, aget if is_async else None),
        ("use", use, ause if is_async else None),
        ("typed", typed, None),
        ("write", use, None),
    ]
    tools = [
        StructuredTool.from_function(
            func=None if coroutine else func, coroutine=coroutine, name=name, description="Do it."
        )
        for name, func, coroutine in given
    ]
    tools[-1].metadata = {"destructiveHint": True}
    return [
        *tools,
        StructuredTool.from_function(
            coroutine=remote, name="remote", description="Do it.", args_schema=schema
        ),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("large", "use", "stored"), TURNS)
async def test_turns_with_large_results(large: str, use: str, stored: bool) -> None:
    """Its tools are async where it is stored."""
    graph = build_graph(
        turn_tools(LARGE[large], is_async=stored),
        planner=Writer(text=f"x = get()\n{use}\n"),
        joiner=Writer(text="Done."),
        checkpointer=InMemorySaver() if stored else None,
    )
    threads = count()

    async def turn() -> None:
        config: Any = {"configurable": {"thread_id": str(next(threads))}}
        await graph.ainvoke({"messages": [("user", "Go.")]}, config)

    await check(turn)


MANY = {
    "calls": "".join(f"a{i} = use({i})\n" for i in range(1500)),
    "a loop": "y = [use(i) for i in range(10_000)]\nanswer(f'{len(y)} are done.')\n",
    "loops in a loop": "for i in range(200):\n    for j in range(5):\n        use(i * j)\n",
}


@pytest.mark.parametrize(
    ("plan", "stops"),
    [("calls", True), ("a loop", True), ("loops in a loop", False)],
)
async def test_turns_of_many_calls(plan: str, stops: bool) -> None:
    """At once; or stopped at the breakpoint and gone on with, as another process would."""
    graph = build_graph(
        turn_tools(1, is_async=True),
        planner=Writer(text=MANY[plan]),
        joiner=Writer(text="Done."),
        checkpointer=InMemorySaver() if stops else None,
    )
    threads = count()

    async def turn() -> None:
        config: Any = {"configurable": {"thread_id": str(next(threads))}}
        asked: Any = {"messages": [("user", "Go.")]}
        context = Context(max_tasks=10_000)
        if stops:
            await graph.ainvoke(asked, config, context=context, interrupt_before=["scheduler"])
            asked = None
        await graph.ainvoke(asked, config, context=context)

    await check(turn)


ARGUMENTS = {
    "brackets that do not fit": "(" * 40_000 + "]" * 40_000,
    "brackets that do": "[" * 45_000 + "]" * 45_000,
    "brackets that are left open": "([{" * 30_000,
    "closed alone": ")]}" * 30_000,
    "quotes": '"' * 90_000,
    "one of each": "([{}])" * 15_000,
    "inner ones left open": "[" + "(]" * 40_000,
    "references": "$1[" * 30_000,
}


@pytest.mark.parametrize("arguments", ARGUMENTS)
async def test_plans(arguments: str) -> None:
    """As it is written, and as a person edits it in the state."""
    text = f"f({ARGUMENTS[arguments]}"

    def f(x: str) -> str:
        """Do it."""
        return x

    tools = Toolbox.of([StructuredTool.from_function(f)])

    async def written() -> None:
        program = Program(tools, max_calls=50)
        for at in range(0, len(text), 500):
            program.feed(text[at : at + 500])
            await asyncio.sleep(0)
        program.close()

    async def edited() -> None:
        compile_data(tools, {"id": 1, "tool": "f", "text": text, "args": {}})

    await check(written)
    await check(edited)
