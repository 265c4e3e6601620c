"""Keeps the runs of one thread apart, also those of two processes: the one that began last goes on.

A checkpointer has no locks, and stores whatever it is given. So each run leaves a token beside the
thread's checkpoints before it reads them, over the token of the run before, and looks for its own
before it writes to the thread or begins a destructive call: the fencing token of distributed
systems. A run that sits in a long call looks now and then.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from llm_compiler.errors import ThreadTakenError
from llm_compiler.execution.turn_records import blank_checkpoint, place_in
from llm_compiler.redaction import one_line

_log = logging.getLogger(__name__)

WATCH_SECONDS = 2.0
"""How often a run looks that neither writes nor begins a destructive call."""
_ID = str(uuid.UUID("2f0b0d0a-6f0c-5b5e-8d43-0f1f3f0a9c55"))
"""The checkpoint that holds the token; putting it again replaces what it holds."""
_TOKEN = "llm_compiler_run"
_CLOSING_SECONDS = 5.0


class ThreadFence:
    """The fence around one thread, for one run or one change of its state.

    Args:
        saver: The checkpointer.
        thread: The thread's id.
        namespace: The checkpoint namespace that is written to.
    """

    def __init__(self, saver: BaseCheckpointSaver[Any], thread: str, namespace: str) -> None:
        self.namespace = namespace
        self._saver = saver
        self._thread = thread
        self._token = uuid.uuid4().hex  # not the run's id: a server may begin a run twice
        self._on_taken: Callable[[ThreadTakenError], None] = lambda error: None

    async def enter(self) -> None:
        """From now on, whoever entered before is kept out."""
        await self._saver.aput(self._place(), *self._content())

    def enter_blocking(self) -> None:
        """As `enter`, by the checkpointer's sync methods."""
        self._saver.put(self._place(), *self._content())

    async def check(self) -> None:
        """Return if nobody has entered since.

        Raises:
            ThreadTakenError: somebody has.
        """
        found = await self._saver.aget_tuple(self._place(_ID))
        if found is None:  # somebody has deleted the thread
            return
        token = found.metadata.get(_TOKEN)
        if token != self._token:
            error = ThreadTakenError(
                f"the thread {self._thread!r} has gone on without this run, in another process or"
                " by a change of its state; this run ends. Look at the thread before you send the"
                " message again"
            )
            self._on_taken(error)
            raise error

    @asynccontextmanager
    async def watched(
        self, on_taken: Callable[[ThreadTakenError], None], seconds: float = WATCH_SECONDS
    ) -> AsyncIterator[None]:
        """Check every few seconds; tell at once when a check, this or another, fails."""
        self._on_taken = on_taken
        ended = asyncio.Event()
        watching = asyncio.get_running_loop().create_task(self._watch(ended, seconds))
        try:
            yield
        finally:
            ended.set()  # not cancelled: some checkpointers lose their connection by that
            await asyncio.wait([watching], timeout=_CLOSING_SECONDS)
            watching.cancel()

    async def _watch(self, ended: asyncio.Event, seconds: float) -> None:
        while True:
            try:
                async with asyncio.timeout(seconds):
                    await ended.wait()
            except TimeoutError:
                try:
                    await self.check()
                except ThreadTakenError:
                    return  # `check` has told of it
                except Exception as error:
                    _log.warning("the checkpointer cannot be read: %s", one_line(error))
            else:
                return

    def _place(self, id: str | None = None) -> RunnableConfig:
        return place_in(self.namespace, self._thread, id)

    def _content(self) -> tuple[Any, Any, Any]:
        return blank_checkpoint(_ID, **{_TOKEN: self._token})
