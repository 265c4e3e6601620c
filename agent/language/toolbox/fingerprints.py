"""Texts that are equal for equal data, and short."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import islice
from typing import Any

from llm_compiler.language.tasks.weight import exceeds

_json = json.JSONEncoder(sort_keys=True, default=str).encode
_SHORT = 2_000
"""Parts of data whose fingerprint is their JSON (`exceeds`)."""
_GROUP = 500
_PIECE = 10_000
"""Parts of a group of items that are turned into JSON at once."""
_PIECE_CHARS = 100_000


def fingerprint(data: Any) -> str:
    """The JSON of JSON data, with sorted keys; of long data a hash.

    Other threads get a turn in between: `json.dumps` lets nobody else run until it is done.
    """
    if not exceeds([data], _SHORT):
        return _json(data)
    hashed = hashlib.sha256()
    for piece in _pieces(data):
        hashed.update(piece.encode())
    return hashed.hexdigest()


def _pieces(data: Any) -> Iterator[str]:
    """What determines data; each piece says where it ends."""
    if isinstance(data, str):
        yield f"text of {len(data)}: "
        for at in range(0, len(data), _PIECE_CHARS):
            yield _json(data[at : at + _PIECE_CHARS])
    elif isinstance(data, dict):
        yield f"object of {len(data)}: "
        keys = _sorted(data)
        while some := [*islice(keys, _GROUP)]:
            yield from _group([[key, data[key]] for key in some])
    elif isinstance(data, list):
        yield f"list of {len(data)}: "
        items = iter(data)
        while some := [*islice(items, _GROUP)]:
            yield from _group(some)
    else:
        yield _json(data)


def _sorted(keys: Iterable[str]) -> Iterator[str]:
    """Sorted, some at a time."""
    coming, runs = iter(keys), []
    while some := [*islice(coming, _PIECE)]:
        runs.append(sorted(some))
    return merge(*runs)


def _group(some: list[Any]) -> Iterator[str]:
    """What determines a few items."""
    if not exceeds(some, _PIECE):
        yield _json(some)
    else:
        for item in some:
            yield from _pieces(item)
