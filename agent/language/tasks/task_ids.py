"""How tasks are named.

7            a task of the plan, counted from 1
7[0]         an instance of it: what a loop calls in its first iteration, if that is one call
7[0].2       the second task of that iteration, if it has several
7[0].2[3].1  of a loop inside the loop
7[].2        the same before the loop is gone through: a template, in the body of task 7
7[].0        in references: the item that the iteration is for
7[].total    in references: what a variable holds when the iteration begins
"""

import re
from typing import TypeGuard

TaskId = int | str
"""A number, or the text of an instance or of a template."""

PATTERN = r"[1-9]\d{0,8}(?:(?:\.[1-9]\d{0,8})?\[\d{0,9}\])+(?:\.\w{1,99})?"
"""The text of an instance or a template. In references it stands in parentheses: `$(7[0].2)`."""
_INSTANCE = re.compile(r"[1-9]\d{0,8}(?:(?:\.[1-9]\d{0,8})?\[\d{1,9}\])+(?:\.[1-9]\d{0,8})?")
_NUMBER = re.compile(r"\d+")


def is_instance(id: object) -> TypeGuard[str]:
    """Whether `id` is the text of an instance: `7[0].2`."""
    return isinstance(id, str) and _INSTANCE.fullmatch(id) is not None


def is_task(id: TaskId) -> bool:
    """Whether `id` is a task's; else it stands for the item or a variable of an iteration."""
    if isinstance(id, int) or id.endswith("]"):
        return True
    last = id.rpartition(".")[2]
    return last.isdecimal() and last != "0"


def order_of(id: TaskId) -> tuple[int, ...]:
    """The key that sorts ids as a program names them: 7, `7[0].1`, `7[0].2`, `7[1].1`, 8."""
    return (id,) if isinstance(id, int) else tuple(map(int, _NUMBER.findall(id)))


def loop_of(id: TaskId) -> TaskId | None:
    """The task whose instance `id` is: 7 for `7[0].2`, and `7[0].2` for `7[0].2[3].1`."""
    if isinstance(id, int):
        return None
    loop = id[: id.rindex("[")]
    return int(loop) if loop.isdecimal() else loop


def loops_around(id: TaskId) -> list[TaskId]:
    """The loops that an instance belongs to, the innermost first."""
    loops = []
    while (loop := loop_of(id)) is not None:
        loops.append(loop)
        id = loop
    return loops


def root_of(id: TaskId) -> tuple[int, str]:
    """The task of the plan that `id` belongs to, and the rest of it: 7 and `[0].2` for `7[0].2`."""
    if isinstance(id, int):
        return id, ""
    at = min(place for place in (id.find("["), id.find(".")) if place >= 0)
    return int(id[:at]), id[at:]


def in_iteration(id: str, loop: TaskId, index: int) -> str:
    """A template's id in one iteration of a loop: `7[0].2` for `7[].2`."""
    template = f"{loop}[]"
    return f"{loop}[{index}]{id[len(template) :]}" if id.startswith(template) else id
