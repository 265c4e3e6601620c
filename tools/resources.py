"""What belongs to a run and not to a tool: the model that reads, and the folder that is searched.

A tool finds them in its config, so that the tools themselves are plain objects without state and
import nothing of agent/.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from langchain_core.runnables import RunnableConfig

# Keys that begin with `__` stay out of LangGraph's checkpoint metadata.
_KEY = "__resources"


class Reader(Protocol):
    """A model that answers short questions from a text."""

    @property
    def grammars(self) -> bool:
        """Whether its server decodes under a GBNF grammar."""
        ...

    async def ask(
        self, system: str, user: str, *, grammar: str | None = None, max_tokens: int = 64
    ) -> str:
        """Return the model's reply. `grammar` is only given where `grammars` is true."""
        ...


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What the shipped tools need from the run that they serve."""

    reader: Reader | None = None
    documents: Path | None = None

    @property
    def configurable(self) -> dict[str, object]:
        """What a run puts into the `configurable` of its calls' config."""
        return {_KEY: self}

    @classmethod
    def of(cls, config: RunnableConfig) -> "Resources":
        """Return the run's resources, or empty ones where the run brought none."""
        found = config.get("configurable", {}).get(_KEY)
        return found if isinstance(found, cls) else cls()
