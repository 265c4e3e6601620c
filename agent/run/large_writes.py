"""Turns large data into bytes in a thread, before a checkpointer would do so on the event loop."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from llm_compiler.language.tasks.weight import exceeds
from llm_compiler.run.saver_wrapper import SaverWrapper, remember

_LARGE = 10_000
"""Parts of what is turned into bytes in a thread (`exceeds`)."""


class LargeWrites:
    """Writes to a checkpointer, of which some may be large."""

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        self.of = saver
        self._known = _Known(saver.serde)
        self._copy = copy(saver)
        self._copy.serde = self._known
        remember(saver, self._copy)

    @asynccontextmanager
    async def saver(
        self, values: Sequence[Any], whole: Any = None
    ) -> AsyncIterator[BaseCheckpointSaver[Any]]:
        """The checkpointer by which values are stored, the large ones of which are bytes already.

        Args:
            values: What is stored.
            whole: What they are all in: some checkpointers store that at once.
        """
        large = [value for value in values if exceeds([value], _LARGE)]
        # A wrapper's checkpointer is called from threads.
        if not large or isinstance(self.of, SaverWrapper):
            yield self.of
            return
        if whole is not None and self._known.takes_whole is not False:
            large = [whole] if self._known.takes_whole else [*large, whole]
        try:
            for value in large:
                await asyncio.to_thread(self._known.keep, value)
            yield self._copy
            if whole is not None and self._known.takes_whole is None:
                self._known.takes_whole = False
        finally:
            for value in large:
                self._known.forget(value)


class _Known:
    """A serializer that knows the bytes of some objects."""

    def __init__(self, serde: Any) -> None:
        self._serde = serde
        self._found: dict[int, tuple[Any, tuple[str, bytes]]] = {}
        self.takes_whole: bool | None = None
        """Whether it is asked for checkpoints as a whole, if that is known."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._serde, name)

    def keep(self, value: Any) -> None:
        self._found[id(value)] = value, self._serde.dumps_typed(value)

    def forget(self, value: Any) -> None:
        self._found.pop(id(value), None)

    def dumps_typed(self, value: Any) -> tuple[str, bytes]:
        if isinstance(value, dict) and "channel_values" in value:
            self.takes_whole = True
        if (found := self._found.get(id(value))) is not None:
            return found[1]
        made: tuple[str, bytes] = self._serde.dumps_typed(value)
        return made
