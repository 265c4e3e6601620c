"""Asks a person about calls, in the standard shape of LangGraph's human-in-the-loop requests."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from llm_compiler.errors import PlanError, ToolError
from llm_compiler.execution.jsonable import as_data
from llm_compiler.execution.tool_interrupts import Asked
from llm_compiler.language.tasks.task import MAX_LEVELS
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.observability.stream_events import Events
from llm_compiler.pacing import paced
from llm_compiler.scheduling.facts import Decision
from llm_compiler.scheduling.orders import Ask, Launch
from llm_compiler.text import clean, shortened

_DECISIONS = ("approve", "edit", "reject")


def request_of(ask: Ask, tools: Toolbox) -> Asked:
    """The question to a person about calls.

    A person is asked about the calls of tools in `approve`, and about writes that the result of a
    tool with `openWorldHint` reaches, from this turn or an earlier one, unless their tools are in
    `trusted_writes`; the description says so.

    The request is `{action_requests: [{name, args, description}], review_configs: [{action_name,
    allowed_decisions}]}`; the run is resumed with `{decisions: [...]}` in the same order, each
    `{type: "approve"}`, `{type: "edit", edited_action: {name, args}}` or
    `{type: "reject", message}`. Resumed with anything else, it asks again and says what is wrong
    under `error`.
    """
    request: dict[str, Any] = {
        "action_requests": [
            {
                "name": call.tool,
                "args": dict(call.args),
                "description": _description(call, ask, tools),
            }
            for call in ask.calls
        ],
        "review_configs": [
            {"action_name": name, "allowed_decisions": list(_DECISIONS)}
            for name in dict.fromkeys(call.tool for call in ask.calls)
        ],
    }
    calls = [{"id": it.id, "tool": it.tool, "args": dict(it.args)} for it in ask.calls]
    return Asked(request, calls=calls)


def refused(asked: Asked, error: PlanError) -> Asked:
    """The same question, which says what was wrong with the answer."""
    return replace(asked, value={**asked.value, "error": str(error)})


def decisions_of(asked: Asked, answer: Any, tools: Toolbox) -> tuple[Decision, ...]:
    """What a person decided, bound to the calls that the question was about.

    Raises:
        PlanError: the answer is none, or an edit gives a tool what it does not take.
    """
    decisions = answer.get("decisions") if isinstance(answer, Mapping) else None
    if not isinstance(decisions, Sequence) or len(decisions) != len(asked.calls):
        count = len(asked.calls)
        raise PlanError(f"resume with {{'decisions': [...]}}, one for each of the {count} calls")
    decided = zip(asked.calls, decisions, strict=True)
    return tuple(_decision(call, decision, tools) for call, decision in decided)


async def tell_waiting(events: Events, asked: Asked) -> None:
    """The events of calls that a person must decide on."""
    requests = asked.value["action_requests"]
    async for call, request in paced(zip(asked.calls, requests, strict=True)):
        events.task_waiting(call["id"], call["tool"], call["args"], request["description"])


async def tell_decided(events: Events, asked: Asked, decisions: Sequence[Decision]) -> None:
    """The events of what a person has decided."""
    async for call, it in paced(zip(asked.calls, decisions, strict=True)):
        if it.rejected is not None:
            events.task_decided(it.id, call["tool"], "rejected", reason=it.rejected)
        else:
            status: Literal["approved", "edited"] = "approved" if it.args is None else "edited"
            events.task_decided(it.id, call["tool"], status, args=it.args)


def reject_all(ask: Ask, why: str) -> tuple[Decision, ...]:
    """Reject every call, for a run that nobody can be asked in."""
    return tuple(Decision(call.id, rejected=why) for call in ask.calls)


def _description(call: Launch, ask: Ask, tools: Toolbox) -> str:
    described = f"Task {call.id}: {tools[call.tool].summary}"
    if (why := ask.why.get(call.id)) is None:
        return described
    writes = "writes" if tools[call.tool].rules.writes else "may write"
    return f"{described} (asked because it {writes} and {why})"


def _decision(call: Mapping[str, Any], decision: Any, tools: Toolbox) -> Decision:
    id, tool = call["id"], call["tool"]
    bound = partial(Decision, id, asked=(tool, call["args"]))
    given = decision if isinstance(decision, Mapping) else {"type": decision}
    match given.get("type"):
        case "approve":
            return bound()
        case "reject":
            return bound(rejected=_reason(given.get("message")))
        case "edit":
            action = given.get("edited_action")
            args = action.get("args") if isinstance(action, Mapping) else None
            if not isinstance(action, Mapping) or not isinstance(args, Mapping):
                raise PlanError("write an edit as {'edited_action': {'name': …, 'args': {…}}}")
            if action.get("name", tool) != tool:
                raise PlanError(f"an edit keeps the tool {tool!r}; reject it instead")
            args = _as_json(args)
            if tool in tools:  # else the call fails: its tool is gone
                tools[tool].check(args)
            return bound(args=args)
        case kind:
            shown = shortened(repr(kind), 60)
            raise PlanError(f"the decision {shown} is not one of {', '.join(_DECISIONS)}")


def _reason(message: Any) -> str:
    return clean(str(message or "a person rejected it"))


def _as_json(args: Mapping[Any, Any]) -> dict[str, Any]:
    """Edited arguments as JSON data, which a call is journaled with.

    Raises:
        PlanError: they hold what JSON cannot say, or are nested too deeply.
    """
    why = f"more than {MAX_LEVELS} levels"
    try:
        json.dumps(args, allow_nan=False)
        plain: dict[str, Any] = as_data(args)
    except (TypeError, ValueError, RecursionError, ToolError) as error:
        if isinstance(error, TypeError | ValueError):
            why = shortened(str(error), 100)
        raise PlanError(f"the edited arguments are not JSON data ({why}); send others") from error
    return plain
