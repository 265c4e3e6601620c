"""Passes the answers to questions that tools ask with LangGraph's `interrupt` to the right tool.

LangGraph distinguishes the answers for one node only by their order, but the calls of a round end
in any order. So each call gets a scratchpad of its own for its answers, and the scheduler
interrupts the run for one call after another, with each question in the journal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphInterrupt
from langgraph.types import Interrupt

from llm_compiler.langgraph_private import scratchpad_of, with_scratchpad


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of an `interrupt`."""

    value: Any
    schema: Any = None
    calls: Sequence[Mapping[str, Any]] = ()
    """The calls to decide on, each with its task's `id`, its `tool` and its `args`."""
    task: Any = None
    """The id of the task whose tool asks, if it is a tool's question."""


@dataclass
class Asking:
    """One attempt of a call that may ask questions."""

    answers: Sequence[Any] = ()
    """The answers to its first questions, in order."""
    _counted: int = field(default=0, init=False)
    _itself: bool = field(default=False, init=False)

    def into(self, config: RunnableConfig) -> RunnableConfig:
        """The node's config, with this call's answers in place of the node's."""
        if (memory := scratchpad_of(config)) is None:
            return config
        own = replace(
            memory,
            resume=list(self.answers),
            interrupt_counter=self._count,
            subgraph_counter=count().__next__,
            get_null_resume=partial(self._null, memory),
        )
        return with_scratchpad(config, own)

    def question(self, error: BaseException) -> Interrupt | None:
        """The question, if the call ended to ask one. A graph inside a tool asks by itself."""
        asked = isinstance(error, GraphInterrupt) and self._counted > len(self.answers)
        found: Interrupt | None = error.args[0][0] if asked else None
        return found

    def _count(self) -> int:
        self._itself = True
        self._counted += 1
        return self._counted - 1

    def _null(self, memory: Any, consume: bool = False) -> Any:
        """An answer that names no question: only a graph inside the tool may take it."""
        itself, self._itself = self._itself, False
        return None if itself else memory.get_null_resume(consume)
