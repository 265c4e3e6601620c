"""What changes a list or a dict in place: methods, parts that are assigned, and `del`.

Only blocks of statements have them (blocks.py), on lists and dicts of their own.
"""

import ast
from collections.abc import Callable, Mapping
from typing import Any

from llm_compiler.language.evaluation.budget import ITEM, Budget, ComputeError
from llm_compiler.language.evaluation.functions import FUNCTIONS, as_key
from llm_compiler.language.evaluation.operators import equal
from llm_compiler.language.evaluation.parts import items, kind, shown
from llm_compiler.language.evaluation.sets import distinct, include
from llm_compiler.language.tasks.text_keys import key_in

_ABSENT = object()


def _append(budget: Budget, xs: list[Any], item: Any) -> None:
    budget.make(ITEM)
    xs.append(item)


def _extend(budget: Budget, xs: list[Any], more: Any) -> None:
    added = items(more, budget)
    budget.make(ITEM * len(added))
    xs += [*added]


def _insert(budget: Budget, xs: list[Any], place: Any, item: Any) -> None:
    budget.make(ITEM)
    budget.step(len(xs) // 100)
    xs.insert(place, item)


def _remove(budget: Budget, xs: list[Any], item: Any) -> None:
    if not _discard(budget, xs, item):
        raise ComputeError(f"no {shown(item)} in {kind(xs)}")


def _discard(budget: Budget, xs: list[Any], item: Any) -> bool:
    budget.step(len(xs))
    place = next((n for n, other in enumerate(xs) if equal(item, other, budget)), None)
    if place is not None:
        del xs[place]
    return place is not None


def _pop(budget: Budget, xs: list[Any], place: Any = -1) -> Any:
    if not isinstance(place, int) or not -len(xs) <= place < len(xs):
        raise ComputeError(f"no [{shown(place)}] in {kind(xs)}")
    return xs.pop(place)


def _sort(budget: Budget, xs: list[Any], **named: Any) -> None:
    xs[:] = FUNCTIONS["sorted"].code(budget, xs, **named)


def _reverse(budget: Budget, xs: list[Any]) -> None:
    xs.reverse()


def _add(budget: Budget, xs: list[Any], item: Any) -> None:
    include(xs, item, budget)


def _update(budget: Budget, xs: list[Any], *more: Any) -> None:
    """Of a set."""
    for it in more:
        xs[:] = distinct([*xs, *items(it, budget)], budget)


def _clear(budget: Budget, value: Any) -> None:
    value.clear()


def _put_all(budget: Budget, d: dict[Any, Any], more: Any = (), **named: Any) -> None:
    for key, value in FUNCTIONS["dict"].code(budget, more, **named).items():
        put(budget, d, key, value)


def _setdefault(budget: Budget, d: dict[Any, Any], key: Any, default: Any = None) -> Any:
    key = _known(d, key)
    if key not in d:
        budget.make(ITEM)
    return d.setdefault(key, default)


def _take(budget: Budget, d: dict[Any, Any], key: Any, default: Any = _ABSENT) -> Any:
    key = _known(d, key)
    if key not in d and default is _ABSENT:
        remove(budget, d, key)
    return d.pop(key, default)


def put(budget: Budget, holder: Any, key: Any, value: Any) -> None:
    """`holder[key] = value`."""
    if isinstance(holder, dict):
        budget.make(ITEM)
        holder[_known(holder, key)] = value
    elif isinstance(holder, list) and isinstance(key, int) and -len(holder) <= key < len(holder):
        holder[key] = value
    else:
        raise ComputeError(f"{kind(holder)} has no [{shown(key)}] that can be assigned")


def remove(budget: Budget, holder: Any, key: Any) -> None:
    """`del holder[key]`."""
    known = _known(holder, key) if isinstance(holder, dict) else key
    try:
        del holder[known]
    except (TypeError, KeyError, IndexError):
        raise ComputeError(f"no {shown(key)} in {kind(holder)}") from None


def _known(d: dict[Any, Any], key: Any) -> Any:
    return key_in(d, as_key(key))


_LIST: Mapping[str, Callable[..., Any]] = {
    "append": _append,
    "extend": _extend,
    "insert": _insert,
    "remove": _remove,
    "pop": _pop,
    "sort": _sort,
    "reverse": _reverse,
    "clear": _clear,
    "add": _add,
    "discard": _discard,
    "update": _update,
}
_DICT: Mapping[str, Callable[..., Any]] = {
    "update": _put_all,
    "setdefault": _setdefault,
    "pop": _take,
    "clear": _clear,
}
CHANGING = frozenset((*_LIST, *_DICT))
"""The methods that change what they belong to."""
WITH_VALUE = frozenset(("pop", "setdefault"))
"""Those that have a value, too."""


def is_list(value: ast.expr) -> bool:
    """Whether a value is a list as written: what is added by `+=` is in all names of the list."""
    return isinstance(value, ast.List | ast.ListComp)


def change(
    budget: Budget, holder: Any, name: str, args: list[Any], named: Mapping[str, Any]
) -> Any:
    """`holder.name(*args, **named)`.

    Raises:
        ComputeError: such a value has no such method, or it takes other arguments.
    """
    table = _LIST if isinstance(holder, list) else _DICT if isinstance(holder, dict) else {}
    if name not in table:
        raise ComputeError(f"{kind(holder)} has no method {name}")
    try:
        return table[name](budget, holder, *args, **named)
    except TypeError:
        raise ComputeError(
            f"{name} of {kind(holder)} does not take these arguments; write them as in Python"
        ) from None
