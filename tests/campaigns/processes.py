"""Runs turns in processes of their own, which may be killed at any moment."""

import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.campaigns.report import Report, Say

_MEASURED = 3


def in_folder(prefix: str, say: Say, run: Callable[[Path], Report]) -> Report:
    """What `run` reports with a folder for its ledgers, which is kept if a promise broke."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    report = run(folder)
    if report.broken:
        say(f"  the ledgers are in {folder}")
    else:
        # The server of a process that was killed may still be writing.
        shutil.rmtree(folder, ignore_errors=True)
    return report


def usual_seconds(run: Callable[[], object]) -> float:
    """The median time of a few runs."""
    taken = []
    for _ in range(_MEASURED):
        began = time.monotonic()
        run()
        taken.append(time.monotonic() - began)
    return sorted(taken)[_MEASURED // 2]


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
