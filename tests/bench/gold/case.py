"""A gold sequence of a benchmark: its tools, its calls, and the plan that says it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from llm_compiler.language.toolbox.signatures import python_name

World = Callable[[str, Mapping[str, Any]], Any]
"""What a call of a tool returns."""


@dataclass(frozen=True)
class GoldTool:
    """A tool as a benchmark describes it."""

    name: str
    schema: Mapping[str, Any]
    """JSON schema of the arguments."""
    description: str = ""
    writes: bool = False
    domain: str = ""
    """What it reads or writes, for the order of its calls; "" for none."""

    @property
    def defaults(self) -> dict[str, Any]:
        """Of the arguments that have one."""
        properties = self.schema.get("properties", {})
        return {name: it["default"] for name, it in properties.items() if "default" in it}


@dataclass(frozen=True)
class GoldCall:
    """One call with its gold arguments, all references filled in."""

    tool: str
    args: Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One gold sequence; `unreadable` says why there is none."""

    name: str
    tools: tuple[GoldTool, ...] = ()
    calls: tuple[GoldCall, ...] = ()
    program: str = ""
    world: World = field(default=lambda tool, args: "done")
    unreadable: str = ""
    any_order: bool = False
    """Whether the order of the writes is left open."""
    more_reads: bool = False
    """Whether the plan may read more than the gold calls do."""


class Code(str):
    """An argument that is an expression, not a text."""

    __slots__ = ()


def written(value: Any) -> str:
    """A value as Python source."""
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key!r}: {written(part)}' for key, part in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return repr(value)


def call(tool: str, args: Mapping[str, Any]) -> str:
    """A call as a planner writes it that has read the tool's stub."""
    given = (f"{python_name(name)}={written(value)}" for name, value in args.items())
    return f"{python_name(tool)}({', '.join(given)})"


def flat(name: str, tools: Iterable[GoldTool], calls: Iterable[GoldCall]) -> Case:
    """A case whose calls are all literal."""
    calls = tuple(calls)
    lines = [f"r{number} = {call(it.tool, it.args)}" for number, it in enumerate(calls)]
    program = "\n".join([*lines, 'answer("Done.")'])
    return Case(name, tuple(tools), calls, program)
