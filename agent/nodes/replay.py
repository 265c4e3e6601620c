"""Tells how a turn stands to the clients of a run that goes on with it."""

from collections.abc import Mapping, Sequence

from llm_compiler.language.tasks.task import Outcome, TaskData
from llm_compiler.language.tasks.task_ids import TaskId, is_instance
from llm_compiler.observability.stream_events import Events
from llm_compiler.pacing import paced
from llm_compiler.state import State, question


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
    for number in range(1, state["round"] + 1):
        tasks = [task for task in plan if task["round"] == number]
        ids = [task["id"] for task in tasks]
        last, again = number == state["round"], events.again(number)
        if number == 1:
            again.turn_start(question(state))
        async for task in paced(tasks):
            again.plan_data(task)
        again.plan_end([it for it in tasks if not is_instance(it["id"])], _program(tasks))
        async for id in paced(ids):
            if id in outcomes:
                again.task_finished(outcomes[id])
        if replanned or not last:
            again.round_end(ids, "replan", state["feedback"] if last else None, asked=True)


def _program(tasks: Sequence[TaskData]) -> str:
    """The statements of a round, without the comments between them."""
    lines = sorted(
        (it.get("line", 0), it.get("source", "")) for it in tasks if not is_instance(it["id"])
    )
    return "\n".join(dict.fromkeys(source for _, source in lines if source))
