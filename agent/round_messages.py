"""A round in the chat protocol, and the end of a turn that was abandoned."""

import hashlib
import re
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, ToolMessage

from llm_compiler.language.evaluation.excerpts import excerpt
from llm_compiler.language.tasks.task import OutcomeData, TaskData, is_call
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.text import truncated

ABANDONED = "This question was not answered: another message came first."
"""Takes the place of the answer in a turn that was abandoned."""
UNTRUSTED: dict[str, Any] = {"openWorldHint": True}
"""The mark of an untrusted result, in the `response_metadata` of its message."""


def untrusted(messages: Iterable[BaseMessage], tools: Collection[str] = ()) -> bool:
    """Whether one of the messages is an untrusted result, or an answer made where one was read.

    That is what its mark says. A result without one, which another agent found, is untrusted if it
    is of one of `tools`, whose results are.
    """
    return any(
        UNTRUSTED.items() <= it.response_metadata.items()
        or (isinstance(it, ToolMessage) and it.name in tools)
        for it in messages
    )


def call_mark(turn: str, round: int, messages: Sequence[BaseMessage], namespace: str = "") -> str:
    """What sets the calls of a round apart from those of others, also of its own earlier runs.

    `namespace` is that of a subgraph: two of them may be asked by one message.
    """
    told = f"{turn} {round} {len(messages)} {namespace}".rstrip()
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def call_id(mark: str, id: Any) -> str:
    """The id of a task's call in the chat protocol."""
    if isinstance(id, int):
        return f"call_{mark}_{id}"
    # Providers take letters, digits, "_" and "-" alone.
    return f"call_{mark}_{re.sub(r'[^0-9]+', '_', str(id)).rstrip('_')}"


def round_messages(
    plan: Sequence[TaskData],
    outcomes: Mapping[str, OutcomeData],
    max_chars: int,
    *,
    mark: str,
    untrusted: Collection[TaskId] = (),
    name: str | None = None,
) -> list[AnyMessage]:
    """The plan's calls, directly followed by their results, each truncated to `max_chars`.

    What tools say beside their results follows. `mark` is that of the round (`call_mark`).

    Results of the tasks in `untrusted` are marked as untrusted; `name` is who calls.
    """
    plan = [task for task in plan if is_call(task["tool"])]
    if not plan:
        return []
    calls = [
        {"name": task["tool"], "args": task["args"], "id": call_id(mark, task["id"])}
        for task in plan
    ]
    # The state would give each message an id, on the event loop.
    fresh = uuid.uuid4()
    ids = (f"{fresh}-{number}" for number in count())
    answers: list[AnyMessage] = []
    said: list[AnyMessage] = []
    for task in plan:
        outcome = outcomes[str(task["id"])]
        status, is_ok = outcome["status"], outcome["status"] == "ok"
        trust = UNTRUSTED if task["id"] in untrusted else {}
        text = f"{status}: {outcome['error']}"
        if is_ok:
            text = excerpt(outcome["value"], max_chars)
        answers.append(
            ToolMessage(
                truncated(text, max_chars, "max_result_chars"),
                tool_call_id=call_id(mark, task["id"]),
                name=task["tool"],
                status="success" if is_ok else "error",
                response_metadata=trust,
                artifact=outcome.get("artifact"),
                id=next(ids),
            )
        )
        texts = (outcome.get("command") or {}).get("messages", ())
        said += (
            AIMessage(text, response_metadata=trust, name=name, id=next(ids)) for text in texts
        )
    return [AIMessage("", tool_calls=calls, name=name, id=next(ids)), *answers, *said]
