"""One process of a turn that outlives deploys: it begins the turn, or goes on in another world.

It may be killed at any moment; it may stop at a breakpoint or leave a person's question to the
process that comes next. What it does it writes into the turn's ledger.
"""

import asyncio
import json
import os
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from random import Random
from typing import Any, Literal

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.types import Command

from llm_compiler import build_graph
from llm_compiler.language.tasks.task import is_call
from llm_compiler.mcp.config import VARIABLE
from tests.campaigns.branching import random_program
from tests.campaigns.dag import Looped, Step, random_plan
from tests.campaigns.ledger import Ledger, read
from tests.campaigns.promises import Kept
from tests.campaigns.restartable import Turn, models, saver
from tests.campaigns.worlds import SERVER, TOOLS, World

Stop = Literal["", "question", "planner", "scheduler", "joiner"]
"""Where a process stops by itself: nowhere, at a question, behind a node or before one."""
_TOOLS = (*TOOLS, "look", "browse", "browse")


@dataclass(frozen=True)
class Deployed(Turn):
    """A turn of a random plan. The same `seed` gives the same turn in every process."""

    served: bool = False
    """Whether the tools that come and go together are those of a real MCP server."""

    @property
    def looped(self) -> Looped | None:
        """Of every second turn, a plan with loops and conditions."""
        return random_program(Random(self.seed), _TOOLS) if self.seed % 2 else None

    @property
    def rounds(self) -> list[list[Step]]:
        """12 tasks; in every second turn without loops the joiner asks for a second round of 5."""
        if (looped := self.looped) is not None:
            return [looped.steps]
        random = Random(self.seed)
        first = random_plan(random, 12, tools=_TOOLS)
        again = random.random() < 1 / 2
        return [first, random_plan(random, 5, behind=first, tools=_TOOLS)] if again else [first]

    def world(self, process: int) -> tuple[World, list[str]]:
        """That of its first process, or how it has changed for a later one."""
        changes: list[str] = []
        world = World.first(Random(f"{self.seed} world"))
        if process:
            world, changes = world.changed(Random(f"{self.seed} world {process}"))
        return world.served() if self.served else world, changes

    def decision(self, id: int) -> str:
        """What its person says of a task's call, whenever asked."""
        kinds = ("approve", "approve", "approve", "edit", "reject", "reject")
        return Random(f"{self.seed} decision {id}").choice(kinds)


def run(turn: Deployed, process: int, stop: Stop, begun: Connection) -> None:
    """Go on with the turn in the world of a process, until it stops or the turn is answered."""
    begun.send(None)
    ledger = Ledger(turn.ledger)
    planned = bool(_kept(turn).rounds)
    # In another world, a plan with loops has other ids: what does not compile takes fewer.
    world, changes = turn.world(process if planned or turn.looped is None else 0)
    if not planned and len(turn.rounds) > 1:
        # So has the second plan, where the first was too long.
        world = replace(world, max_tasks=World.max_tasks)
    ledger.note("process", number=process, world=asdict(world), changes=changes, stop=stop)
    if turn.served:
        file = turn.ledger.with_suffix(".json")
        file.write_text(json.dumps(world.servers(turn.ledger)))
        os.environ[VARIABLE] = str(file)
    asyncio.run(_run(turn, world, stop, ledger))


def _kept(turn: Deployed) -> Kept:
    """What is in the store by now."""
    kept = Kept()
    for line in read(turn.ledger):
        if line["what"] in ("checkpoint", "saved"):
            kept.take(line)
    return kept


async def _run(turn: Deployed, world: World, stop: Stop, ledger: Ledger) -> None:
    config: Any = {"configurable": {"thread_id": str(turn.seed)}}
    before = ["scheduler"] if stop == "scheduler" else ["joiner"] if stop == "joiner" else None
    after = ["planner"] if stop == "planner" else None
    async with saver(turn, ledger) as store:
        planner, joiner = models(turn, ledger)
        tools = world.made(ledger, SERVER if turn.served else ())
        graph = build_graph(tools, planner=planner, joiner=joiner, checkpointer=store)
        snapshot = await graph.aget_state(config)
        ledger.note("state", outcomes=snapshot.values.get("outcomes") or {})
        given: Any = {"messages": [("user", "What?")]}
        if snapshot.created_at is not None:
            asked = [line for line in read(turn.ledger) if line["what"] in ("asked", "decided")]
            left = bool(asked) and asked[-1]["what"] == "asked"
            given = _decided(turn, asked[-1], ledger) if left else None
        while True:
            state: Any = await graph.ainvoke(
                given,
                config,
                context=world.context,
                durability=turn.durability,
                interrupt_before=before,
                interrupt_after=after,
            )
            request = next((it.value for it in state.get("__interrupt__") or ()), None)
            if request is None:
                break
            calls = [it["args"] for it in request["action_requests"]]
            ledger.note("asked", calls=calls, error=request.get("error"))
            if stop == "question":
                return
            given = _decided(turn, {"calls": calls, "error": request.get("error")}, ledger)
        snapshot = await graph.aget_state(config)
        messages = snapshot.values["messages"]
        ledger.note("state", outcomes=snapshot.values.get("outcomes") or {})
        if snapshot.next or not isinstance(messages[-1], AIMessage):
            return  # a breakpoint
        asked_for = [it["id"] for m in messages if isinstance(m, AIMessage) for it in m.tool_calls]
        ledger.note(
            "answer",
            text=messages[-1].text,
            outcomes=snapshot.values["outcomes"],
            calls=asked_for,
            paired=asked_for == [m.tool_call_id for m in messages if isinstance(m, ToolMessage)],
            plan=[it["id"] for it in snapshot.values["plan"] if is_call(it["tool"])],
        )


def _decided(turn: Deployed, asked: Any, ledger: Ledger) -> Any:
    """The person's decisions on a question."""
    decisions: list[Any] = []
    for args in asked["calls"]:
        kind = turn.decision(args["id"])
        decision: dict[str, Any] = {"type": kind}
        if kind == "edit":
            # What its tool refuses by now is approved as it is.
            decision = {"type": "approve"}
            if asked["error"] is None:
                edited = {**args, "milliseconds": args["milliseconds"] + 1}
                decision = {"type": "edit", "edited_action": {"args": edited}}
        decisions.append(decision)
    ledger.note("decided", calls=asked["calls"], decisions=decisions)
    return Command(resume={"decisions": decisions})
