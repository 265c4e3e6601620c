"""The span of a run: opened when its turn begins or continues, closed with how the run ended."""

from collections.abc import Iterator
from contextlib import contextmanager

from llm_compiler.observability.spans import Turn


@contextmanager
def turn_span(thread_id: object) -> Iterator[Turn]:
    """Trace and count a run, however it ends."""
    turn = Turn(thread_id)
    try:
        yield turn
    except BaseException as error:
        turn.broke_off(error)
        raise
    finally:
        turn.close()
