"""How long to wait for the next chunk of a reply."""

import asyncio

from llm_compiler.models.reply import StreamedReply

REASONING_PATIENCE = 10
"""By this factor a model may exceed its silence while it reasons or sends other than text."""
_MAX_SECONDS_AFTER_END = 2.0
"""How long to wait after a reply's end: the usage comes last."""
_TURN_SECONDS = 0.01
"""After which the event loop gets a turn, however fast chunks come."""


class ReplyTimes:
    """Until when the next chunk of a reply must have come."""

    def __init__(self, silence: float) -> None:
        self._silence = silence
        self._loop = asyncio.get_running_loop()
        self.chunks_after_end = 0
        self._gave_way = self._worked = self._wrote = self._loop.time()
        self._end_by = 0.0

    @property
    def next_by(self) -> float:
        """The loop's time by which the next chunk must have come."""
        if self.chunks_after_end:
            return self._end_by
        return min(self._worked + self._silence, self._wrote + self._silence * REASONING_PATIENCE)

    @property
    def is_silent(self) -> bool:
        """Whether nothing came lately, not even reasoning."""
        return self.next_by == self._worked + self._silence

    def came(self, reply: StreamedReply, *, over: bool) -> None:
        """A chunk came. `over`: after the end."""
        now = self._loop.time()
        if reply.worked:
            self._worked = now
        if reply.wrote:
            self._wrote = now
        if not over:
            self.chunks_after_end = 0
            return
        if not self.chunks_after_end:
            self._end_by = now + _MAX_SECONDS_AFTER_END
        self.chunks_after_end += 1

    async def give_way(self) -> None:
        """Let the loop run if it has not for a while: received chunks do not yield to it."""
        if self._loop.time() - self._gave_way > _TURN_SECONDS:
            await asyncio.sleep(0)
            self._gave_way = self._loop.time()
