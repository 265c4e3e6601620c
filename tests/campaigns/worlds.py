"""What a process is deployed with: its tools, their hints, its settings; and how that changes.

A turn is planned in one world and goes on in others.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from langchain_core.tools import BaseTool, tool

from llm_compiler import Context
from tests.campaigns import deployed_server
from tests.campaigns.dag import value
from tests.campaigns.ledger import Ledger

EFFECTS: Mapping[str, Mapping[str, bool]] = {
    "read": {"readOnlyHint": True},
    "open": {"readOnlyHint": True, "openWorldHint": True},
    "plain": {},
    "write": {"readOnlyHint": False, "destructiveHint": False},
    "destroy": {"readOnlyHint": False, "destructiveHint": True},
}
"""The hints by kind of effect; `plain` has none."""
_TRUSTED = {"readOnlyHint": False, "destructiveHint": False, "openWorldHint": False}
"""What a server's tool is that has no hints of ours."""
TOOLS = {
    "look": "read",
    "scan": "read",
    "browse": "open",
    "note": "plain",
    "mail": "write",
    "file": "write",
    "pay": "destroy",
    "wipe": "destroy",
}
SYNC = {"scan", "file", "wipe"}
SERVER = ("browse", "mail", "wipe")
"""The tools that come and go together, as those of a server do."""


@dataclass(frozen=True)
class World:
    """What one process is deployed with."""

    tools: Mapping[str, str]
    """The kind of effect of each tool."""
    more: tuple[str, ...] = ()
    """The tools that need one more argument."""
    approve: tuple[str, ...] = ()
    trusted_writes: tuple[str, ...] = ()
    allow: tuple[str, ...] | None = None
    max_tasks: int = 50

    @classmethod
    def first(cls, random: Random) -> "World":
        """One in which turns are planned."""
        names = sorted(TOOLS)
        approve = random.sample(names, random.choice((0, 1, 2)))
        trusted = random.sample(["mail", "pay"], random.choice((0, 0, 1)))
        return cls(TOOLS, approve=tuple(approve), trusted_writes=tuple(trusted))

    def changed(self, random: Random) -> tuple["World", list[str]]:
        """This world after up to three changes, and their names."""
        world, names = self, random.sample(sorted(CHANGES), random.choice((0, 1, 1, 2, 3)))
        for name in names:
            world = CHANGES[name](world, random)
        return world, names

    @property
    def context(self) -> Context:
        def known(names: tuple[str, ...]) -> tuple[str, ...]:
            # A name that no tool has is refused before anything runs.
            return tuple(name for name in names if name in self.tools)

        return Context(
            approve=known(self.approve),
            trusted_writes=known(self.trusted_writes),
            allow=None if self.allow is None else known(self.allow),
            max_tasks=self.max_tasks,
        )

    def made(self, ledger: Ledger, without: Collection[str] = ()) -> list[BaseTool]:
        """Its tools, without those that a server has."""
        return [self._made(name, ledger) for name in self.tools if name not in without]

    def served(self) -> "World":
        """This world where the tools in `SERVER` are those of a real server: none is renamed."""
        renamed = {f"{name}_2" for name in SERVER}
        return replace(self, tools={it: of for it, of in self.tools.items() if it not in renamed})

    def servers(self, ledger: Path) -> dict[str, Any]:
        """The file of MCP servers, with one that has the tools in `SERVER`, or is down."""
        names = [name for name in SERVER if name in self.tools]
        args = ["-m", deployed_server.__name__, str(ledger), *names]
        server = {
            "command": sys.executable,
            "args": args if names else ["-c", "raise SystemExit(1)"],
            "env": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            "allow": list(names or SERVER),
            "hints": {name: {**_TRUSTED, **EFFECTS[self.tools[name]]} for name in names},
        }
        return {"mcpServers": {"server": server}}

    def _made(self, name: str, ledger: Ledger) -> BaseTool:
        failed: set[int] = set()
        """Every tenth call fails once in a process, in a way that is worth a second try."""

        def begin(id: int, inputs: list[int], milliseconds: int) -> None:
            args = {"id": id, "inputs": inputs, "milliseconds": milliseconds}
            ledger.note("begin", id=id, tool=name, args=args)
            if id % 10 == 0 and id not in failed:
                failed.add(id)
                raise ConnectionError("try again")

        def end(id: int, inputs: list[int]) -> int:
            ledger.note("end", id=id)
            return value(id, inputs)

        async def wait(id: int, inputs: list[int], milliseconds: int) -> int:
            "Work for a while."
            begin(id, inputs, milliseconds)
            await asyncio.sleep(milliseconds / 1000)
            return end(id, inputs)

        def block(id: int, inputs: list[int], milliseconds: int) -> int:
            "Work for a while."
            begin(id, inputs, milliseconds)
            time.sleep(milliseconds / 1000)
            return end(id, inputs)

        async def more(id: int, inputs: list[int], milliseconds: int, reason: str) -> int:
            "Work for a while, with a reason."
            return await wait(id, inputs, milliseconds)

        function: Callable[..., Any] = block if name in SYNC else wait
        made = tool(name)(more if name in self.more else function)
        made.metadata = dict(EFFECTS[self.tools[name]])
        return made


# ── changes ───────────────────────────────────────────────────────────────────────────────────


def _without(world: World, *names: str) -> World:
    return replace(world, tools={it: of for it, of in world.tools.items() if it not in names})


def _dropped(world: World, random: Random) -> World:
    return _without(world, _one(world, random))


def _added(world: World, random: Random) -> World:
    return replace(world, tools={"extra": random.choice(sorted(EFFECTS)), **world.tools})


def _renamed(world: World, random: Random) -> World:
    name = _one(world, random)
    return replace(
        _without(world, name), tools={**_without(world, name).tools, f"{name}_2": world.tools[name]}
    )


def _hint(world: World, random: Random) -> World:
    name = _one(world, random)
    return replace(world, tools={**world.tools, name: random.choice(sorted(EFFECTS))})


def _all_hints(world: World, random: Random) -> World:
    effect = random.choice(("read", "destroy"))
    return replace(world, tools=dict.fromkeys(world.tools, effect))


def _argument(world: World, random: Random) -> World:
    return replace(world, more=(*world.more, _one(world, random)))


def _allow(world: World, random: Random) -> World:
    names = sorted(world.tools)
    return replace(world, allow=tuple(random.sample(names, random.randint(1, len(names)))))


def _approve(world: World, random: Random) -> World:
    return replace(world, approve=tuple(random.sample(sorted(TOOLS), random.randint(0, 3))))


def _forgotten(world: World, random: Random) -> World:
    return replace(world, approve=())


def _trusted(world: World, random: Random) -> World:
    return replace(world, trusted_writes=("mail", "file", "pay", "wipe"))


def _max_tasks(world: World, random: Random) -> World:
    return replace(world, max_tasks=random.randint(1, 10))


def _down(world: World, random: Random) -> World:
    return _without(world, *SERVER)


def _one(world: World, random: Random) -> str:
    return random.choice(sorted(world.tools))


CHANGES: Mapping[str, Callable[[World, Random], World]] = {
    "a tool dropped": _dropped,
    "a tool added": _added,
    "a tool renamed": _renamed,
    "a hint changed": _hint,
    "all hints changed": _all_hints,
    "an argument added": _argument,
    "allow narrowed": _allow,
    "approve changed": _approve,
    "approve forgotten": _forgotten,
    "trusted_writes widened": _trusted,
    "max_tasks lowered": _max_tasks,
    "a server down": _down,
}
