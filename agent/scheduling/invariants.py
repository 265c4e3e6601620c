"""What must hold between the tasks, the ready queue and the calls, whatever has happened."""

from collections.abc import Collection, Mapping

from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.scheduling.conditions import is_met
from llm_compiler.scheduling.ready_queue import ReadyQueue
from llm_compiler.scheduling.shared_calls import SharedCalls
from llm_compiler.scheduling.task_record import NO_CALL, TaskRecord


def validate(records: Mapping[TaskId, TaskRecord], queue: ReadyQueue, calls: SharedCalls) -> None:
    """Raises AssertionError if they disagree. Each is valid by itself."""
    for record in records.values():
        if record.state not in NO_CALL:
            _validate_calling(record, queue, calls)
    ready = {id for id, record in records.items() if record.state == "ready"}
    assert set(queue) == ready, f"{set(queue)} are queued and {ready} ready"
    for number in queue.running:
        assert number in calls.known, f"the forgotten call {number} runs"
        assert calls.known[number].launched_for is not None, (
            f"call {number} runs and was not launched"
        )
        assert not calls.known[number].ended, f"call {number} runs and has ended"
    for number, call in calls.known.items():
        assert records.keys() >= set(call.owners), f"call {number} is for {call.owners}"
        states = [records[id].state for id in call.owners]
        if call.ended:
            assert set(states) <= {"settled"}, f"call {number} ended and its tasks are {states}"
        elif not call.owners:
            assert number in queue.running, f"call {number} was kept and neither runs nor ended"
        elif "settled" in states:
            assert set(states) == {"settled"}, f"the tasks of call {number} are {states}"
            assert number not in queue.running, f"call {number} runs and its tasks have ended"


def _validate_calling(record: TaskRecord, queue: ReadyQueue, calls: SharedCalls) -> None:
    """A task that has a call and no outcome yet."""
    call = record.call
    assert call is not None, f"{record} has no call"
    assert calls.known.get(call.number) is call, f"{record} has the forgotten call {call.number}"
    assert not call.ended, f"{record} goes on though call {call.number} has ended"
    assert record.id in call.owners, f"call {call.number} is for {call.owners}, not for {record}"
    first = call.owners[0] == record.id
    assert first == (record.state != "sharing"), f"{record} in a call of {call.owners}"
    if first:
        runs = call.number in queue.running
        assert runs == (record.state == "running"), f"{record} though call {call.number} {runs=}"


def validate_needs(
    records: Mapping[TaskId, TaskRecord], dependants: Mapping[TaskId, Collection[TaskId]]
) -> None:
    """Raises AssertionError if a task's state disagrees with what it needs, or who notifies it."""
    for id, record in records.items():
        record.validate()
        assert record.id == id, f"task {record.id} is stored under {id}"
        if record.state == "waiting" or (record.state == "asked" and record.unmet):
            _validate_waiting(record, records, dependants)
        elif record.state == "looping":
            _validate_looping(record, records, dependants)
        elif record.state != "settled":
            _validate_met(record, records)


def _validate_waiting(
    record: TaskRecord,
    records: Mapping[TaskId, TaskRecord],
    dependants: Mapping[TaskId, Collection[TaskId]],
) -> None:
    needs = [*record.first_needs, *(record.later_needs if record.untaken else ())]
    ended = [need for need in needs if need in records and records[need].outcome is not None]
    unmet = len(needs) - len(ended)
    assert record.unmet == unmet > 0, f"{record} counts {record.unmet} of {unmet} unmet needs"
    if not (record.untaken or record.lacking):
        data = [records[need] for need in ended if need in record.data]
        assert all(is_met(record, it) for it in data), f"{record} waits though a need is not ok"
    for need in {*needs} - {*ended}:
        assert record.id in dependants[need], f"{need} will not notify {record}"


def _validate_looping(
    record: TaskRecord,
    records: Mapping[TaskId, TaskRecord],
    dependants: Mapping[TaskId, Collection[TaskId]],
) -> None:
    loop = record.loop
    needs = [*record.later_needs, *(() if loop is None else loop.tasks)]
    open_needs = [it for it in needs if it not in records or records[it].outcome is None]
    unmet = len(open_needs) + (loop is None or not loop.complete)
    assert record.unmet == unmet > 0, f"{record} counts {record.unmet} of {unmet} unmet needs"
    for need in open_needs:
        assert record.id in dependants[need], f"{need} will not notify {record}"


def _validate_met(record: TaskRecord, records: Mapping[TaskId, TaskRecord]) -> None:
    for need in record.first_needs:
        known = records.get(need)
        if record.earlier and (known is None or not known.earlier):
            continue  # the plan of the need may have broken off since
        if record.state in ("asked", "filling") and need not in record.data:
            continue  # it may be rejected, or have ended before, though it comes after a failure
        ok = known is not None and is_met(record, known)
        assert ok, f"{record} is {record.state} and its need {need} is not ok"
