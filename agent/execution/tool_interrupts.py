"""Questions that tools ask with LangGraph's `interrupt`, each answered to the tool that asked it.

LangGraph tells the answers of one node apart by their order alone, and calls of a round end in any
order. So a call gets a memory of its own for its answers, and it is the scheduler that interrupts
the run: for one call after another, each with its question in the journal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from llm_compiler.langgraph_private import scratchpad_of, with_scratchpad


@dataclass(frozen=True, slots=True)
class Question:
    """What the call of a task asks."""

    id: int
    value: Any
    schema: Any = None


@dataclass
class Asking:
    """One attempt of a call, which may ask."""

    answers: Sequence[Any] = ()
    """To its first questions, in their order."""
    _counted: int = field(default=0, init=False)
    _itself: bool = field(default=False, init=False)

    def into(self, config: RunnableConfig) -> RunnableConfig:
        """A node's config, with the answers of this call in place of those of the node."""
        if (memory := scratchpad_of(config)) is None:
            return config
        own = replace(
            memory,
            resume=list(self.answers),
            interrupt_counter=self._count,
            get_null_resume=partial(self._null, memory),
        )
        return with_scratchpad(config, own)

    def question(self, error: BaseException) -> Interrupt | None:
        """What it asks, if that is why it ended; a graph inside a tool asks for itself."""
        asked = isinstance(error, GraphInterrupt) and self._counted > len(self.answers)
        found: Interrupt | None = error.args[0][0] if asked else None
        return found

    def _count(self) -> int:
        self._itself = True
        self._counted += 1
        return self._counted - 1

    def _null(self, memory: Any, consume: bool = False) -> Any:
        """An answer without an address: it may be for a graph inside the tool, not for the tool."""
        itself, self._itself = self._itself, False
        return None if itself else memory.get_null_resume(consume)
