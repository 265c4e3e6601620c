"""What the rules need to know of a tool."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ToolRules:
    """What the rules need to know of a tool."""

    early_start: bool = True
    shared: bool = True
    """Equal calls run once."""
    asks: bool = False
    """A person must approve each call."""
    guarded: bool = False
    """A person must approve a call whose arguments come from an untrusted result."""
    untrusted: bool = False
    """What it returns is untrusted."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Calls at once, by the name of what is limited."""


ABSENT = ToolRules(early_start=False, shared=False, guarded=True, untrusted=True)
"""The rules of a tool that is not there: the worst is assumed."""
