"""A model that reads texts for the tools (`tools.Reader`)."""

from contextlib import aclosing, suppress
from dataclasses import dataclass

from langchain_core.messages import HumanMessage, SystemMessage

from llm_compiler.models.errors import CutOffError
from llm_compiler.models.model import Meter, Model, retrying

_MAX_REPLY_CHARS = 10_000


@dataclass
class Reader:
    """Answers short questions of tools with a model, and meters it."""

    model: Model
    meter: Meter

    @property
    def grammars(self) -> bool:
        """Whether its server supports grammars."""
        return self.model.profile.grammar is not None

    async def ask(
        self, system: str, user: str, *, grammar: str | None = None, max_tokens: int = 64
    ) -> str:
        """The model's reply, up to its length limit.

        Raises:
            ModelError: it gave no reply, even after retries.
        """
        messages = [SystemMessage(system), HumanMessage(user)]

        async def read() -> str:
            reply: list[str] = []
            characters = 0
            pieces = self.model.stream(
                messages,
                self.meter,
                role="reader",
                grammar=grammar,
                max_tokens=max_tokens,
                forget=reply.clear,
            )
            with suppress(CutOffError):
                async with aclosing(pieces):
                    async for piece in pieces:
                        reply.append(piece)
                        characters += len(piece)
                        if characters > _MAX_REPLY_CHARS:
                            break
            return "".join(reply)

        return await retrying()(read)
