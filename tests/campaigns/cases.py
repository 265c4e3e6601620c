"""Turns with a fault each, and what they must come to."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.tools import BaseTool, tool
from langgraph.types import Command

from llm_compiler import Context

Reply = str | tuple[str, type[Exception]]
"""What a model writes: a text, or a text and the error with which it breaks off.

A class: an error that is raised again and again would hold the frames of all its turns.
"""
Ended = Mapping[int, tuple[str, Any]]
"""By id: the status, and the value, or how the error begins."""
OK, FAILED, SKIPPED = "ok", "failed", "skipped"
ANSWER = "That is all."


class RefusedError(Exception):
    """A server refuses the key."""

    status_code = 401


@dataclass(frozen=True)
class Case:
    """A turn: what its models write, call by call, and how it ends."""

    name: str
    planner: Sequence[Reply]
    ended: Ended = field(default_factory=dict)
    joiner: Sequence[Reply] = (ANSWER,)
    context: Context = field(default_factory=Context)
    answer: str = ANSWER
    fails: bool = False
    """It ends with a `ModelError`."""
    stopped: str = ""
    """How it is broken off: "cancelled", "abandoned", "undecided"; it has no answer then."""
    approved: bool = False
    """A person approves what it asks."""


class Passing:
    """A tool whose first call with each key fails with a transient error."""

    def __init__(self) -> None:
        self._failed: set[int] = set()

    async def flaky(self, key: int) -> int:
        """Fail once."""
        if key not in self._failed:
            self._failed.add(key)
            raise ConnectionError("reset")
        self._failed.remove(key)
        return key


async def echo(value: Any) -> Any:
    """Give the value back."""
    return value


def add(a: int, b: int) -> int:
    """Add, in a thread."""
    threading.Event().wait(0.002)
    return a + b


async def boom(why: str) -> str:
    """Raise."""
    raise ValueError(why)


@tool
async def late() -> str:
    """Come too late."""
    await asyncio.Event().wait()
    return "late"


@tool
def stuck() -> str:
    """Come too late, in a thread."""
    threading.Event().wait(0.1)
    return "late"


async def hang() -> str:
    """Never return."""
    await asyncio.Event().wait()
    return ""


async def odd(kind: str) -> Any:
    """Return a value that JSON cannot express."""
    values = {
        "nan": float("nan"),
        "bytes": b"ab",
        "generator": (i for i in range(1)),
        "command": Command(goto="joiner"),
        "surrogate": "a\ud800",
        "object": object(),
        "long": "x" * 100_000,
    }
    return values[kind]


@tool
async def wipe(what: str) -> str:
    """Wipe."""
    return f"wiped {what}"


@tool
async def ask(what: str) -> str:
    """Needs a person."""
    return f"did {what}"


def tools() -> list[BaseTool | Any]:
    """All tools of the cases, with their own limits."""
    late.metadata, stuck.metadata = {"timeout": 0.03}, {"timeout": 0.02}
    wipe.metadata = {"destructiveHint": True}
    return [echo, add, boom, late, stuck, hang, odd, wipe, ask, Passing().flaky]


_SOUND = 'a = echo(1)\nb = add(a, 2)\nc = echo(f"{b}!")\nwipe(c)'
_SOUND_ENDED: Ended = {
    1: (OK, 1), 2: (OK, 3), 3: (OK, "3!"), 4: (OK, "3!"), 5: (OK, "wiped 3!"),
}  # fmt: skip

CASES = (
    Case("sound", [_SOUND], _SOUND_ENDED),
    Case("many", ["".join(f"add({i}, 1)\n" for i in range(1, 31))], {
        i: (OK, i + 1) for i in range(1, 31)
    }),
    Case("a tool raises", ["a = boom('x')\necho(a)\necho(3)"], {
        1: (FAILED, "ValueError: x"), 2: (SKIPPED, "needs 1"), 3: (OK, 3),
    }),
    Case("a tool comes too late", ["a = late()\necho(a)\nstuck()"], {
        1: (FAILED, "TimeoutError: no result within 0.03 s"), 2: (SKIPPED, "needs 1"),
        3: (FAILED, "no result within 0.02 s"),
    }, context=Context(tool_retries=0)),
    Case("odd values", ["".join(f"odd('{kind}')\n" for kind in (
        "nan", "bytes", "generator", "command", "surrogate", "object", "long"))], {
        1: (OK, "NaN"), 2: (OK, "YWI="), 3: (OK, [0]),
        4: (FAILED, "it returned a Command"), 5: (OK, "a\ufffd"),
        6: (FAILED, "it returned a value of type object"), 7: (OK, "x" * 100_000),
    }),
    Case("a tool hangs until the deadline", ["hang()\necho(2)"], {
        1: (FAILED, "the turn's deadline"), 2: (OK, 2),
    }, context=Context(deadline=1.5)),
    Case("what does not compile", [
        "a = ecco(1)\nb = echo(c)\necho(b)\nadd(1)\necho(5)\necho('cut"
    ], {
        1: (FAILED, 'line 1: no function "ecco"'), 2: (FAILED, 'line 2: no name "c"'),
        3: (SKIPPED, "needs 2"), 4: (FAILED, "line 4: add needs the argument 'b'"), 5: (OK, 5),
        6: (FAILED, "line 6: the plan was cut off"),
    }),
    Case("nothing compiles", ["ecco(1)", "echo(2)"], {
        1: (FAILED, 'line 1: no function "ecco"'), 2: (OK, 2),
    }),
    Case("a replan", ["a = echo(1)", "add(a, 1)\nboom('y')"], {
        1: (OK, 1), 2: (OK, 2), 3: (FAILED, "ValueError: y"),
    }, joiner=["REPLAN: the rest", ANSWER]),
    Case("the planner breaks off", [
        ("a = echo(1)\nec", ConnectionError), "a = echo(1)\necho(a)"
    ], {1: (OK, 1), 2: (OK, 1)}),
    Case("the planner writes nothing", ["", "echo(1)"], {1: (OK, 1)}),
    Case("the planner writes nothing ever", ["", "", ""]),
    Case("the planner is refused", [("", RefusedError)], fails=True),
    Case("the joiner breaks off", [_SOUND], _SOUND_ENDED, joiner=[
        ("", ConnectionError), ANSWER
    ]),
    Case("the joiner breaks off in its answer", [_SOUND], joiner=[
        ("That", ConnectionError)
    ], fails=True),
    Case("the joiner writes nothing", [_SOUND], _SOUND_ENDED, joiner=["", ANSWER]),
    Case("a tool fails once", ["flaky({turn})"], {1: (OK, "{turn}")}),
    Case("a direct answer", ["answer('Hello!')"], {1: (OK, "Hello!")}, answer="Hello!"),
    Case("a person approves", ["a = echo('x')\nb = ask(a)\necho(b)"], {
        1: (OK, "x"), 2: (OK, "did x"), 3: (OK, "did x"),
    }, context=Context(approve=("ask",)), approved=True),
    Case("a person says something else", ["ask('x')\nhang()"],
        context=Context(approve=("ask",), deadline=0.2), stopped="undecided"),
    Case("cancelled", [_SOUND + "\n"], stopped="cancelled"),
    Case("cancelled while a call hangs", ["hang()\n" + _SOUND], stopped="cancelled"),
    Case("abandoned", [_SOUND + "\n"], stopped="abandoned"),
)  # fmt: skip
