"""Lists what a run can leave behind in its process."""

import asyncio
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from llm_compiler.run.sync_bridge import LOOP_THREADS

_POOL = "asyncio_"
"""Threads of a loop's own pool: LangGraph and `asyncio.to_thread` use it, and it keeps them."""
_TOOL = "llm-compiler tool"


def tasks() -> set["asyncio.Task[Any]"]:
    """Unfinished tasks of the running loop, but the caller's, and of the sync methods' loop."""
    loops = {asyncio.get_running_loop(), *LOOP_THREADS.loops()}
    found: set[asyncio.Task[Any]] = set().union(*map(asyncio.all_tasks, loops))
    return {task for task in found if task is not asyncio.current_task()}


async def settled(seconds: float, known: Collection[Any] = ()) -> int:
    """Wait for what ends by itself; return how many tasks that were, beside those `known`.

    LangGraph writes down that a `@task` was cancelled, in tasks of this loop that nobody awaits.
    And a thread cannot be stopped: a sync tool works on until it returns.
    """
    new = tasks() - {*known}
    here = {task for task in new if task.get_loop() is asyncio.get_running_loop()}
    if here:
        await asyncio.wait(here, timeout=seconds)
    await asyncio.to_thread(_join_tool_threads, seconds)
    # A closed connection leaves the selector with the loop's next turn.
    await asyncio.sleep(0)
    return len(here)


def threads() -> set[str]:
    """Threads, but those of the loop's pool. Idle ones of tools ended with their run."""
    return {str(it) for it in threading.enumerate() if not it.name.startswith(_POOL)}


def _join_tool_threads(seconds: float) -> None:
    end = time.monotonic() + seconds
    for thread in threading.enumerate():
        if thread.name == _TOOL:
            thread.join(max(0.0, end - time.monotonic()))


class Leftovers:
    """What is there now and may stay; `found` lists what has come since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.tasks = tasks()
        self._threads = threads()
        self._files = _files()

    def found(self) -> list[str]:
        """New tasks, threads, open files, sockets, and files in the temporary folder."""
        new: Iterable[str] = (_files() - self._files).elements()
        return [
            *(f"task {it}" for it in sorted(map(str, tasks() - self.tasks))),
            *(f"thread {it}" for it in sorted(threads() - self._threads)),
            *(f"open {it}" for it in new),
            *(f"temporary file {it.name}" for it in sorted(self._folder.iterdir())),
        ]


def _files() -> Counter[str]:
    """Open files, sockets, pipes and the rest, by kind and name where the system tells."""
    process = psutil.Process()
    found = Counter(f"file {file.path}" for file in process.open_files())
    for it in process.net_connections("all"):
        found[f"socket {it.laddr} → {it.raddr} {it.status}"] += 1
    others = process.num_fds() - sum(found.values()) if psutil.POSIX else 0
    if others > 0:
        found["pipe or other descriptor"] = others
    return found


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """All temporary files of the process go to a folder of their own, which is removed."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before
