"""Two processes on one thread: the one that began last goes on, and the other says so."""

import asyncio
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from llm_compiler.round_messages import ABANDONED
from tests.support.rival import Rival

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PLAN = "step(0.7)\nwiped = wipe('x')\nstep(1.5, wiped)"
TAKEN = "ThreadTakenError"


class Process:
    """A rival in a process of its own."""

    def __init__(self, kind: str, address: str, ledger: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.rival", kind, address, str(ledger)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ledger = ledger

    def ready(self) -> "Process":
        self.answer()
        return self

    def send(self, **order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """How its last order ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        return line if line == "ready" else json.loads(line)

    def do(self, **order: Any) -> Any:
        self.send(**order)
        return self.answer()

    def begun(self, thread: str) -> list[str]:
        """What has begun in a thread, in any process."""
        lines = self._ledger.read_text().splitlines() if self._ledger.exists() else []
        return [name for of, name in map(json.loads, lines) if of == thread]

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def started() -> Iterator[dict[str, tuple[Process, Process]]]:
    """The processes that were started, by their checkpointer: importing LangGraph takes long."""
    started: dict[str, tuple[Process, Process]] = {}
    yield started
    for both in started.values():
        for process in both:
            process.end()


@pytest.fixture(params=["sqlite", "postgres", "sync sqlite"])
def two(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    started: dict[str, tuple[Process, Process]],
) -> tuple[Process, Process]:
    kind = request.param
    if kind not in started:
        folder = tmp_path_factory.mktemp("rivals")
        address = request.getfixturevalue("postgres") if kind == "postgres" else str(folder / "db")
        first, second = (Process(kind, address, folder / "ledger") for _ in range(2))
        started[kind] = first.ready(), second.ready()
    return started[kind]


@pytest.fixture
def thread() -> str:
    return uuid.uuid4().hex


def wait_for(true: Callable[[], bool]) -> None:
    while not true():
        time.sleep(0.02)


def one_won(
    thread: str, two: tuple[Process, Process], ended: list[Any], last: tuple[str, ...] = ("Done.",)
) -> Any:
    """Check that one process went on, and that the thread is sound; return its state."""
    errors = [it for it in ended if "error" in it]
    assert [it["error"] for it in errors] == [TAKEN], (ended, two[0].begun(thread))
    assert "has gone on without this run" in errors[0]["line"]
    state = two[0].do(do="look", thread=thread)
    assert state["texts"][-1] in last
    assert two[0].begun(thread).count("x") <= 1  # never a second time
    answered = two[1].do(do="message", text="Next?", thread=thread, plan="step(0)")
    assert answered == {"answer": "Done."}
    return state


def both(two: tuple[Process, Process], *orders: dict[str, Any]) -> list[Any]:
    for process, order in zip(two, orders, strict=True):
        process.send(**order)
    return [process.answer() for process in two]


@pytest.mark.parametrize("id", ["m", None])
@pytest.mark.parametrize("run", [{}, {"run": "0198"}])
def test_the_same_message_at_once(
    two: tuple[Process, Process], thread: str, id: str | None, run: dict[str, str]
) -> None:
    order = {"do": "message", "thread": thread, "id": id, "plan": PLAN, **run}
    ended = both(two, order, order)
    state = one_won(thread, two, ended)
    assert two[0].begun(thread).count("x") == 1
    # Without an id, one that comes when the other is stored is another message, and closes it.
    closed = state["texts"].count(ABANDONED)
    assert closed == 0 or (closed == 1 and id is None)
    assert state["texts"].count("What?") == 1 + closed


def test_the_same_decision_at_once(two: tuple[Process, Process], thread: str) -> None:
    asks = {"thread": thread, "asks": ["wipe"]}
    assert two[0].do(do="message", plan=PLAN, **asks) == {"asked": True}
    one_won(thread, two, both(two, {"do": "approve", **asks}, {"do": "approve", **asks}))
    assert two[0].begun(thread).count("x") == 1


def test_a_decision_and_a_new_message_at_once(two: tuple[Process, Process], thread: str) -> None:
    asks = {"thread": thread, "asks": ["wipe"]}
    assert two[0].do(do="message", plan=PLAN, **asks) == {"asked": True}
    message = {"do": "message", "text": "Other?", "plan": "step(1)"}
    # It may go on with the new message, and then plans for it.
    decision = {"do": "approve", "plan": "step(1)", **asks}
    ended = both(two, decision, {**message, "thread": thread})
    # A decision that comes when the message has just closed its turn finds nothing to decide on.
    one_won(thread, two, ended, last=("Done.", "Other?", ABANDONED))


@pytest.mark.parametrize(
    ("two", "plan", "stalls"),
    [
        ("sqlite", "step(60)", None),
        ("postgres", "step(60)", None),
        ("sync sqlite", "step(60)", None),
        ("sqlite", "block(15)", None),
        ("sqlite", "wipe('x', 60)", None),
        ("sqlite", "step(0)\n", "planner"),
        ("sqlite", "step(0)", "joiner"),
    ],
    indirect=["two"],
)
def test_a_run_that_waits_learns_within_seconds_that_it_is_over(
    two: tuple[Process, Process], thread: str, plan: str, stalls: str | None
) -> None:
    two[0].send(do="message", thread=thread, plan=plan, stalls=stalls)
    wait_for(lambda: two[0].begun(thread) != [])
    ended = two[1].do(do="message", text="Other?", thread=thread, plan="step(0)")
    began = time.monotonic()
    one_won(thread, two[::-1], [two[0].answer(), ended])
    assert time.monotonic() - began < 8


def test_a_run_that_a_server_begins_again_takes_over_from_itself(
    two: tuple[Process, Process], thread: str
) -> None:
    plan = "wiped = wipe('x', 60)\nstep(0, wiped)"
    order = {"do": "message", "thread": thread, "id": "m", "plan": plan, "run": "0199"}
    two[0].send(**order)
    wait_for(lambda: two[0].begun(thread) == ["x"])
    ended = two[1].do(**order)
    state = one_won(thread, two[::-1], [two[0].answer(), ended])
    assert two[0].begun(thread).count("x") == 1
    assert state["outcomes"]["1"]["error"].startswith("may have run: it began at ")
    assert state["texts"].count("What?") == 1


async def test_two_graphs_on_two_loops_of_one_process(tmp_path: Path) -> None:
    """Checkpointers of their own, so that they do not wait for each other."""
    path, ledger = str(tmp_path / "db"), tmp_path / "ledger"
    order = {"do": "message", "thread": "1", "id": "m", "plan": PLAN}
    ended: list[Any] = []
    with SqliteSaver.from_conn_string(path) as sync_saver:
        sync_saver.setup()

        def sync_run() -> None:
            graph = Rival(sync_saver, ledger).graph(order)
            try:
                state = graph.invoke(
                    {"messages": [("user", "What?")]}, {"configurable": {"thread_id": "1"}}
                )
                ended.append({"answer": state["messages"][-1].text})
            except Exception as error:
                ended.append({"error": type(error).__name__, "line": str(error)})

        running = threading.Thread(target=sync_run)
        running.start()
        async with AsyncSqliteSaver.from_conn_string(path) as saver:
            rival = Rival(saver, ledger)
            ended.append(await rival.run(order))
            await asyncio.to_thread(running.join)
            assert sorted(it.get("error", "") for it in ended) == ["", TAKEN]
            assert ledger.read_text().count('"x"') == 1
            state = await rival.run({"do": "look", "thread": "1"})
            assert state["texts"][-1] == "Done."
