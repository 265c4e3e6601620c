"""Questions from the command line: runs the graph, shows its events, asks the person."""

import importlib.util
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.tools import BaseTool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command, Interrupt, StateSnapshot

from llm_compiler.cli.display import Display
from llm_compiler.cli.store import MEMORY, move_to_file, opened, threads_file, unfinished
from llm_compiler.context import Context
from llm_compiler.errors import SetupError
from llm_compiler.execution.tool_threads import Threads
from llm_compiler.graph import build_graph
from llm_compiler.language.recompile import PROSE
from llm_compiler.language.tasks.task import ANSWER, did_not_compile, is_pure
from llm_compiler.models.choice import LOCAL, ROLES, chosen
from llm_compiler.models.local.obtain import ensure
from llm_compiler.models.local.progress import progress_bar
from llm_compiler.run.compiled_graph import LLMCompiler

Decide = Callable[[Any], Any]
"""Shows a request to a person; returns the answer, or None if nobody can be asked."""
_MODES = ["custom", "messages", "values"]


@dataclass(frozen=True)
class Turn:
    """How a turn ended, or where it stopped."""

    state: dict[str, Any]
    undecided: Sequence[Interrupt] = ()
    """What a person must decide before it can go on."""


@dataclass(frozen=True)
class Session:
    """A conversation, and what it is answered with."""

    graph: LLMCompiler
    tools: list[BaseTool] | None
    context: Context
    thread: str
    saver: AsyncSqliteSaver
    stored: bool
    """Whether it outlives this process."""

    @property
    def _config(self) -> Any:
        return {"configurable": {"thread_id": self.thread}}

    async def snapshot(self) -> StateSnapshot:
        """Its state as it is stored."""
        return await self.graph.aget_state(self._config)

    async def ask(self, question: str | None, display: Display, decide: Decide) -> Turn:
        """Run a question, or what there is of an unfinished turn, to its end.

        Raises:
            SetupError: something is missing, or a folder is not writable.
            ModelError: a model gave no usable reply.
        """
        await self._prepare(display)
        options = {"context": self.context, "stream_mode": _MODES}
        input: Any = None if question is None else {"messages": [("user", question)]}
        state = await self._stream(self.graph, input, self._config, options, display)
        while interrupts := state.pop("__interrupt__", []):
            display.pause()
            answers = {}
            for asked in interrupts:
                if (answer := decide(asked.value)) is None:
                    return Turn(state, interrupts)
                answers[asked.id] = answer
            display.begin("continuing")
            resume: Any = Command(resume=answer if len(answers) == 1 else answers)
            state = await self._stream(self.graph, resume, self._config, options, display)
        return Turn(state)

    async def plan(self, question: str, display: Display) -> Turn:
        """Plan a question without running it. The plan is not stored in the conversation."""
        await self._prepare(display)
        earlier = (await self.snapshot()).values.get("messages", [])
        input = {"messages": [*earlier, ("user", question)]}
        options = {"context": self.context, "stream_mode": _MODES}
        options["interrupt_before"] = ["scheduler"]
        return Turn(await self._stream(build_graph(self.tools), input, {}, options, display))

    async def store(self) -> bool:
        """Store a conversation that was not to be stored, so that it can go on later; whether it
        is stored: a setting may forbid it."""
        file = threads_file()
        if file == MEMORY:
            return False
        if not self.stored:
            await move_to_file(self.saver, file)
        return True

    async def _prepare(self, display: Display) -> None:
        if any(chosen(role, vars(self.context).get)[0] == LOCAL for role in ROLES):
            await _bring_weights(display)
            display.begin("starting the local model")

    async def _stream(
        self, graph: LLMCompiler, input: Any, config: Any, options: dict[str, Any], display: Display
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
async def session(
    context: Context, tools: list[BaseTool] | None, thread: str, *, stored: bool
) -> AsyncIterator[Session]:
    """Open a conversation, stored in the user's file or in memory.

    Raises:
        SetupError: the file cannot be opened, or a tool cannot be used.
    """
    file = threads_file() if stored else MEMORY
    async with opened(file) as saver:
        graph = build_graph(tools, checkpointer=saver)
        yield Session(graph, tools, context, thread, saver, file != MEMORY)


async def check_unfinished(session: Session) -> None:
    """Raises SetupError if the conversation has nothing to go on with."""
    snapshot = await session.snapshot()
    if not snapshot.values:
        raise SetupError(f"there is no thread {session.thread!r}; see `llm-compiler threads`")
    if not unfinished(snapshot):
        raise SetupError(f"thread {session.thread!r} has nothing unfinished; ask it a question")


def answered(state: dict[str, Any], display: Display, *, plan_only: bool) -> bool:
    """Whether the turn has an answer; with `plan_only`, whether any statement compiled.

    A reply that only says what is missing, or that nothing succeeded, is none.
    """
    if plan_only:
        return not all(map(did_not_compile, state.get("plan", ())))
    rounds = display.report.rounds
    if rounds and rounds[-1].feedback is not None:
        return False
    outcomes = [it for it in state.get("outcomes", {}).values() if it["tool"] != PROSE]
    # Arithmetic alone is no success where everything that it was for has failed.
    tried = [it["status"] for it in outcomes if not is_pure(it["tool"]) or it["tool"] == ANSWER]
    return "ok" in tried or all(it["status"] == "ok" for it in outcomes)


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
