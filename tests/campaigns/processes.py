"""Runs turns in processes of their own, which may be killed at any moment."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing import forkserver
from types import ModuleType
from typing import Any

import pytest


class Processes:
    """Children of a process that has imported everything, and has no threads.

    Args:
        modules: What they run.
    """

    def __init__(self, *modules: ModuleType) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["__main__", *(it.__name__ for it in modules)])
        with pytest.MonkeyPatch.context() as patch:
            # Before Python 3.13 that process imports by the environment's path, not by ours.
            patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
            forkserver.ensure_running()

    def run(self, target: Callable[..., None], *args: Any, seconds: float) -> bool:
        """Run `target(*args, begun)` for at most `seconds`; whether it had to be killed.

        The seconds count from when it sends something through `begun`.
        """
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=target, args=(*args, theirs))
        process.start()
        theirs.close()
        with ours:
            ours.recv()
            process.join(seconds)
        alive = process.exitcode is None
        if alive:
            process.kill()
        process.join()
        process.close()
        return alive
