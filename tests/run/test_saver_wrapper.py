"""A wrapper passes on whatever LangGraph may call."""

import copy
import inspect
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler.run.async_checkpointer import ThreadedSaver
from llm_compiler.run.run_checkpointer import RunCheckpointer
from llm_compiler.run.saver_wrapper import SaverWrapper, remember, unwrapped

CALLS = [
    name
    for name, method in inspect.getmembers(BaseCheckpointSaver, inspect.isfunction)
    # Those two are made of the others.
    if not name.startswith("_") and name not in ("get", "aget", "with_allowlist")
]
CONFIG: Any = {"configurable": {"thread_id": "1", "checkpoint_ns": "", "checkpoint_id": "c"}}
PUT: Any = (CONFIG, {"id": "c"}, {}, {})
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "put": PUT,
    "aput": PUT,
    "put_writes": (CONFIG, [("a", 1)], "task", "~path"),
    "aput_writes": (CONFIG, [("a", 1)], "task", "~path"),
}


class Recorder(InMemorySaver):
    """Takes down what is called."""

    def __init__(self, *, takes_path: bool = True) -> None:
        super().__init__()
        self.called: list[tuple[str, tuple[Any, ...]]] = []
        for name in CALLS:
            setattr(self, name, self._method(name, takes_path))

    def _method(self, name: str, takes_path: bool) -> Any:
        def note(*args: Any) -> str:
            self.called.append((name, args))
            return name

        async def anote(*args: Any) -> str:
            return note(*args)

        async def alisted(*args: Any) -> Any:
            yield note(*args)

        def puts(config: Any, writes: Any, task_id: str, task_path: str = "") -> str:
            return note(config, writes, task_id, task_path)

        async def aputs(config: Any, writes: Any, task_id: str, task_path: str = "") -> str:
            return note(config, writes, task_id, task_path)

        if takes_path and name in ("put_writes", "aput_writes"):
            return puts if name == "put_writes" else aputs
        if name == "alist":
            return alisted
        if name == "list":
            return lambda *args: [note(*args)]
        return anote if name.startswith("a") else note


async def called(saver: Any, name: str) -> Any:
    args = ARGUMENTS.get(name, ("argument",))
    found = getattr(saver, name)(*args)
    if name == "alist":
        return [it async for it in found]
    return await found if inspect.isawaitable(found) else found


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("wrapper", [SaverWrapper, RunCheckpointer])
async def test_every_method_reaches_the_saver(wrapper: Any, name: str) -> None:
    saver = Recorder()
    await called(wrapper(saver), name)
    assert saver.called == [(name, ARGUMENTS.get(name, ("argument",)))]


@pytest.mark.parametrize("name", CALLS)
async def test_every_method_of_a_sync_saver_is_called_in_a_thread(name: str) -> None:
    saver = Recorder()
    await called(ThreadedSaver(saver), name)
    own = name.removeprefix("a") if name.startswith("a") else name
    assert saver.called == [(own, ARGUMENTS.get(name, ("argument",)))]


@pytest.mark.parametrize("wrapper", [SaverWrapper, RunCheckpointer, ThreadedSaver])
def test_langgraph_sees_that_a_path_is_taken(wrapper: Any) -> None:
    of = wrapper(InMemorySaver())
    for method in (of.put_writes, of.aput_writes):
        assert "task_path" in inspect.signature(method).parameters


@pytest.mark.parametrize("wrapper", [SaverWrapper, RunCheckpointer, ThreadedSaver])
async def test_a_saver_that_takes_no_path_gets_none(wrapper: Any) -> None:
    saver = Recorder(takes_path=False)
    await wrapper(saver).aput_writes(*ARGUMENTS["aput_writes"])
    wrapper(saver).put_writes(*ARGUMENTS["put_writes"])
    assert [args for _, args in saver.called] == [ARGUMENTS["put_writes"][:3]] * 2


@pytest.mark.parametrize("wrapper", [RunCheckpointer, ThreadedSaver])
def test_an_allowlist_reaches_the_savers_serializer(wrapper: Any) -> None:
    saver = InMemorySaver()
    copied = wrapper(saver).with_allowlist({("here", "There")})
    assert isinstance(copied, wrapper)
    assert copied.serde is copied.wrapped_saver.serde
    assert copied.serde is not saver.serde
    assert unwrapped(copied) is saver


def test_other_attributes_are_the_savers() -> None:
    saver = InMemorySaver()
    wrapper = SaverWrapper(saver)
    assert wrapper.storage is saver.storage
    assert wrapper.config_specs == saver.config_specs
    assert copy.copy(wrapper).wrapped_saver is saver
    with pytest.raises(AttributeError):
        _ = wrapper.no_such_thing


def test_what_is_behind_wrappers_and_copies_is_known() -> None:
    saver = InMemorySaver()
    clone = copy.copy(saver)
    remember(saver, clone)
    assert unwrapped(RunCheckpointer(ThreadedSaver(clone))) is saver
    remember(saver, saver)
    assert unwrapped(saver) is saver
