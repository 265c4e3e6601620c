"""Templates: what a loop's body says with `7[].2` in it, compiled once, filled for each iteration.

Only ids and references are filled in, never plain text that looks like them.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from llm_compiler.language.lowering.names import written_reference
from llm_compiler.language.tasks.task import EACH
from llm_compiler.language.tasks.task_ids import PATTERN, TaskId

Rename = Callable[[str], TaskId]
"""What a template's id is in an iteration."""
Fill = Callable[[Rename], Any]

_SLOT = re.compile(rf"\$(?:\$|\((?P<id>{PATTERN})\))")


def args_template(tool: str, args: Mapping[str, Any], own: str) -> Fill:
    """The arguments of a task in a body; `own` is what the templates' ids begin with: `7[]`."""
    return _loop(args, own) if tool == EACH else _always(_value(args, own), args)


def value_template(value: Any, own: str) -> Fill:
    """Any value with references."""
    return _always(_value(value, own), value)


def id_template(id: TaskId, own: str) -> Fill:
    """An id that stands by itself."""
    if isinstance(id, str) and id.startswith(own):
        return lambda rename: rename(id)
    return lambda rename: id


def _always(fill: Fill | None, value: Any) -> Fill:
    return fill if fill is not None else lambda rename: value


def _value(value: Any, own: str) -> Fill | None:
    """None if it is the same in each iteration."""
    if isinstance(value, str):
        return _text(value, own)
    if isinstance(value, list):
        items = [_value(item, own) for item in value]
        if any(items):
            fills = [_always(*it) for it in zip(items, value, strict=True)]
            return lambda rename: [fill(rename) for fill in fills]
    elif isinstance(value, Mapping):
        pairs = [(_value(key, own), _value(item, own)) for key, item in value.items()]
        if any(fill is not None for pair in pairs for fill in pair):
            named = [
                (_always(key, name), _always(item, value[name]))
                for (key, item), name in zip(pairs, value, strict=True)
            ]
            return lambda rename: {key(rename): item(rename) for key, item in named}
    return None


def _text(text: str, own: str) -> Fill | None:
    if own not in text:
        return None
    parts: list[str] = []
    ids: list[str] = []
    end = 0
    for found in _SLOT.finditer(text):
        if (id := found["id"]) is not None and id.startswith(own):
            parts.append(text[end : found.start()])
            ids.append(id)
            end = found.end()
    if not ids:
        return None
    rest = text[end:]
    if len(ids) == 1:
        [before], [only] = parts, ids
        return lambda rename: before + _reference(rename(only), rest) + rest
    follows = [*parts[1:], rest]

    def fill(rename: Rename) -> str:
        out = [parts[0]]
        for id, behind in zip(ids, follows, strict=True):
            out += (_reference(rename(id), behind), behind)
        return "".join(out)

    return fill


def _reference(id: TaskId, behind: str) -> str:
    """A reference as it is written before the text `behind`."""
    if isinstance(id, int) and behind[:1].isdigit():
        return f"${{{id}}}"
    return written_reference(id)


def _loop(args: Mapping[str, Any], own: str) -> Fill:
    """The arguments of a loop inside the loop."""
    plain = {name: value_template(args[name], own) for name in ("items", "value") if name in args}
    if args.get("keep") is not None:
        plain["keep"] = id_template(args["keep"], own)
    body = [_task(it, own) for it in args["body"]]
    names = {
        name: {part: id_template(id, own) for part, id in ends.items() if id is not None}
        for name, ends in (args.get("names") or {}).items()
    }

    def fill(rename: Rename) -> dict[str, Any]:
        filled = {**args, **{name: fill(rename) for name, fill in plain.items()}}
        filled["body"] = [fill(rename) for fill in body]
        if "names" in args:
            filled["names"] = {
                name: {**args["names"][name], **{part: fill(rename) for part, fill in ends.items()}}
                for name, ends in names.items()
            }
        return filled

    return fill


def _task(data: Mapping[str, Any], own: str) -> Fill:
    """A task as the state stores it, in the body of a loop inside the loop."""
    args = args_template(data["tool"], data["args"], own)
    id = id_template(data["id"], own)
    needs = [id_template(it, own) for it in data.get("needs", ())]
    when = data.get("when")
    condition = None if when is None else id_template(when["id"], own)

    def fill(rename: Rename) -> dict[str, Any]:
        filled = {**data, "id": id(rename), "args": args(rename)}
        filled["needs"] = [need(rename) for need in needs]
        if condition is not None:
            filled["when"] = {**when, "id": condition(rename)}  # type: ignore[dict-item]
        return filled

    return fill
