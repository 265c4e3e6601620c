"""What must hold between the tasks, the ready queue and the calls, whatever has happened."""

from collections.abc import Mapping

from llm_compiler.language.task_ids import TaskId
from llm_compiler.scheduling.ready_queue import ReadyQueue
from llm_compiler.scheduling.shared_calls import SharedCalls
from llm_compiler.scheduling.task_record import TaskRecord


def validate(records: Mapping[TaskId, TaskRecord], queue: ReadyQueue, calls: SharedCalls) -> None:
    """Raises AssertionError if they disagree. Each is valid by itself."""
    for record in records.values():
        if record.state not in ("waiting", "computing", "settled"):
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
