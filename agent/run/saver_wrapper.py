"""A checkpointer around another one, which passes on all that LangGraph may call."""

from collections.abc import Callable
from copy import copy
from functools import wraps
from inspect import signature
from typing import Any, Self

from langgraph.checkpoint.base import BaseCheckpointSaver

WRAPPED = "wrapped_saver"
"""The attribute of a wrapper that holds what it wraps."""
METHODS = (
    "get_tuple",
    "put",
    "delete_thread",
    "delete_for_runs",
    "copy_thread",
    "prune",
    "get_delta_channel_history",
)
"""What LangGraph calls and a wrapper passes on as it is; the async ones have an `a` before."""


def _passed_on(name: str) -> Any:
    @wraps(getattr(BaseCheckpointSaver, name))
    def method(self: "SaverWrapper", *args: Any, **kwargs: Any) -> Any:
        return getattr(self.wrapped_saver, name)(*args, **kwargs)

    return method


class SaverWrapper(BaseCheckpointSaver[Any]):
    """Passes everything on; a subclass overrides what it does itself."""

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        super().__init__(serde=saver.serde)
        self.wrapped_saver = saver

    def __getattr__(self, name: str) -> Any:
        if name == WRAPPED:  # being copied, it has no attributes yet
            raise AttributeError(name)
        return getattr(self.wrapped_saver, name)

    def with_allowlist(self, extra_allowlist: Any) -> Self:
        clone = copy(self)
        clone.wrapped_saver = self.wrapped_saver.with_allowlist(extra_allowlist)
        clone.serde = clone.wrapped_saver.serde
        remember(self.wrapped_saver, clone.wrapped_saver)
        return clone

    @property
    def config_specs(self) -> list[Any]:
        return self.wrapped_saver.config_specs

    def put_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        put: Any = self.wrapped_saver.put_writes
        put(config, writes, task_id, *with_path(put, task_path))

    async def aput_writes(
        self, config: Any, writes: Any, task_id: str, task_path: str = ""
    ) -> None:
        put: Any = self.wrapped_saver.aput_writes
        await put(config, writes, task_id, *with_path(put, task_path))


for _name in ("get_next_version", "list", "alist", *METHODS, *(f"a{it}" for it in METHODS)):
    setattr(SaverWrapper, _name, _passed_on(_name))


def with_path(put_writes: Callable[..., Any], task_path: str) -> tuple[str, ...]:
    """The arguments that carry a task's path: none for a saver that is older than they are."""
    return (task_path,) if "task_path" in signature(put_writes).parameters else ()


def remember(saver: BaseCheckpointSaver[Any], clone: BaseCheckpointSaver[Any]) -> None:
    """Let `behind` find the checkpointer of which LangGraph made a copy (`with_allowlist`)."""
    if clone is not saver and not isinstance(clone, SaverWrapper):
        setattr(clone, WRAPPED, saver)


def unwrapped(saver: BaseCheckpointSaver[Any]) -> BaseCheckpointSaver[Any]:
    """The checkpointer that an application made: no copy of it, and without what is around it."""
    while (wrapped := getattr(saver, WRAPPED, None)) is not None:
        saver = wrapped
    return saver
