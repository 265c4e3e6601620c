"""Checks that work grows linearly with its size, in a way that works on a busy machine."""

import gc
import time
from collections.abc import Callable


def cost(work: Callable[[], object]) -> float:
    """The seconds of this thread's own time that `work` took, without those of the collector."""
    gc.collect()
    gc.disable()
    try:
        began = time.thread_time()
        kept = work()
        seconds = time.thread_time() - began
        del kept
        return seconds
    finally:
        gc.enable()


def grows_linearly(work: Callable[[int], object], small: int = 1000, large: int = 10_000) -> bool:
    """Whether ten times the size costs less than twelve times as much, in one of eight tries.

    The small work is done ten times and what it returns is kept, so that both fill the same memory.
    """
    assert large == 10 * small
    return any(
        cost(lambda: work(large)) < 1.2 * cost(lambda: [work(small) for _ in range(10)])
        for _ in range(8)
    )
