"""Claims: a destructive call is begun by the first who claims it."""

import asyncio
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler.execution.claims import Claims
from llm_compiler.execution.turn_records import TurnRecords
from tests.support.clock import FakeClock

ARGS = {"what": "a"}


@pytest.fixture
def saver() -> InMemorySaver:
    return InMemorySaver()


def claims(saver: Any, turn: str = "turn") -> Claims:
    return Claims(TurnRecords(saver, "thread", "", turn), FakeClock(0.0))


async def test_only_the_first_begins(saver: InMemorySaver) -> None:
    found = await asyncio.gather(*(claims(saver).claim(3, "wipe", ARGS) for _ in range(5)))
    assert found.count(None) == 1
    [other, *_] = [it for it in found if it is not None]
    assert (other.status, other.args, other.attempts) == ("failed", ARGS, 1)
    assert str(other.error).startswith("may have run: it began at 1970-01-01 00:00:00 UTC")


async def test_other_arguments_are_another_call(saver: InMemorySaver) -> None:
    assert await claims(saver).claim(3, "wipe", ARGS) is None
    assert await claims(saver).claim(3, "wipe", {"what": "b"}) is None
    assert await claims(saver).claim(3, "wipe", {"what": "b"}) is not None
    assert await claims(saver).claim(3, "wipe", ARGS) is not None


async def test_a_released_claim_is_made_again_once(saver: InMemorySaver) -> None:
    ours = claims(saver)
    assert await ours.claim(3, "wipe", ARGS) is None
    await ours.release(3)
    assert await claims(saver).claim(3, "wipe", ARGS) is None
    assert await ours.claim(3, "wipe", ARGS) is not None


async def test_nobody_releases_the_claim_of_another(saver: InMemorySaver) -> None:
    await claims(saver).claim(3, "wipe", ARGS)
    await claims(saver).release(3)
    assert await claims(saver).claim(3, "wipe", ARGS) is not None
    assert await claims(saver, turn="next").claim(3, "wipe", ARGS) is None
