"""Models for many turns at once: each prompt names its turn, and the turn has its script."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from pydantic import ConfigDict

from tests.campaigns.cases import Case, Reply
from tests.support.streamed_model import StreamedModel

_TURN = re.compile(r"turn (\d+)")
_PIECE = 16


def question(turn: int) -> str:
    return f"What of turn {turn}?"


class Script:
    """What is left to be said in one turn."""

    def __init__(self, case: Case) -> None:
        self.planner = list(case.planner)
        self.joiner = list(case.joiner)

    def next(self, role: Literal["planner", "joiner"]) -> Reply:
        left: list[Reply] = getattr(self, role)
        if not left:
            raise AssertionError(f"the {role} was asked once too often")
        return left.pop(0)


class Cast(StreamedModel):
    """The planner or the joiner of all turns."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    role: Literal["planner", "joiner"]
    script: Callable[[int], Script]

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        # Earlier turns of the conversation have lower numbers.
        turn = max(int(it) for message in messages for it in _TURN.findall(message.text))
        reply = self.script(turn).next(self.role)
        text, error = reply if isinstance(reply, tuple) else (reply, None)
        text = text.replace("{turn}", str(turn))
        for at in range(0, len(text), _PIECE):
            yield ChatGenerationChunk(message=AIMessageChunk(content=text[at : at + _PIECE]))
            await asyncio.sleep(0)
        if error is not None:
            raise error("x")
