"""What the shipped tools get from a run: the model that reads, and the folder to search.

A tool finds them in its config, so the tools themselves are plain objects without state and import
nothing from agent/.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from langchain_core.runnables import RunnableConfig

# LangGraph keeps keys that begin with `__` out of checkpoint metadata.
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
        """Return the model's reply. `grammar` may only be given if `grammars` is true."""
        ...


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What the shipped tools need from the run that they serve."""

    reader: Reader | None = None
    documents: Path | None = None

    @property
    def configurable(self) -> dict[str, object]:
        """What a run adds to the `configurable` of its calls' config."""
        return {_KEY: self}

    @classmethod
    def of(cls, config: RunnableConfig) -> "Resources":
        """Return the run's resources, or empty ones if the run has none."""
        found = config.get("configurable", {}).get(_KEY)
        return found if isinstance(found, cls) else cls()
