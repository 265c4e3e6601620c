"""A reading model with scripted replies."""

from dataclasses import dataclass, field
from typing import Any

from langchain_core.runnables import RunnableConfig

from llm_compiler.tools import Resources


@dataclass(frozen=True)
class Asked:
    """One question that the reader was asked."""

    system: str
    user: str
    grammar: str | None
    max_tokens: int


@dataclass
class ScriptedReader:
    """Replies with `replies` in turn, and keeps what it was asked."""

    replies: list[str | Exception]
    grammars: bool = True
    questions: list[Asked] = field(default_factory=list)

    async def ask(
        self, system: str, user: str, *, grammar: str | None = None, max_tokens: int = 64
    ) -> str:
        self.questions.append(Asked(system, user, grammar, max_tokens))
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def with_resources(**resources: Any) -> RunnableConfig:
    """Return the config of a run that brings these resources."""
    return {"configurable": {"__resources": Resources(**resources)}}
