"""Turns of test processes that share a machine, so that tests which measure time run alone."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn_to_run(folder: Path, *, alone: bool) -> Iterator[None]:
    """Wait until this process may run a test: with others, or alone.

    Whoever waits to run alone holds the door, so that no other test begins meanwhile.
    """
    folder.mkdir(exist_ok=True)
    with (folder / "door").open("w") as door, (folder / "room").open("w") as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
