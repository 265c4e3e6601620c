"""What the scheduling rules need to know about a tool."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    limits: Mapping[str, int] = field(default_factory=dict)
    """The most calls at once, by the name of the limit."""


ABSENT = ToolRules(early_start=False, shared=False, guarded=True, untrusted=True)
"""The rules of a tool that is absent: the worst is assumed."""
