"""The time limit of a call: `asyncio.timeout`, and what follows if the call does not end then.

That cancels a call once and waits for it without limit. A second timer from the beginning, beside
its own, would cost every call for the few that need it.
"""

import asyncio
from collections.abc import Callable


class TimeLimit:
    """Ends what the current task does in a `with` block after some seconds, by a TimeoutError.

    Args:
        seconds: The limit.
        grace: Seconds that it has to end after that.
        overdue: Called if it has not ended then.
    """

    def __init__(self, seconds: float, grace: float, overdue: Callable[[], None]) -> None:
        self.expired = False
        self._seconds = seconds
        self._grace = grace
        self._overdue = overdue

    def __enter__(self) -> "TimeLimit":
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._timer = task.get_loop().call_later(self._seconds, self._expire)
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._timer.cancel()
        # Another cancellation may have come too: that one goes on.
        ours = self.expired and self._task.uncancel() <= self._cancelling
        if ours and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error

    def _expire(self) -> None:
        self.expired = True
        self._task.cancel()
        self._timer = self._task.get_loop().call_later(self._grace, self._overdue)
