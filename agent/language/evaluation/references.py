"""References: `$3`, `${3}`, `$3.name`, `$3[0].url`, and `$$` for a dollar sign.

Those to instances have their ids in parentheses: `$(7[0].2)`, `$(7[0].2).name`.

A reference that is the whole of a string becomes the value itself, type kept. Inside a longer
string it becomes the value's text (JSON for objects). Substitution is one pass: text that came
out of a result is never scanned for references again.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from llm_compiler.errors import PlanError
from llm_compiler.language.evaluation.budget import Budget, ComputeError
from llm_compiler.language.evaluation.parts import part
from llm_compiler.language.tasks import task_ids
from llm_compiler.language.tasks.task import MAX_LEVELS
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.language.tasks.text_keys import with_text_keys

HARD_MAX_ARGUMENT_CHARS = 60_000_000
"""Of a task's arguments with the references filled in; parts count as characters. Without a limit,
a plan could double them from task to task."""

_CHARACTERS_PER_PART = 16
"""Of a text, for `Room`: a walk takes as long for them as for one part of a list or a dict."""

_PATH = r"(?:\.[A-Za-z_]\w*|\[(?:-?\d+|\"[^\"\]]*\"|'[^'\]]*')\])*"
PATTERN = re.compile(
    rf"\$(?:(?P<dollar>\$)|(?P<id>\d+)|\{{(?P<braced>\d+)(?P<inner>{_PATH})\}}"
    rf"|\((?P<instance>{task_ids.PATTERN})\))(?P<path>{_PATH})"
)
# `json.dumps` would make an encoder for each of a turn's many short results.
_json = json.JSONEncoder(ensure_ascii=False).encode
_SCALARS = frozenset((int, float, bool, type(None)))
_MAX_DIGITS = 9
"""Of an id."""
_STEP = re.compile(r"\.(\w+)|\[(-?\d+)\]|\[[\"'](.*?)[\"']\]")


class Reference(NamedTuple):
    """One use of a result in a task's arguments."""

    id: TaskId
    certain: bool
    """False for an unbraced `$5` in a longer string: plain text if no task has that id."""


class NoRoomError(Exception):
    """There is no room to fill the arguments in now."""


@dataclass(slots=True)
class Room:
    """How many parts may be filled in now; it gets less with each use."""

    left: int


def references(value: Any) -> Iterator[Reference]:
    """Every reference in a value as written, in reading order."""
    found: list[Reference] = []
    _collect(value, found)
    return iter(found)


def _collect(value: Any, references: list[Reference]) -> None:
    if isinstance(value, str):
        if "$" not in value:
            return
        if (id := alone(value)) is not None:
            references.append(Reference(id, certain=True))
            return
        for found in PATTERN.finditer(value):
            if not found["dollar"]:
                whole = found.end() - found.start() == len(value)
                references.append(Reference(id_of(found), whole or found["id"] is None))
    elif isinstance(value, list):
        for item in value:
            _collect(item, references)
    # Asking an abstract class takes long.
    elif type(value) not in _SCALARS and isinstance(value, Mapping):
        for key, item in value.items():
            _collect(key, references)
            _collect(item, references)


def substitute(
    value: Any,
    result_of: Callable[[TaskId], Any],
    known: Callable[[TaskId], bool],
    room: Room | None = None,
    *,
    computed: bool = False,
) -> Any:
    """Fill every reference in `value`, a task's arguments, with the result it names.

    Args:
        value: With references.
        result_of: What a reference refers to.
        known: Whether a task has this id.
        room: How much may be filled in; it is less afterwards. None if it may take its time.
        computed: Keep keys that are numbers; else they are texts, as in JSON.

    Raises:
        PlanError: a path cannot be resolved in the result, or the filled arguments would be too
            long or nested too deeply. They are not built then.
        NoRoomError: there is not enough room. It is found out before much is done.
    """
    left = HARD_MAX_ARGUMENT_CHARS if room is None else room.left
    filling = _Filling(result_of, known, left, computed=computed)
    # The arguments are an object themselves.
    filled = filling.filled(value, MAX_LEVELS + 1)
    if room is not None:
        room.left = filling.room
    return filled


def literal(value: Any) -> Any:
    """A value as a plan writes it, so that no dollar sign in it makes a reference."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {literal(key): literal(item) for key, item in value.items()}
    return [literal(item) for item in value] if isinstance(value, list) else value


def as_text(value: Any) -> str:
    """A result as it reads inside a longer string."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else _json(value)


