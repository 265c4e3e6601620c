"""A turn's clock counts what its runs take, and not what passes between them."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler import build_graph
from llm_compiler.clock import SYSTEM_CLOCK
from llm_compiler.run.clock import TurnClock
from tests.support.clock import FakeClock
from tests.support.scripted import ScriptedModel

THREAD: Any = {"configurable": {"thread_id": "1"}}
ASK: Any = {"messages": [("user", "What?")]}


def test_time_between_runs_is_no_time_of_the_turn() -> None:
    source = FakeClock()
    clock = TurnClock(source)
    clock.count_on(40.0)
    source.time += 5
    assert clock.seconds() == 45
    clock.count_on(10.0)  # it has counted further by itself
    assert clock.seconds() == 45
    assert clock.until(50) == 5
    assert clock.until(40) == -5
    clock.restart()
    assert clock.seconds() == 0


def test_the_system_clock_goes_forward() -> None:
    assert SYSTEM_CLOCK.now() > 1.7e9
    assert SYSTEM_CLOCK.monotonic() <= SYSTEM_CLOCK.monotonic()


async def test_a_graph_reads_the_time_from_its_clock() -> None:
    """Also a copy of it, and all that it writes: the turn's seconds and when its calls ran."""
    clock = FakeClock()

    async def work(seconds: int) -> int:
        """Work that long."""
        clock.time += seconds
        return seconds

    compiled = build_graph(
        [work],
        planner=ScriptedModel("work(40)"),
        joiner=ScriptedModel("Done."),
        checkpointer=InMemorySaver(),
    )
    compiled.clock = clock
    graph = compiled.with_config({"tags": ["copy"]})
    events = []
    async for kind, part in graph.astream(ASK, THREAD, stream_mode=["custom", "values"]):
        if kind == "custom":
            events.append((part["event"], part["seconds"]))
        else:
            state = part
    assert events[0] == ("turn.start", 0)
    assert events[-1] == ("round.end", 40)
    outcome = state["outcomes"]["1"]
    assert (outcome["started_at"], outcome["ended_at"]) == (1000, 1040)
    assert state["seconds"] == 40
