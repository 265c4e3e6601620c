"""The instances of loops in the state: entries of the plan, each behind its loop."""

from collections.abc import Sequence

from llm_compiler.language.tasks.task import Refused, TaskData
from llm_compiler.language.tasks.task_ids import is_instance, order_of, root_of
from llm_compiler.scheduling.schedule import Schedule


def with_instances(plan: Sequence[TaskData], schedule: Schedule) -> list[TaskData]:
    """A plan that has run, with the instances that its loops have made."""
    written = {task["id"]: task for task in plan}
    found = [task for task in plan if not is_instance(task["id"])]
    for id, record in schedule.records.items():
        if not is_instance(id):
            continue
        root, rest = root_of(id)
        if isinstance(record.task, Refused) and id in written:
            found.append(written[id])
            continue
        loop = written[root]
        found.append(schedule.binding.data(id, round=loop["round"], key=f"{loop['key']}{rest}"))
    return sorted(found, key=lambda task: order_of(task["id"]))
