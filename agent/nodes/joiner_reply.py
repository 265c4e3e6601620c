"""The joiner's reply, read from a stream. It is shown as it arrives once it is clearly an answer.

A first line `REPLAN: what is missing` is a replan; anything else is the answer.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from llm_compiler.models.errors import CutOffError, EmptyReplyError
from llm_compiler.nodes.answer_stream import AnswerStream
from llm_compiler.prompting.result_lines import results
from llm_compiler.state import State

_REPLAN = re.compile(r"\W*REPLAN\W*:[*\s]*(?P<missing>.*)")
_BEGINS_REPLAN = re.compile(r"REPLAN[*_\s]*(?::.*)?", re.DOTALL)
_MAX_FEEDBACK_CHARS = 1000
_MAX_ANSWER_CHARS = 200_000
_LAST_RESULTS = 5


class JoinerReply:
    """The joiner's reply. Nothing is shown until it is clear whether it is a replan."""

    def __init__(self) -> None:
        self.missing: str | None = None
        """What is missing, if it is a replan."""
        self._message = AnswerStream()
        self._held = ""

    @property
    def id(self) -> str:
        return self._message.id

    @property
    def text(self) -> str:
        return self._message.text

    @property
    def began(self) -> bool:
        """Whether any part of the answer was shown."""
        return self._message.began

    def show(self, text: str) -> None:
        """Add text to the answer and show it."""
        self._message.show(text)

    def forget(self) -> None:
        """What was read until now is no part of the reply."""
        self._held = ""
        self._message.take_back()

    def end(self) -> None:
        """The answer is complete."""
        self._message.end()

    def leave_off(self, why: str, state: State) -> None:
        """End an answer that its model did not end. If it has no text, the results stand in."""
        self.show(f"… ({why})" if self.began else _as_it_stands(why, state))

    async def read(self, pieces: AsyncGenerator[str]) -> None:
        """Read a model's reply to its end.

        Raises:
            EmptyReplyError: it was empty.
        """
        self._held, why = "", ""
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if self.began:
                        self.show(piece)
                        if len(self.text) > _MAX_ANSWER_CHARS:
                            why = f"cut off after {_MAX_ANSWER_CHARS} characters"
                            break
                        continue
                    self._held = (self._held + piece).lstrip()
                    if _may_replan(self._held):
                        if len(self._held) > _MAX_FEEDBACK_CHARS:
                            break
                    elif self._held:
                        self.show(self._held)
        except CutOffError as error:
            why = str(error)
        if self.began:
            if why:
                self.show(f"… ({why})")
            return
        if replan := _REPLAN.match(self._held):
            missing = replan["missing"].strip()[:_MAX_FEEDBACK_CHARS]
            self.missing = missing or "the results do not answer the question"
        elif self._held:
            self.show(self._held)
        else:
            raise EmptyReplyError("the joiner's model wrote no answer", transient=True, wait=0)


def _may_replan(held: str) -> bool:
    """Whether the reply is a replan, or may still become one."""
    word = held.lstrip("*_#> ")
    return "REPLAN".startswith(word) or _BEGINS_REPLAN.fullmatch(word) is not None


def _as_it_stands(why: str, state: State) -> str:
    """An answer without a model: the reason, and the last results as they are."""
    lines = results(state["plan"], state["outcomes"], _MAX_FEEDBACK_CHARS)[-_LAST_RESULTS:]
    return "\n".join([f"{why}. The last results:", *lines]) if lines else why