class _Filling:
    """Fills one task's arguments, and counts their size before they are put together."""

    def __init__(
        self,
        result_of: Callable[[TaskId], Any],
        known: Callable[[TaskId], bool],
        room: int,
        *,
        computed: bool,
    ) -> None:
        self._result_of = result_of
        self._known = known
        self._remaining = HARD_MAX_ARGUMENT_CHARS
        self.room = room
        self._computed = computed

    def filled(self, value: Any, levels: int) -> Any:
        """`value` filled, where so many more levels of lists and objects may follow."""
        if isinstance(value, str):
            if "$" in value:
                return self._fill(value, levels)
            self._write(len(value))
        elif isinstance(value, list):
            self._enter(value, levels)
            return [self.filled(item, levels - 1) for item in value]
        elif type(value) not in _SCALARS and isinstance(value, Mapping):
            self._enter(value, levels)
            return {
                as_text(self.filled(key, levels - 1)): self.filled(item, levels - 1)
                for key, item in value.items()
            }
        return value

    def _fill(self, text: str, levels: int) -> Any:
        if (id := alone(text)) is not None:
            return self._whole(self._result_of(id), levels)
        whole = PATTERN.fullmatch(text)
        if whole and not whole["dollar"]:
            value = self._follow(id_of(whole), whole["inner"] or "", self._result_of(id_of(whole)))
            if not whole["braced"] or not whole["path"] or isinstance(value, dict | list):
                return self._whole(self._follow(id_of(whole), whole["path"], value), levels)

        def replacement(found: re.Match[str]) -> str:
            shown = self._replacement(found, text)
            self._write(len(shown))
            return shown

        self._write(len(text))
        return PATTERN.sub(replacement, text)

    def _whole(self, value: Any, levels: int) -> Any:
        """A result that takes the place of a whole text."""
        if type(value) in _SCALARS:
            return value
        self._weigh(value, levels)
        return value if self._computed else with_text_keys(value)

    def _replacement(self, found: re.Match[str], text: str) -> str:
        if found["dollar"]:
            return "$" + found["path"]
        if found["id"] is not None and not self._known(id_of(found)):
            return found.group()
        value = self._follow(id_of(found), found["inner"] or "", self._result_of(id_of(found)))
        if found["path"] and not isinstance(value, dict | list):
            # "It is $3.Then …", "${3}.txt": a scalar has no parts, so these are text.
            return as_text(value) + found["path"]
        value = self._follow(id_of(found), found["path"], value)
        if isinstance(value, dict | list):
            remaining = self._remaining
            self._weigh(value, MAX_LEVELS + 1)
            self._remaining = remaining  # its text counts
        negative = isinstance(value, int | float) and value < 0
        # -2 ** 2 is -4; what was meant is (-2) ** 2.
        if negative and text[found.end() :].lstrip().startswith("**"):
            return f"({as_text(value)})"
        return as_text(value)

    def _weigh(self, value: Any, levels: int) -> None:
        """Count a result that is filled in whole."""
        if isinstance(value, str):
            self._write(len(value))
        elif isinstance(value, dict | list):
            self._enter(value, levels)
            for item in value:
                self._weigh(item, levels - 1)
            for item in value.values() if isinstance(value, dict) else ():
                self._weigh(item, levels - 1)

    def _enter(self, value: Mapping[str, Any] | list[Any], levels: int) -> None:
        if not levels:
            raise PlanError(
                f"the arguments are nested more than {MAX_LEVELS} levels deep; plan flatter ones"
            )
        self._spend(len(value), len(value))

    def _follow(self, id: TaskId, path: str, value: Any) -> Any:
        if path and isinstance(value, str):  # it may be JSON
            self._spend(0, len(value) // _CHARACTERS_PER_PART)
        return _follow(id, path, value)

    def _write(self, characters: int) -> None:
        self._spend(characters, characters // _CHARACTERS_PER_PART)

    def _spend(self, characters: int, parts: int) -> None:
        self._remaining -= characters
        if self._remaining < 0:
            raise PlanError(
                f"the arguments have more than {HARD_MAX_ARGUMENT_CHARS} characters with the"
                " results filled in; refer to fewer or shorter results"
            )
        self.room -= parts
        if self.room < 0:
            raise NoRoomError


def alone(text: str) -> TaskId | None:
    """The task that a text of the most frequent form refers to: `$3`, and nothing else."""
    if not text.startswith("$"):
        return None
    digits = text[1:]
    return int(digits) if digits.isdecimal() and len(digits) <= _MAX_DIGITS else None


def id_of(found: re.Match[str]) -> TaskId:
    """The id in a match of `PATTERN`; 0 if it is too long for one."""
    if (instance := found["instance"]) is not None:
        return instance
    digits = found["id"] or found["braced"]
    return int(digits) if len(digits) <= _MAX_DIGITS else 0


def _follow(id: TaskId, path: str, value: Any) -> Any:
    """The part of a result that a path leads to, as an expression would find it."""
    budget = Budget((value,))
    for step in _STEP.finditer(path):
        name = step[1] if step[1] is not None else step[3]
        try:
            value = part(value, int(step[2]) if name is None else name, budget)
        except ComputeError:
            raise PlanError(
                f"${id}{path} cannot be resolved: {_what(value)} has no {step.group()}"
            ) from None
    return value


def _what(value: Any) -> str:
    if isinstance(value, dict):
        return f"an object with {', '.join(map(str, list(value)[:8])) or 'no keys'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return {str: "a string", bool: "true or false", type(None): "null"}.get(type(value), "a number")
