"""What the scheduling rules need to know about a tool."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

STORED = ("asks", "destructive", "direct", "guarded", "untrusted", "writes")
"""The rules that are stored with a task when it is planned, and hold from then on."""


@dataclass(frozen=True, slots=True)
class ToolRules:
    """What the scheduling rules need to know about a tool."""

    writes: bool = False
    """Its calls have effects, which happen in the order of the plan; those of others are reads."""
    domain: str = ""
    """What its calls read or write. A read without one reads no domain; writes without one share
    a domain."""
    asks: bool = False
    """A person must approve each call."""
    guarded: bool = False
    """A person must approve a call whose arguments come from an untrusted result."""
    untrusted: bool = False
    """Its results are not trusted."""
    destructive: bool = False
    """Each call is claimed before it starts, and is not retried."""
    direct: bool = False
    """Its result is the answer (LangChain's `return_direct`)."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """The most calls at once, by the name of the limit."""

    @property
    def early_start(self) -> bool:
        """Whether a call may start while its plan is still being written."""
        return not (self.writes or self.asks)

    @property
    def stored(self) -> list[str]:
        """The names of those that are stored with a task."""
        return [name for name in STORED if getattr(self, name)]

    def with_stored(self, names: Collection[str]) -> "ToolRules":
        """These, and those that held when a task was planned: no rule is lifted for it later."""
        if not names:
            return self
        held: dict[str, Any] = dict.fromkeys(names, True)
        if "destructive" in held:
            held["writes"] = True
        return replace(self, **held)


ABSENT = ToolRules(writes=True, guarded=True, untrusted=True)
"""The rules of a tool that is absent: the worst is assumed."""
