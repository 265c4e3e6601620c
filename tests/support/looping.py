"""Turns whose plan has loops that a test wrote by hand into the state."""

import asyncio
from collections.abc import Sequence
from typing import Any

from langchain_core.tools import BaseTool, tool

from llm_compiler import build_graph
from llm_compiler.language.tasks.task import Task
from tests.support.scripted import ScriptedModel, until

THREAD: Any = {"configurable": {"thread_id": "1"}}
READ = {"readOnlyHint": True}
DESTROY = {"readOnlyHint": False, "destructiveHint": True}
HINTS = {"look": READ, "pay": DESTROY}


class Looping:
    """One thread, and what its processes are deployed with."""

    def __init__(self, saver: Any, *plan: Task, replans: int = 0) -> None:
        self.saver = saver
        self.began: list[tuple[str, Any]] = []
        self.ended: list[tuple[str, Any]] = []
        self.stop_at: tuple[str, Any] | None = None
        """The call that does not return."""
        self.stopped = asyncio.Event()
        self._plan = plan
        planner = ScriptedModel(*['look("first")'] * (2 + replans))
        self._models = planner, ScriptedModel(*["REPLAN: more"] * replans, *["Done."] * 3)

    def deploy(self, **hints: Any) -> Any:
        """A graph in another process."""
        planner, joiner = self._models
        tools = [self._tool(name, of) for name, of in {**HINTS, **hints}.items() if of is not None]
        return build_graph(tools, planner=planner, joiner=joiner, checkpointer=self.saver)

    async def begin(self, graph: Any) -> None:
        """Plan, and stop with the plan of the test behind the planner's call."""
        asked = {"messages": [("user", "What?")]}
        await graph.ainvoke(asked, THREAD, interrupt_before=["scheduler"])
        await self.edit(graph, [*(await self.plan(graph)), *map(entry, self._plan)])

    async def edit(self, graph: Any, plan: Sequence[Any], **more: Any) -> None:
        await graph.aupdate_state(THREAD, {"plan": [*plan], **more}, as_node="planner")

    async def plan(self, graph: Any) -> list[Any]:
        found: list[Any] = (await graph.aget_state(THREAD)).values["plan"]
        return found

    async def cut_off(self, graph: Any, input: Any, at: tuple[str, Any], *finished: str) -> None:
        """Run until a call begins that does not return, and others have finished; kill it then."""
        self.stop_at, self.stopped = at, asyncio.Event()
        missing = set(finished)

        async def run() -> None:
            async for event in graph.astream(input, THREAD, stream_mode="custom"):
                if event["event"] == "task.finished":
                    missing.discard(str(event["id"]))

        running = asyncio.create_task(run())
        await until(lambda: (self.stopped.is_set() and not missing) or running.done())
        assert not running.done(), running.exception()
        running.cancel()
        await asyncio.wait([running])
        self.stop_at = None

    def _tool(self, name: str, hints: dict[str, Any]) -> BaseTool:
        async def act(x: Any) -> Any:
            """Act."""
            self.began.append((name, x))
            if (name, x) == self.stop_at:
                self.stopped.set()
                await asyncio.Event().wait()
            self.ended.append((name, x))
            return [1, 2, 3] if x == "first" else x

        made = tool(name)(act)
        made.metadata = dict(hints)
        return made


def entry(task: Task) -> Any:
    """A task as the state has it."""
    return {**task.data(), "round": 1, "key": f"k-{task.id}"}


def ended(state: Any) -> dict[str, tuple[str, Any]]:
    """How tasks ended, by id."""
    return {
        id: (it["status"], it["value"] if it["status"] == "ok" else it["error"])
        for id, it in state["outcomes"].items()
    }
