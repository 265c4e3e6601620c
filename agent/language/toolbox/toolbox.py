"""The tools that a planner is offered."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from langchain_core.tools import BaseTool
from pydantic_core import to_jsonable_python

from llm_compiler.errors import PlanError, SetupError
from llm_compiler.language.reading.diagnostics import nearest
from llm_compiler.language.tasks.task import COMPUTE, WORDS
from llm_compiler.language.toolbox.fingerprints import fingerprint
from llm_compiler.language.toolbox.signatures import python_name
from llm_compiler.language.toolbox.tool import Tool, plain_name
from llm_compiler.language.toolbox.tool_rules import ABSENT, ToolRules

Absent = Callable[[str], str | None]
"""The reason why a tool with this name is absent, if it may exist."""
RESERVED = frozenset((COMPUTE, *WORDS))
"""Names that no tool may have: they mean something else in plans."""


class Toolbox(Mapping[str, Tool]):
    """The tools that a planner is offered, by name."""

    def __init__(self, tools: Iterable[Tool], absent: Absent = lambda name: None) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._absent = absent
        self.python_names = {python_name(name): name for name in self._tools}
        """The names of the tools by how a program writes them: `get_time` means `get-time`."""
        self.python_names |= {name: name for name in self._tools}

    def __getitem__(self, name: str) -> Tool:
        return self._tools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)

    @classmethod
    def of(cls, tools: Iterable[BaseTool]) -> "Toolbox":
        """Inspect LangChain tools.

        Raises:
            SetupError: two have the same name, or one cannot be described to a planner.
        """
        found: dict[str, Tool] = {}
        for tool in tools:
            inspected = Tool.of(tool)
            if inspected.name in found:
                raise SetupError(f"two tools are named {inspected.name!r}; rename one")
            names = [python_name(name) for name in inspected.parameters]
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise SetupError(
                    f"two parameters of {inspected.name} are both written {twice!r}; rename one"
                )
            if inspected.name in RESERVED:
                raise SetupError(
                    f"a tool is named {inspected.name!r}, a word of the plan language; rename it"
                )
            found[inspected.name] = inspected
        return cls(found.values())

    def joined(self, other: "Toolbox", absent: Absent) -> "Toolbox":
        """These tools and those of another toolbox; no two have the same name."""
        return Toolbox([*self.values(), *other.values()], absent)

    def offered(
        self,
        allow: Collection[str] | None,
        approve: Collection[str],
        trusted_writes: Collection[str] = (),
    ) -> "Toolbox":
        """The tools of one run.

        Args:
            allow: The names of the tools offered; None means all.
            approve: The tools whose calls need a person.
            trusted_writes: The tools that untrusted results may reach without a person.

        Raises:
            SetupError: no tool has one of the names, nor is a tool with that name merely absent.
        """
        allow = None if allow is None else [*map(self._named, allow)]
        approve = [*map(self._named, approve)]
        trusted_writes = [*map(self._named, trusted_writes)]
        for setting, names in (
            ("allow", allow or ()),
            ("approve", approve),
            ("trusted_writes", trusted_writes),
        ):
            for name in names:
                if name not in self and self._absent(name) is None:
                    raise SetupError(f"{setting}: no tool {name!r}; {nearest(name, self)}")
        if allow is None and not approve and not trusted_writes:
            return self
        tools = (
            _ruled(tool, asks=tool.name in approve, trusted=tool.name in trusted_writes)
            for tool in self.values()
            if allow is None or tool.name in allow
        )
        return Toolbox(tools, self._absent)

    def tool(self, name: str) -> Tool:
        """The tool with this name. Raises PlanError with the nearest name if there is none."""
        if name not in self._tools:
            raise PlanError(f"no tool {name!r}; {self.why_absent(name)}{nearest(name, self)}")
        return self._tools[name]

    def why_absent(self, name: str) -> str:
        """Why there is no tool with this name, if it may exist, as the beginning of a remedy."""
        why = self._absent(name)
        return f"{why}; " if why else ""

    def _named(self, name: str) -> str:
        """A tool's name here, where a setting has that which its tool was given."""
        return name if name in self or plain_name(name) not in self else plain_name(name)

    # The toolbox as the scheduling rules see it (`llm_compiler.scheduling.facts.Tools`).

    def rules(self, tool: str) -> ToolRules:
        return self._tools[tool].rules if tool in self._tools else ABSENT

    def check(self, tool: str, args: Mapping[str, Any]) -> str:
        checked = to_jsonable_python(self.tool(tool).check(args), serialize_unknown=True)
        return f"{tool} {fingerprint(checked)}"


def _ruled(tool: Tool, *, asks: bool, trusted: bool) -> Tool:
    """A tool as the settings of a run have it."""
    rules = tool.rules
    if asks:
        rules = replace(rules, asks=True)
    if trusted:
        rules = replace(rules, guarded=False)
    return replace(tool, rules=rules)
