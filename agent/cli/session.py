"""One question from the command line: runs the graph, shows its events, asks the person.

Conversations (`--thread`) are stored by LangGraph's SQLite saver in the user's state folder.
"""

import importlib.util
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from langchain_core.messages import AIMessageChunk
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from llm_compiler.cli.display import Display
from llm_compiler.context import Context
from llm_compiler.errors import SetupError
from llm_compiler.execution.tool_threads import Threads
from llm_compiler.graph import build_graph
from llm_compiler.language.task import did_not_compile
from llm_compiler.models.local.obtain import ensure
from llm_compiler.models.local.progress import progress_bar
from llm_compiler.models.providers import LOCAL, chosen
from llm_compiler.run.compiled_graph import LLMCompiler

Decide = Callable[[Mapping[str, Any]], list[dict[str, Any]]]
"""Shows a request for approval to a person; returns a decision for each of its calls."""
_MODES = ["custom", "messages", "values"]


@dataclass(frozen=True)
class Request:
    """What a person asked for on the command line."""

    question: str
    context: Context
    thread: str | None = None
    """The name of the conversation that the question continues."""
    plan_only: bool = False


def threads_file() -> Path:
    """The SQLite file that holds the conversations."""
    return Path(platformdirs.user_state_dir("llm-compiler")) / "threads.sqlite"


async def ask(request: Request, display: Display, decide: Decide) -> dict[str, Any]:
    """Run the question to its end; return the final state.

    Raises:
        SetupError: something is missing, or a folder is not writable.
        ModelError: a model gave no usable reply.
    """
    if any(chosen(request.context, role)[0] == LOCAL for role in ("planner", "joiner")):
        await _bring_weights(display)
        display.begin("starting the local model")
    if request.thread is None:
        return await _run(build_graph(), request, {}, display, decide)
    async with _saver(request.thread) as saver:
        graph = build_graph(checkpointer=saver)
        config = {"configurable": {"thread_id": request.thread}}
        return await _run(graph, request, config, display, decide)


async def _run(
    graph: LLMCompiler, request: Request, config: Any, display: Display, decide: Decide
) -> dict[str, Any]:
    options: dict[str, Any] = {"context": request.context, "stream_mode": _MODES}
    question = ("user", request.question)
    if request.plan_only:
        # A plan that is not run is not stored in its conversation.
        earlier = (await graph.aget_state(config)).values.get("messages", []) if config else []
        input = {"messages": [*earlier, question]}
        return await _stream(
            build_graph(), input, {}, {**options, "interrupt_before": ["scheduler"]}, display
        )
    state = await _stream(graph, {"messages": [question]}, config, options, display)
    while interrupts := state.pop("__interrupt__", []):
        display.pause()
        decisions = [decision for asked in interrupts for decision in decide(asked.value)]
        display.report.resumed()
        display.begin("continuing")
        resume: Any = Command(resume={"decisions": decisions})
        state = await _stream(graph, resume, config, options, display)
    return state


async def _stream(
    graph: LLMCompiler, input: Any, config: Any, options: dict[str, Any], display: Display
) -> dict[str, Any]:
    """Run the graph until it ends or stops; return the state it is in."""
    state: dict[str, Any] = {}
    async with aclosing(graph.astream(input, config, **options)) as chunks:
        async for mode, chunk in chunks:
            if mode == "custom":
                display.take(chunk)
            elif mode == "values":
                state = {**state, **chunk}
            # Complete messages from nodes are streamed too; the answer comes in chunks.
            elif isinstance(chunk[0], AIMessageChunk):
                display.answer(chunk[0].text)
    return state


@asynccontextmanager
async def _saver(thread: str) -> AsyncIterator[AsyncSqliteSaver]:
    path = threads_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
            await saver.setup()
            yield saver
    except (OSError, sqlite3.Error) as error:
        raise SetupError(
            f"the conversation {thread!r} cannot be stored in {path} ({error});"
            " make that folder writable, or omit --thread"
        ) from error


async def _bring_weights(display: Display) -> None:
    """Fetch the local model's weights, with a progress bar of their own on stderr."""
    if importlib.util.find_spec("xllamacpp") is None:
        return  # opening the model reports that, before a gigabyte is fetched in vain
    display.pause()
    threads = Threads()
    try:
        with progress_bar() as progress:
            await threads.run(lambda: ensure(progress))
    finally:
        threads.close()


def answered(state: Mapping[str, Any], *, plan_only: bool) -> bool:
    """Whether any task (or direct answer) ended ok; with `plan_only`, whether any compiled."""
    if plan_only:
        return not all(map(did_not_compile, state.get("plan", ())))
    return any(outcome["status"] == "ok" for outcome in state.get("outcomes", {}).values())
