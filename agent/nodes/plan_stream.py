"""A plan while it is being written: read, compiled and passed on, task by task."""

import re
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from typing import ParamSpec

from llm_compiler.language.evaluation.references import literal
from llm_compiler.language.grammar.program_grammar import program_grammar
from llm_compiler.language.tasks.task import Refused, Task, TaskData
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.toolbox.native_calls import NativeCalls
from llm_compiler.models.errors import EmptyReplyError
from llm_compiler.nodes.plan_reader import PlanReader
from llm_compiler.observability.stream_events import ids_and_names
from llm_compiler.pacing import MANY, Pace, off_loop, paced
from llm_compiler.prompting.question_form import asks_rates, chooses, unwanted
from llm_compiler.run.resources import Round
from llm_compiler.scheduling.effects import EffectOrder, with_rules
from llm_compiler.scheduling.facts import DeadlinePassed, PlanBroke, PlanEnded, Planned
from llm_compiler.text import clean
from llm_compiler.tools.number import number
from llm_compiler.tools.search import search

P = ParamSpec("P")

_MAX_CHARS = 100_000
"""The most characters of a plan, besides `_MAX_CHARS_OF_TASK` for each task that it may have."""
_MAX_CHARS_OF_TASK = 1000
_PIECE_CHARS = 100
"""Of a plan that comes at once, what is read before the event loop may run others."""
_LONG_STATEMENT_TOKENS = 300
"""A statement that is longer is read in a thread, `_LONG_PIECE_CHARS` at a time."""
_LONG_PIECE_CHARS = 5000
_MAX_EQUAL_LINES = 2
_READING = {search.name, number.name}
"""The tools that read figures out of texts."""
_FENCED = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)


class RepeatedLines:
    """Whether a text that comes in pieces has a line more than twice, empty ones aside."""

    def __init__(self) -> None:
        self.found = False
        self._line: list[str] = []
        """The pieces of the line that is being written."""
        self._counts: Counter[str] = Counter()

    def feed(self, text: str) -> None:
        first, *others = text.split("\n")
        self._line.append(first)
        for begun in others:
            line, self._line = "".join(self._line), [begun]
            self._counts[line] += 1
            self.found |= line != "" and self._counts[line] > _MAX_EQUAL_LINES


