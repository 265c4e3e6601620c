"""The methods of texts, lists and dicts that have no side effects."""

from collections.abc import Callable, Mapping
from typing import Any

from llm_compiler.language.evaluation.budget import ITEM, Budget, ComputeError
from llm_compiler.language.evaluation.operators import contains, equal
from llm_compiler.language.evaluation.parts import items, kind, read, shown
from llm_compiler.language.evaluation.text_format import text_of
from llm_compiler.language.tasks.text_keys import key_in

Method = Callable[..., Any]
"""Gets the budget and the value, then the arguments."""


def _plain(name: str) -> Method:
    """A text's method that makes no more than a text of its length, or as many pieces."""
    code = getattr(str, name)
    pieces = name in ("split", "rsplit", "splitlines", "partition", "rpartition")

    def call(budget: Budget, text: Any, *args: Any) -> Any:
        budget.make(len(text) * (ITEM // 2 if pieces else 2))
        try:
            made = code(text, *args)
        except (TypeError, ValueError) as error:
            raise ComputeError(f"{name} on {kind(text)}: {error}") from None
        return list(made) if isinstance(made, tuple) else made

    return call


def _join(budget: Budget, text: str, values: Any) -> str:
    texts = [text_of(value, budget) for value in items(values, budget)]
    budget.make(sum(map(len, texts)) + len(text) * len(texts))
    return text.join(texts)


def _replace(budget: Budget, text: str, old: Any, new: Any, count: Any = -1) -> str:
    if not isinstance(old, str) or not isinstance(new, str) or not isinstance(count, int):
        raise ComputeError(f"replace takes two strings, not {shown(old)} and {shown(new)}")
    found = text.count(old)
    budget.make(len(text) + found * len(new))
    return text.replace(old, new, count)


def _zfill(budget: Budget, text: str, width: Any) -> str:
    if not isinstance(width, int):
        raise ComputeError(f"zfill takes a width, not {shown(width)}")
    budget.make(len(text) + max(0, width))
    return text.zfill(width)


def _get(budget: Budget, value: dict[Any, Any], key: Any, default: Any = None) -> Any:
    if not contains(value, key, budget):
        return default
    return value[key_in(value, key)]


def _pairs(budget: Budget, value: dict[Any, Any]) -> list[Any]:
    budget.make(3 * ITEM * len(value))
    return [[name, item] for name, item in value.items()]


def _keys(budget: Budget, value: dict[Any, Any]) -> list[Any]:
    budget.make(ITEM * len(value))
    return list(value)


def _values(budget: Budget, value: dict[Any, Any]) -> list[Any]:
    budget.make(ITEM * len(value))
    return list(value.values())


def _count(budget: Budget, value: list[Any], item: Any) -> int:
    budget.step(len(value))
    return sum(equal(item, other, budget) for other in value)


def _index(budget: Budget, value: list[Any], item: Any) -> int:
    budget.step(len(value))
    for place, other in enumerate(value):
        if equal(item, other, budget):
            return place
    raise ComputeError(f"no {shown(item)} in {kind(value)}")


TEXT: Mapping[str, Method] = {
    **{
        name: _plain(name)
        for name in (
            "lower", "upper", "title", "capitalize", "casefold", "swapcase", "strip", "lstrip",
            "rstrip", "removeprefix", "removesuffix", "split", "rsplit", "splitlines", "partition",
            "rpartition", "startswith", "endswith", "find", "rfind", "index", "rindex", "count",
            "isdigit", "isalpha", "isalnum", "isnumeric", "isdecimal", "isupper", "islower",
            "isspace", "istitle",
        )
    },
    "join": _join,
    "replace": _replace,
    "zfill": _zfill,
}  # fmt: skip
DICT: Mapping[str, Method] = {"get": _get, "items": _pairs, "keys": _keys, "values": _values}
LIST: Mapping[str, Method] = {"count": _count, "index": _index}
METHODS = frozenset((*TEXT, *DICT, *LIST))
CHANGING = {
    "append": "write x = x + [item], or make the list with a comprehension",
    "extend": "write x = x + items",
    "insert": "write x = [item] + x",
    "remove": "write x = [item for item in x if …]",
    "pop": "take a part with x[-1], or the rest with x[:-1]",
    "sort": "write x = sorted(x)",
    "reverse": "write x = x[::-1]",
    "update": "write x = {**x, **more}",
    "add": "write x = x + [item]",
    "format": 'write an f-string: f"{value}"',
}
"""Methods that models use and that are not in the language, with what to write instead."""


_TABLES: dict[type, Mapping[str, Method]] = {str: TEXT, dict: DICT, list: LIST}


def method(budget: Budget, value: Any, name: str, args: list[Any]) -> Any:
    """`value.name(*args)`.

    Raises:
        ComputeError: such a value has no such method, or it takes other arguments.
    """
    holder = read(value, budget) if name in DICT else value
    table = _TABLES.get(type(holder), {})
    if name not in table:
        raise ComputeError(f"{kind(value)} has no method {name}")
    try:
        return table[name](budget, holder, *args)
    except TypeError:
        raise ComputeError(f"{name} of {kind(value)} does not take {len(args)} arguments") from None
