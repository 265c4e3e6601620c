"""Which ready task starts next: slots, limits, and the longest path of waiting tasks first.

A task whose limit is full is parked there, so that it is looked at again only when a call of that
limit has ended, and not whenever a slot is free.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from llm_compiler.language.tasks.task_ids import TaskId, order_of
from llm_compiler.scheduling.critical_path import Heights
from llm_compiler.scheduling.steps import EVERY, Steps

Limits = Mapping[str, int]
"""The most calls at once, by the name of the limit."""
_Entry = tuple[int, tuple[int, ...], TaskId]
"""The height, negative so that the highest comes first, the place in the program, and the id."""


@dataclass(slots=True)
class _Ready:
    call: int
    limits: Limits
    height: int
    """That of its entry; entries with another are stale."""


class ReadyQueue:
    """The tasks that wait for a slot, and the calls that have one.

    Args:
        max_parallel: The most calls at once.
        heights: The longest path of waiting tasks behind each task.
    """

    def __init__(self, max_parallel: int, heights: Heights) -> None:
        self.running: dict[int, Limits] = {}
        """The calls that have a slot."""
        self._max_parallel = max_parallel
        self._heights = heights
        self._ready: dict[TaskId, _Ready] = {}
        self._heap: list[_Entry] = []
        self._parked: defaultdict[str, list[_Entry]] = defaultdict(list)
        self._used: Counter[str] = Counter()

    @property
    def idle(self) -> bool:
        """Nothing runs, and nothing waits for a slot."""
        return not self.running and not self._ready

    def __iter__(self) -> Iterator[TaskId]:
        """The tasks that wait for a slot."""
        return iter(self._ready)

    def add(self, id: TaskId, call: int, limits: Limits) -> None:
        """Queue a task up."""
        height = self._heights[id]
        self._ready[id] = _Ready(call, limits, height)
        heappush(self._heap, _entry(height, id))

    def start(self) -> Iterator[TaskId | None]:
        """Fill the free slots; yield the tasks whose calls start, and None after other steps."""
        free = self._max_parallel - len(self.running)
        if not free or not self._heap:
            return
        if len(self._ready) > free or any(self._parked.values()):
            yield from self._rank()
        looked_at = 0
        while self._heap and len(self.running) < self._max_parallel:
            looked_at += 1
            if looked_at % EVERY == 0:
                yield None
            entry = heappop(self._heap)
            if self._is_stale(entry):
                continue
            id = entry[2]
            ready = self._ready[id]
            if ready.limits and (full := self._full(ready.limits)):
                heappush(self._parked[full], entry)
                continue
            del self._ready[id]
            self.running[ready.call] = ready.limits
            for name in ready.limits:
                self._used[name] += 1
            yield id

    def release(self, call: int) -> None:
        """A call has ended, or was cancelled: others may take its slot."""
        limits = self.running.pop(call)
        for name in limits:
            self._used[name] -= 1
            parked = self._parked[name]
            # A stale entry wakes nothing, and those behind it would wait forever.
            while parked and self._is_stale(parked[0]):
                heappop(parked)
            if parked:
                heappush(self._heap, heappop(parked))

    def forget(self, ids: Container[TaskId]) -> None:
        """Drop tasks without starting them; rank the others again."""
        self._ready = {id: ready for id, ready in self._ready.items() if id not in ids}
        self._parked.clear()
        for id, ready in self._ready.items():
            ready.height = self._heights[id]
        self._heap = [_entry(ready.height, id) for id, ready in self._ready.items()]
        heapify(self._heap)

    def clear(self) -> None:
        """Drop all tasks without starting them. Running calls continue."""
        self._ready.clear()

    def validate(self) -> None:
        """Check slots, limits and entries against each other.

        Raises:
            AssertionError: they disagree, or a slot is free although a task could start.
        """
        assert len(self.running) <= self._max_parallel, f"{len(self.running)} calls run at once"
        used = Counter(name for limits in self.running.values() for name in limits)
        assert used == +self._used, f"{+self._used} is counted and {used} used"
        for limits in self.running.values():
            over = {name for name, most in limits.items() if used[name] > most}
            assert not over, f"more calls than allowed run at once: {over}"
        free = self._max_parallel - len(self.running)
        queued = Counter(entry[2] for entry in self._heap if not self._is_stale(entry))
        assert not free or not queued, f"{list(queued)} could start in {free} free slots"
        for entries in self._parked.values():
            live = [entry[2] for entry in entries if not self._is_stale(entry)]
            if free:
                held = all(self._full(self._ready[id].limits) for id in live)
                assert held, f"parked though no limit holds them: {live}"
            queued.update(live)
        once = dict.fromkeys(self._ready, 1)
        assert queued == once, f"{dict(queued)} are queued and {once} ready"

    def _rank(self) -> Steps:
        raised = yield from self._heights.rank()
        for number, id in enumerate(raised & self._ready.keys()):
            self._ready[id].height = height = self._heights[id]
            heappush(self._heap, _entry(height, id))
            if number % EVERY == EVERY - 1:
                yield

    def _full(self, limits: Limits) -> str:
        """The name of a limit that is reached; "" if none is."""
        return next((name for name, most in limits.items() if self._used[name] >= most), "")

    def _is_stale(self, entry: _Entry) -> bool:
        ready = self._ready.get(entry[2])
        return ready is None or ready.height != -entry[0]


def _entry(height: int, id: TaskId) -> _Entry:
    return -height, order_of(id), id
