"""Tells how a turn stands to the clients of a run that goes on with it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from llm_compiler.language.tasks.task import Outcome, TaskData
from llm_compiler.language.tasks.task_ids import TaskId, is_instance
from llm_compiler.observability.stream_events import Events, ids_and_names
from llm_compiler.pacing import MANY, off_loop, paced
from llm_compiler.state import State, question


class _Round(NamedTuple):
    tasks: Sequence[TaskData] = ()
    ids: Sequence[TaskId] = ()
    written: Sequence[TaskId] = ()
    """Those of the tasks without the instances of loops."""
    names: Mapping[str, str] = {}
    program: str = ""


_NOTHING = _Round()


async def replay(
    events: Events,
    state: State,
    plan: Sequence[TaskData],
    outcomes: Mapping[TaskId, Outcome],
    *,
    replanned: bool = False,
) -> None:
    """Tell a turn again from its beginning, as replayed events.

    Args:
        events: The events of the run.
        state: The turn's.
        plan: Its tasks, with the instances of loops.
        outcomes: Those of the tasks that have ended.
        replanned: Whether the last round has ended, with a replan.
    """
    by_round = await off_loop(len(plan) > MANY, _by_round, plan)
    for number in range(1, state["round"] + 1):
        this = by_round.get(number, _NOTHING)
        last, again = number == state["round"], events.again(number)
        if number == 1:
            again.turn_start(question(state))
        async for task in paced(this.tasks):
            again.plan_data(task)
        again.plan_end(this.written, this.names, this.program)
        async for id in paced(this.ids):
            if id in outcomes:
                again.task_finished(outcomes[id])
        if replanned or not last:
            again.round_end(this.ids, "replan", state["feedback"] if last else None, asked=True)


def _by_round(plan: Sequence[TaskData]) -> dict[int, _Round]:
    rounds: defaultdict[int, list[TaskData]] = defaultdict(list)
    for task in plan:
        rounds[task["round"]].append(task)
    found = {}
    for number, tasks in rounds.items():
        written = [it for it in tasks if not is_instance(it["id"])]
        ids = [it["id"] for it in tasks]
        found[number] = _Round(tasks, ids, *ids_and_names(written), _program(written))
    return found


def _program(written: Sequence[TaskData]) -> str:
    """The statements of a round, without the comments between them."""
    lines = sorted((it.get("line", 0), it.get("source", "")) for it in written)
    return "\n".join(dict.fromkeys(source for _, source in lines if source))
