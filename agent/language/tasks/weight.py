"""How large data are, found out in a time that is bounded however large they are."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

# The most frequent come first, since asking an abstract class takes long.
_NUMBERS = (int, float)
_TEXTS = (str, bytes, bytearray)
_OBJECTS = (dict, Mapping)
_LISTS = (list, tuple, Set)


def exceeds(values: Iterable[Any], most: int, *, characters_per_part: int = 16) -> bool:
    """Whether values have more parts than `most`, at any depth; so many characters are one.

    Of objects of classes, their attributes are looked at, and what they say is their length.
    """
    waiting = [*values]
    left = most - len(waiting)
    while waiting and left >= 0:
        value = waiting.pop()
        if value is None or isinstance(value, _NUMBERS):
            continue
        if isinstance(value, _TEXTS):
            left -= len(value) // characters_per_part
        elif isinstance(value, _OBJECTS):
            left -= 2 * len(value)
            if left >= 0:
                waiting += value
                waiting += value.values()
        elif isinstance(value, _LISTS):
            left -= len(value)
            if left >= 0:
                waiting += value
        elif isinstance(parts := getattr(value, "__dict__", None), dict):
            left -= 1 + len(parts)
            if left >= 0:
                waiting += parts.values()
        else:
            left -= _length(value)
    return left < 0


def _length(value: Any) -> int:
    """Of an array of a library, say."""
    try:
        size = getattr(value, "size", None)  # numpy's, in all dimensions
        return size if isinstance(size, int) else len(value)
    except Exception:  # it is somebody else's
        return 1
