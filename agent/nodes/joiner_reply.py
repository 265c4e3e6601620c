"""The joiner's reply, read from a stream. It is shown as it arrives once it is clearly an answer.

A first line `REPLAN: what is missing` is a replan; anything else is the answer.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from langchain_core.messages.ai import UsageMetadata

from llm_compiler.language.tasks.task import ANSWER
from llm_compiler.models.errors import CutOffError, EmptyReplyError
from llm_compiler.nodes.answer_stream import AnswerStream
from llm_compiler.nodes.facts import Facts
from llm_compiler.nodes.grounding import Grounding
from llm_compiler.prompting.annotated_program import annotated_program
from llm_compiler.state import State

_REPLAN = re.compile(r"\W*REPLAN\W*:[*\s]*(?P<missing>.*)")
_BEGINS_REPLAN = re.compile(r"REPLAN[*_\s]*(?::.*)?", re.DOTALL)
_MAX_FEEDBACK_CHARS = 1000
_MAX_ANSWER_CHARS = 200_000
_MAX_SHOWN_CHARS = 1000
_LAST_RESULTS = 5
_LEFT_OUT = "The joiner's model wrote here what no result has"


class JoinerReply:
    """The joiner's reply. Nothing is shown until it is clear whether it is a replan."""

    def __init__(self) -> None:
        self.missing: str | None = None
        """What is missing, if it is a replan."""
        self.unanswered: str | None = None
        """Why the reply is no answer: what is missing, or what its model did not do."""
        self.ungrounded = ""
        """A figure or a name in the last reply that was read, which stands nowhere."""
        self._message = AnswerStream()
        self._held = ""
        self._begin(Facts())

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
        if text:
            self._message.show(text)

    def forget(self) -> None:
        """What was read until now is no part of the reply."""
        self._begin(self._facts)
        self._message.take_back()

    def end(self, usage: UsageMetadata | None) -> None:
        """The answer is complete; `usage` is what the turn has cost."""
        self._message.end(usage)

    def leave_off(self, why: str, state: State) -> None:
        """End an answer that its model did not end. If it has no text, the results stand in."""
        self.unanswered = why
        self.show(f"… ({why})" if self.began else _as_it_stands(why, state))

    def replace_ungrounded(self, state: State) -> None:
        """The results as they are, in place of what follows from `ungrounded` on."""
        self.unanswered = f'no result has "{self.ungrounded}", which the joiner\'s model wrote'
        if self.began:
            self.show("…\n\n")
        # Not a word of what was made up, neither by the joiner nor by a plan.
        own = self._facts.made_up
        results = [it for it in state["plan"] if it["tool"] != ANSWER and it["id"] not in own]
        self.show(_as_it_stands(_LEFT_OUT, {**state, "plan": results}))

    async def read(self, pieces: AsyncGenerator[str], facts: Facts) -> None:
        """Read a model's reply to its end. Nothing is shown from `ungrounded` on.

        Raises:
            EmptyReplyError: it was empty.
        """
        self._begin(facts)
        why = ""
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if self._answers:
                        self._say(piece)
                        if self._length > _MAX_ANSWER_CHARS:
                            why = f"cut off after {_MAX_ANSWER_CHARS} characters"
                            break
                        continue
                    self._held = (self._held + piece).lstrip()
                    if not _may_replan(self._held):
                        self._say(self._held)
                    elif len(self._held) > _MAX_FEEDBACK_CHARS:
                        break
        except CutOffError as error:
            why = str(error)
        if not self._answers:
            if replan := _REPLAN.match(self._held):
                missing = replan["missing"].strip()[:_MAX_FEEDBACK_CHARS]
                self.missing = missing or "the results do not answer the question"
                return
            if not self._held:
                raise EmptyReplyError("the joiner's model wrote no answer", transient=True, wait=0)
            self._say(self._held)
        self.show(self._grounding.close())
        self.ungrounded = self._grounding.violation
        if why and not self.ungrounded:
            self.show(f"… ({why})")

    def _begin(self, facts: Facts) -> None:
        """A reply begins, or begins anew."""
        self._facts = facts
        self._grounding = Grounding(facts)
        self._held = ""
        self._answers: bool = False
        self._length: int = 0
        self.ungrounded = ""

    def _say(self, text: str) -> None:
        """Take in text of an answer. Behind a violation, it is read on: it may be a thought."""
        self._answers = True
        self._length += len(text)
        self.show(self._grounding.feed(text))


def _may_replan(held: str) -> bool:
    """Whether the reply is a replan, or may still become one."""
    word = held.lstrip("*_#> ")
    return "REPLAN".startswith(word) or _BEGINS_REPLAN.fullmatch(word) is not None


def _as_it_stands(why: str, state: State) -> str:
    """An answer without a model: the reason, and the last results as they are."""
    names = state["names"]
    lines = annotated_program(state["plan"], state["outcomes"], _MAX_SHOWN_CHARS, names=names)
    return "\n".join([f"{why}. The last results:", *lines[-_LAST_RESULTS:]]) if lines else why
