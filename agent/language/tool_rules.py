"""What the scheduling rules need to know about a tool."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

STORED = ("asks", "destructive", "guarded", "untrusted")
"""The rules that are stored with a task when it is planned, and hold from then on."""


@dataclass(frozen=True, slots=True)
class ToolRules:
    """What the scheduling rules need to know about a tool."""

    early_start: bool = True
    shared: bool = True
    """Equal calls run once."""
    asks: bool = False
    """A person must approve each call."""
    guarded: bool = False
    """A person must approve a call whose arguments come from an untrusted result."""
    untrusted: bool = False
    """Its results are not trusted."""
    destructive: bool = False
    """Each call is claimed before it starts, and is not retried."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """The most calls at once, by the name of the limit."""

    @property
    def stored(self) -> list[str]:
        """The names of those that are stored with a task."""
        return [name for name in STORED if getattr(self, name)]

    def with_stored(self, names: Collection[str]) -> "ToolRules":
        """These, and those that held when a task was planned: no rule is lifted for it later."""
        if not names:
            return self
        held: dict[str, Any] = dict.fromkeys(names, True)
        rules = replace(self, **held)
        writes = rules.guarded or rules.destructive
        return replace(
            rules,
            early_start=rules.early_start and not (writes or rules.asks),
            shared=rules.shared and not writes,
        )


ABSENT = ToolRules(early_start=False, shared=False, guarded=True, untrusted=True)
"""The rules of a tool that is absent: the worst is assumed."""