class PlanStream:
    """The plan of a round, fed as its model writes it. After a broken stream, it starts over.

    Args:
        round: The round; its unit gets the tasks.
        plan: The tasks of earlier rounds.
        names: What the variables of earlier rounds stand for.
    """

    def __init__(self, round: Round, plan: list[TaskData], names: Mapping[str, str]) -> None:
        self.round = round
        self._taken = [id for task in plan if isinstance(id := task["id"], int)]
        self._names = names
        self._pace = Pace()
        self.first_id = max(self._taken, default=0) + 1
        self.begin()

    def begin(self) -> None:
        """A model starts to write the plan, or starts over."""
        tools, max_tasks = self.round.tools, self.round.context.max_tasks
        self._reader = PlanReader(tools, self._names, self.first_id, max_tasks)
        self._calls = NativeCalls(tools.keys())
        self._order = EffectOrder(tools, self._taken)
        self._due: deque[Task | Refused] = deque()
        """Tasks that were read and are not planned yet."""
        self._ids: list[int] = []
        self._text: list[str] = []
        self._characters = 0
        self._closed = False
        self.too_long = False
        self._lines = RepeatedLines()

    def grammar(self, asked: str = "") -> str:
        """The grammar of a plan for this question, for servers that decode under one."""
        tools = self.round.tools
        # A tool of another kind may give the rate itself.
        divides = asks_rates(asked) and tools.keys() >= _READING
        return program_grammar(tools, unwanted(asked), chooses=chooses(asked), divides=divides)

    @property
    def ended(self) -> bool:
        """Whether the plan's end was written."""
        return self._reader.ended

    @property
    def repeats(self) -> bool:
        """Whether one line was written more often than a plan has use for it."""
        return self._lines.found

    @property
    def full(self) -> bool:
        """Whether the plan has the most tasks that it may have."""
        return self._reader.full

    @property
    def names(self) -> dict[str, str]:
        """What the variables stand for, those of earlier rounds included."""
        return {**self._names, **self._reader.names}

    @property
    def program(self) -> str:
        """The plan as it was written, without a fence around it."""
        text = "".join(self._text)
        fenced = _FENCED.search(text)
        return clean(fenced[1] if fenced else text).strip("\n")

    async def feed(self, text: str) -> None:
        """Take the next text of the plan, up to the most characters that a plan may have."""
        room = _MAX_CHARS + _MAX_CHARS_OF_TASK * self.round.context.max_tasks - self._characters
        self.too_long = len(text) > room
        self._characters += len(text)
        self._lines.feed(text[:room])
        read = self._calls.feed(text[:room])
        self._text.append(read)
        await self._read(read)

    def broke(self) -> None:
        """The stream broke off: its calls are kept for the plan that follows."""
        self.round.unit.tell(PlanBroke())
        self.begin()

    async def leave_off(self) -> None:
        """The model stopped before the plan's end; a statement that is incomplete is not run."""
        await self._close_reader(cut=True)

    async def expire(self, deadline: float) -> None:
        """The deadline passed. Calls that ran for a plan that broke off are added to this plan."""
        await self.leave_off()
        await self.round.unit.caught_up()
        unclaimed = self.round.unit.schedule.unclaimed
        for call in sorted(unclaimed, key=lambda call: self._free(call.id) != call.id):
            self._plan(Task(self._free(call.id), call.tool, literal(dict(call.args))))
        self.round.unit.tell(DeadlinePassed(deadline))

    async def finish(self, model: str) -> None:
        """The stream ended.

        Raises:
            EmptyReplyError: it had no task.
        """
        await self._close_reader(cut=False)
        if not self._ids:
            why = f"the planner's model {model} wrote no task; use another model"
            raise EmptyReplyError(why, transient=True, wait=0)

    async def close(self) -> list[TaskData]:
        """End the plan; return its tasks in id order, as the state holds them."""
        await self.leave_off()
        self.round.unit.tell(PlanEnded())
        await self.round.unit.caught_up()
        binding = self.round.unit.schedule.binding
        mark, statements = uuid.uuid4().hex[:8], self._reader.statements
        written = []
        async for id in paced(sorted(self._ids)):
            task = binding.data(id, round=self.round.number, key=f"{mark}-{id}")
            if (statement := statements.get(id)) is not None:
                task["name"], task["source"] = statement.name, statement.source
            written.append(task)
        many = len(written) > MANY
        ids, names = await off_loop(many, ids_and_names, written)
        self.round.events.plan_end(ids, names, await off_loop(many, lambda: self.program))
        return written

    async def _close_reader(self, *, cut: bool) -> None:
        if not self._closed:
            self._closed = True
            self._text.append(text := self._calls.close())
            await self._read(text)
            await self._take(self._reader.close, cut=cut)
        await self._plan_read()

    async def _read(self, text: str) -> None:
        async for piece in paced(self._pieces(text), self._pace):
            await self._take(self._reader.feed, piece)

    def _pieces(self, text: str) -> Iterator[str]:
        at = 0
        while at < len(text):
            size = _LONG_PIECE_CHARS if self._is_long else _PIECE_CHARS
            yield text[at : at + size]
            at += size

    @property
    def _is_long(self) -> bool:
        return self._reader.unfinished_tokens > _LONG_STATEMENT_TOKENS

    async def _take(
        self, read: Callable[P, list[Task | Refused]], *args: P.args, **options: P.kwargs
    ) -> None:
        """Plan what the reader reads. If this is cancelled, what it has read is planned later."""

        def reading() -> None:
            self._due += read(*args, **options)

        await off_loop(self._is_long, reading)
        await self._plan_read()

    async def _plan_read(self) -> None:
        async for task in paced(_taken_from(self._due), self._pace):
            self._order.forget(self._reader.wasted)
            self._plan(task)

    def _free(self, id: TaskId) -> int:
        """`id` if it is one of the plan that no task has, else the next id after all others."""
        taken = {*self._taken, *self._ids}
        return id if isinstance(id, int) and id not in taken else max(taken, default=0) + 1

    def _plan(self, task: Task | Refused) -> None:
        task = self._order.ordered(with_rules(task, self.round.tools))
        assert isinstance(task.id, int)
        self._ids.append(task.id)
        self.round.events.plan_task(task)
        self.round.unit.tell(Planned(task))


def _taken_from(tasks: deque[Task | Refused]) -> Iterator[Task | Refused]:
    while tasks:
        yield tasks.popleft()
