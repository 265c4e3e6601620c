"""The tasks of a program as lines of text."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llm_compiler.language.lowering.lowered import Refused
from llm_compiler.language.program import Compiled
from llm_compiler.language.tasks.task import EACH, TaskData, is_pure


def shown(tasks: Iterable[Compiled]) -> list[str]:
    """Each task in a line, those of a loop's body behind it."""
    return [line for it in tasks for line in _lines(_data(it), "")]


def _data(it: Compiled) -> TaskData:
    assert not isinstance(it, Refused), str(it.diagnostic)
    return it.data()


def _lines(data: Mapping[str, Any], indent: str) -> Iterator[str]:
    tool, args, when = data["tool"], data["args"], data.get("when")
    named = f" {data['name']} =" if data["name"] else ""
    condition = f" {'if' if when['holds'] else 'unless'} {when['id']}" if when else ""
    if tool == EACH:
        more = [f"{name} {_short(it)}" for name, it in args.items() if name != "body"]
        yield f"{indent}{data['id']}{named} each {', '.join(more)}{condition}"
        for task in args["body"]:
            yield from _lines(task, f"{indent}  ")
        return
    written = args["expression"] if is_pure(tool) else f"{tool}({_short([*args.values()])[1:-1]})"
    yield f"{indent}{data['id']}{named} {written}{condition}"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace('"', "'")
