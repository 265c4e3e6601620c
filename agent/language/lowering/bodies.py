"""Makes the task of a loop, `each`, with the tasks of one iteration as templates.

    weather = [ask(city) for city in cities]

    2  each  items $1, value $(2[]), body:  2[]  ask($(2[].0))

Ids of the body begin with `2[]`; `$(2[].0)` is the item, `$(2[].x)` what a variable holds when the
iteration begins (task_ids.py).
"""

import ast
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from llm_compiler.language.lowering.frames import Frame
from llm_compiler.language.lowering.names import defined, doubtful, of_row, placeholder, reference
from llm_compiler.language.lowering.resolving import Resolver
from llm_compiler.language.lowering.trees import has_calls
from llm_compiler.language.reading.written import bounded
from llm_compiler.language.tasks.task import EACH
from llm_compiler.language.tasks.task_ids import TaskId


@dataclass(slots=True)
class Loop:
    """A loop whose body is being read, in a frame of its own."""

    id: TaskId
    frame: Frame
    args: dict[str, Any]
    ids: list[TaskId] = field(default_factory=list)
    """What it refers to."""

    @property
    def item(self) -> ast.expr:
        return reference(f"{self.id}[].0")


@contextmanager
def body(
    items: ast.expr, parts: Iterable[ast.AST], name: str, resolver: Resolver
) -> Iterator[Loop]:
    """Read the body of a loop, whose `parts` are these; in the end, make its task."""
    written, ids = resolver.value(items)
    id = resolver.frame.tasks.new_id(EACH)
    alone = _calls(parts, resolver.tree) == 1
    loop = Loop(id, resolver.frame.body(id, alone=alone), {"items": written, "body": []}, [*ids])
    with resolver.within(loop.frame):
        yield loop
    source = bounded(resolver.statement_source)
    for task in loop.frame.tasks.out:
        data = task.data()
        data["name"] = resolver.named.get(task.id, "")
        data["line"], data["source"] = resolver.statement_line, source
        loop.args["body"].append(data)
        loop.ids += task.needs
    outer = (it for it in loop.ids if not str(it).startswith(f"{id}[]"))
    resolver.add_as(id, EACH, loop.args, tuple(dict.fromkeys(outer)), name)


def unpacks(target: ast.expr, items: ast.expr) -> bool:
    """Whether each item can be assigned to a loop's target, as far as can be told."""
    if isinstance(target, ast.Name):
        return True
    names = target.elts if isinstance(target, ast.Tuple) else []
    match items:
        case ast.Call(func=ast.Name(id="enumerate")) | ast.Call(func=ast.Attribute(attr="items")):
            count = 2
        case ast.Call(func=ast.Name(id="zip"), args=columns):
            count = len(columns)
        case _:
            return False
    return len(names) == count and all(isinstance(it, ast.Name) for it in names)


def unpacked(names: list[str], value: ast.expr) -> dict[str, ast.expr]:
    """What names stand for, if `value` is a `row` of their values."""
    if len(names) == 1:
        return {names[0]: value}
    return {
        name: of_row(ast.Subscript(value, ast.Constant(place), ast.Load()))
        for place, name in enumerate(names)
    }


def row(names: list[str]) -> ast.expr:
    """The values of names: one by itself, several as a list."""
    if len(names) == 1:
        return ast.Name(names[0], ast.Load())
    return ast.List([ast.Name(name, ast.Load()) for name in names], ast.Load())


def joined(lists: ast.expr) -> ast.expr:
    """The items of lists as one list."""
    item, part = (ast.Name(name, ast.Load()) for name in ("item", "part"))
    loops = [(ast.Name("part", ast.Store()), lists), (ast.Name("item", ast.Store()), part)]
    return ast.ListComp(item, [ast.comprehension(*loop, [], 0) for loop in loops])


def part_of(value: TaskId | ast.expr, name: str) -> ast.expr:
    """A variable in the value of a loop, or of a block."""
    holder = value if isinstance(value, ast.expr) else reference(value)
    return ast.Attribute(holder, name, ast.Load())


def behind(name: str, value: ast.expr, id: TaskId, held: str, frame: Frame) -> ast.expr:
    """What a variable stands for behind loop `id`, which has it if it has `held`."""
    there: ast.expr = ast.Compare(ast.Constant(held), [ast.In()], [reference(id)])
    if (other := frame.names.get(name)) is not None:
        # Without any iteration it is what it was.
        value = ast.IfExp(there, value, other)
        if (condition := defined(other)) is None:
            return value
        there = ast.BoolOp(ast.Or(), [there, condition])
    return doubtful(value, there)


def _calls(parts: Iterable[ast.AST], inside: Callable[[int], ast.AST]) -> int:
    """How many calls are made in some parts, loops with calls counting as one; 2 if more."""
    count, waiting = 0, [*parts]
    while waiting and count < 2:
        node = waiting.pop()
        if (index := placeholder(node)) is not None:
            count += 1
            waiting.append(inside(index))
        elif isinstance(node, ast.For):
            count += 1
            waiting.append(node.iter)
        elif has_calls(node):
            children = [*ast.iter_child_nodes(node)]
            if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
                first = node.generators[0].iter
                if not all(it is first for it in _with_calls(node)):
                    count, children = count + 1, [first]
            waiting += children
    return count


def _with_calls(comprehension: ast.AST) -> Iterator[ast.AST]:
    """The parts of a comprehension that have calls in them."""
    for node in ast.iter_child_nodes(comprehension):
        if isinstance(node, ast.comprehension):
            yield from filter(has_calls, ast.iter_child_nodes(node))
        elif has_calls(node):
            yield node
