"""The door through which a node reads the state: whatever a client wrote there is mended.

Anyone who may update a thread may write anything there, and its values outlive the code that wrote
them. What can be mended is mended silently: a number that came as a string, a missing key, a
tuple. Where that would hide a mistake, the task in question fails, and its outcome says why; so
the joiner and the user learn of it. No value makes the thread's next message fail.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Command, StateUpdate

from llm_compiler.pacing import MANY, off_loop
from llm_compiler.run.stored_outcomes import mended_outcomes
from llm_compiler.run.stored_plan import mended_plan
from llm_compiler.run.stored_values import is_data, text_of, whole
from llm_compiler.state import RoleUsage, State, asked_by
from llm_compiler.text import clean
from llm_compiler.thread_messages import check_messages, mended_messages

_LONG = ("plan", "outcomes", "names", "round")
"""What may be long, and the round that the tasks must fit."""
_MAX_SECONDS = 10**9
_MAX_TOKENS = 2**53
"""Sums of many of them stay within 64 bits."""


def mended(values: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> State:
    """The state made from a checkpointer's values, with every key and well-formed.

    Sound values are returned as they are: the same objects, not to be changed.

    Args:
        values: What is stored by key.
        known: A sound state: values that are the same object there are not checked again.
    """
    round = _round(values.get("round"), values.get("plan"))
    if _is_known(values, known):
        plan, outcomes, names = values["plan"], values["outcomes"], values.get("names") or {}
    else:
        plan, errors = mended_plan(values.get("plan"), max(round, 1), values.get("outcomes"))
        outcomes = mended_outcomes(values.get("outcomes"), plan, errors)
        names = _names(values.get("names"))
    state: State = {
        "messages": mended_messages(values.get("messages")),
        "plan": plan,
        "outcomes": outcomes,
        "names": names,
        "round": round,
        "feedback": _feedback(values.get("feedback")),
        "usage": _usage(values.get("usage")),
        "seconds": _seconds(values.get("seconds")),
    }
    turn = values.get("turn")
    # A state that was stored before there was a turn has none, and its replan continues.
    state["turn"] = asked_by(state) if turn is None else text_of(turn)
    return cast(State, {**values, **state})


async def read_state(values: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> State:
    """As `mended`; a plan that nothing is known of, and many messages, are read in a thread."""
    messages = values.get("messages")
    many = isinstance(messages, list) and len(messages) > MANY
    long = values.get("plan") and not _is_known(values, known)
    return await off_loop(bool(many or long), mended, values, known)


def _is_known(values: Mapping[str, Any], known: Mapping[str, Any] | None) -> bool:
    return known is not None and all(values.get(key) is known.get(key) for key in _LONG)


def repairs(values: Mapping[str, Any], state: State) -> dict[str, Any]:
    """The parts of a state that were mended, to be stored; the reducer mends stored messages."""
    return {
        key: value
        for key, value in state.items()
        if key != "messages" and value is not values.get(key)
    }


def check_input(saver: Any, given: Any) -> None:
    """Check a run's input before it begins: an error later would come after calls have run.

    Raises:
        ValueError: it is empty, its messages cannot be read, or the checkpointer cannot store it.
    """
    if isinstance(given, Command):
        if given.resume is None and not given.update and not given.goto:
            raise ValueError("this Command is empty; give it what to resume with")
        check_messages(given.update)
        _check_storable(saver, [given.update, given.resume])
    else:
        check_messages(given)


def check_updates(saver: Any, supersteps: Iterable[Iterable[StateUpdate]]) -> None:
    """Check what is written into a thread, of which LangGraph would store a part.

    Raises:
        ValueError: its messages cannot be read, or the checkpointer cannot store it.
    """
    for superstep in supersteps:
        for update in superstep:
            check_messages(update.values)
            _check_storable(saver, update.values)


def _check_storable(saver: Any, value: Any) -> None:
    if not isinstance(saver, BaseCheckpointSaver):
        return
    try:
        saver.serde.dumps_typed(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"no checkpointer can store this: {error}; send JSON data") from error


def _round(value: Any, plan: Any) -> int:
    """Rounds begun; those of the tasks if the state does not say."""
    if (round := whole(value)) is not None:
        return round
    if not isinstance(plan, list | tuple):
        return 0 if plan is None else 1
    rounds = (task.get("round") for task in plan if isinstance(task, Mapping))
    return max((whole(round) or 1 for round in rounds), default=1 if plan else 0)


def _names(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    names = {k: v for k, v in value.items() if is_data(k, 0) and is_data(v, 0)}
    names = {k: v for k, v in names.items() if isinstance(k, str) and isinstance(v, str)}
    return cast(dict[str, str], value) if value == names else names


def _feedback(value: Any) -> str | None:
    return None if value is None else text_of(value)


def _usage(value: Any) -> dict[str, RoleUsage]:
    if not isinstance(value, Mapping):
        return {}
    usage = {
        clean(str(role)): RoleUsage(
            calls=_tokens(of.get("calls")),
            input=_tokens(of.get("input")),
            output=_tokens(of.get("output")),
        )
        for role, of in value.items()
        if isinstance(of, Mapping)
    }
    sound = value == usage and all(type(n) is int for of in value.values() for n in of.values())
    return cast(dict[str, RoleUsage], value) if sound else usage


def _tokens(value: Any) -> int:
    number = _number(value)
    return 0 if number is None else int(min(max(number, 0), _MAX_TOKENS))


def _seconds(value: Any) -> float:
    if type(value) is float and 0 <= value < _MAX_SECONDS:
        return value
    number = _number(value)
    return number if number is not None and 0 <= number < _MAX_SECONDS else 0.0


def _number(value: Any) -> float | None:
    """A finite number; a form sends it as a string."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
