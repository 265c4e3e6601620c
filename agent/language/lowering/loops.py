"""Lowers `for`: its body is made once for each item, with what variables hold from one to the next.

    total = 0                       2  compute  total: 0
    for order in orders:            3  each  items $1, names {"order": …, "total": {"init": 2,
        total += price(order)                "next": "3[].1"}}, body:  3[]  price($(3[].0)),
                                             3[].1  compute  $(3[].total) + $(3[])

A list or a dict to which the loop only adds is not carried on: each iteration has what it adds
(`all`), so that the iterations do not wait for each other, and stay small.
"""

import ast
from dataclasses import dataclass, field

from llm_compiler.language.evaluation.comprehensions import binder
from llm_compiler.language.evaluation.expressions import NodeError
from llm_compiler.language.lowering.adding import collected
from llm_compiler.language.lowering.answers import lines_of
from llm_compiler.language.lowering.bodies import (
    behind,
    body,
    joined,
    part_of,
    row,
    unpacked,
    unpacks,
)
from llm_compiler.language.lowering.folds import is_fold, lower_fold
from llm_compiler.language.lowering.frames import Frame
from llm_compiler.language.lowering.jumps import ITEM, STOPPED, has_jump, straightened
from llm_compiler.language.lowering.liveness import reads_first
from llm_compiler.language.lowering.lowered import Answer, Lines
from llm_compiler.language.lowering.names import (
    defined,
    ids_in,
    reference,
    referred,
    template,
)
from llm_compiler.language.lowering.owning import changes_in, owned_in, owns, share, statements_in
from llm_compiler.language.lowering.resolving import Resolver
from llm_compiler.language.lowering.targets import bound_in
from llm_compiler.language.lowering.trees import has_calls, mark_calls
from llm_compiler.language.tasks.task import When
from llm_compiler.language.tasks.task_ids import TaskId, is_task


@dataclass(slots=True)
class _Variables:
    """What the variables of a loop are by: tasks, items, or variables of a loop outside."""

    before: dict[str, TaskId]
    """The values that the first iteration begins with, of those that it reads."""
    after: dict[str, TaskId] = field(default_factory=dict)
    """Those that an iteration ends with."""
    every: dict[str, tuple[TaskId, bool]] = field(default_factory=dict)
    """What each adds to a list or a dict, and whether that is one item rather than a list."""
    rows: str = ""
    """The name of the rows of several targets, if these stay what they are."""

    def data(self, item: TaskId) -> dict[str, dict[str, TaskId | None]]:
        """As the task of the loop has them."""
        ends: dict[str, dict[str, TaskId | None]] = {
            name: {"init": self.before.get(name), "next": id} for name, id in self.after.items()
        }
        ends |= {name: {"all": id} for name, (id, _) in self.every.items()}
        return ends | ({self.rows: {"init": None, "next": item}} if self.rows else {})

    def ids(self) -> list[TaskId]:
        added = (id for id, _ in self.every.values())
        return [*self.before.values(), *self.after.values(), *added]


def lower_for(node: ast.For, resolver: Resolver) -> None:
    if node.orelse:
        raise NodeError(node.orelse[0], "write what follows else below the loop, at its level")
    binder(node.target)
    if is_fold(node, resolver):
        lower_fold(node, resolver)
        return
    frame, whole = resolver.frame, _with_items_changed(node, resolver)
    share(node, resolver)
    targets = [*reversed([*dict.fromkeys(bound_in([node.target]))])]
    if not unpacks(node.target, node.iter) and any(map(resolver.has_writes, node.body)):
        # An item that cannot be unpacked does not keep those before it from being written.
        item = ast.copy_location(ast.Name(ITEM, ast.Load()), node.target)
        node.body.insert(0, ast.copy_location(ast.Assign([node.target], item), node.target))
        node.target = ast.copy_location(ast.Name(ITEM, ast.Store()), node.target)
        source, items = resolver.resolved(node.iter), [ITEM]
    else:
        source, items = resolver.resolved(_rows(node, targets)), targets
    statements, rows = straightened(node.body), ""
    if any(has_jump(it, ast.Break) for it in node.body):
        frame.names[STOPPED] = ast.Constant(False)
        statements, items = _until_stopped(statements, items), [ITEM]
    elif items == targets and len(targets) > 1 and {*targets}.isdisjoint(bound_in(statements)):
        # Their last values are those of the last row: no iteration needs tasks for them.
        rows = _unused([*targets, *bound_in(statements)])
    adds = collected(statements, resolver)
    names = dict.fromkeys([*targets, *items, *bound_in(statements)])
    assigned = [it for it in names if it not in adds]
    before = {
        it: _task(it, frame.names[it], resolver)
        for it in assigned
        if it in frame.names
        and it not in (*targets, ITEM)
        and reads_first(it, statements, resolver.tree)
    }
    it = _Variables(before, rows=rows)
    with body(source, statements, "", resolver) as loop:
        inside = resolver.frame
        inside.hide(assigned)
        inside.names.update({name: reference(f"{loop.id}[].{name}") for name in before})
        inside.names.update({name: _empty(kind) for name, kind in adds.items()})
        inside.names.update(unpacked(items, loop.item))
        inner = [*statements_in(statements)]
        least = {**owned_in(inner), **dict.fromkeys(targets, 0)}
        if whole:
            least[targets[0]] = frame.owned[targets[0]] = frame.owned[whole] - 1
        for loop_inside in (it for it in inner if isinstance(it, ast.For)):
            share(loop_inside, resolver)
        for name, levels in least.items():
            inside.owned[name] = min(inside.owned.get(name, 0), levels)
        inside.collecting = inside.collecting - {*assigned} | adds.keys()
        resolver.block(statements)
        for name in assigned:
            if name in inside.names and name != ITEM and not (rows and name in targets):
                it.after[name] = _last(name, inside.names[name], resolver)
        it.every = {name: _every(name, inside.names[name], resolver) for name in adds}
        if whole:
            it.every[whole] = _task(targets[0], inside.names[targets[0]], resolver), True
        if inside.said.parts:
            it.every["print"] = _every("print", lines_of(inside.said), resolver)
        loop.ids += it.ids()
        loop.args["names"] = it.data(f"{loop.id}[].0")
    frame.names.pop(STOPPED, None)
    for name, levels in least.items():
        frame.owned[name] = min(frame.owned.get(name, 0), levels)
    frame.lent.update(inside.lent.maps[0])
    _bind(it, targets, loop.id, inside, resolver)
    for name, kind in adds.items():
        added = _added(loop.id, name, kind, single=it.every[name][1])
        resolver.bind(name, resolver.checked(_with(frame.names[name], added)))
        frame.owned[name] = min(frame.owned.get(name, 0), least.get(name, 0))
    if whole:
        frame.names[whole] = part_of(loop.id, whole)
        frame.owned[whole] = min(frame.owned[whole], 1 + inside.owned[targets[0]])
    if inside.said.parts:
        added = _added(loop.id, "print", "list", single=it.every["print"][1])
        lines = resolver.compute(resolver.checked(added))
        said, place = inside.said, (resolver.line, resolver.source)
        part = Lines(str(template(lines)))
        frame.said = Answer((part,), said.in_words, ids_in(lines), False, *place)


def _with_items_changed(node: ast.For, resolver: Resolver) -> str:
    """The name of the list that a loop goes through, if it changes the items of that."""
    match node:
        case ast.For(target=ast.Name(id=item), iter=ast.Name(id=name)):
            changed = [levels for it, levels in changes_in(node.body) if it == item]
            used = {it.id for it in resolver.nodes(node.body) if isinstance(it, ast.Name)}
            whole = owns(resolver.frame, name, 1 + max(changed, default=0), {item})
            breaks = any(has_jump(it, ast.Break) for it in node.body)
            return name if changed and whole and name not in used and not breaks else ""
    return ""


def _bind(
    it: _Variables, targets: list[str], id: TaskId, inside: Frame, resolver: Resolver
) -> None:
    """Let the variables stand for what they are behind loop `id`."""
    frame = resolver.frame
    rows = unpacked(targets, part_of(id, it.rows)) if it.rows else {}
    values = {**rows, **{name: part_of(id, name) for name in it.after if name != STOPPED}}
    for name, value in values.items():
        if name not in it.before:
            value = behind(name, value, id, it.rows if name in rows else name, frame)
        frame.names[name] = value
        frame.owned[name] = 0 if name in rows else inside.owned.get(name, 0)


def _rows(node: ast.For, targets: list[str]) -> ast.expr:
    """What is gone through, with the values of several targets in a row."""
    if isinstance(node.target, ast.Name):
        return node.iter
    rows = ast.ListComp(row(targets), [ast.comprehension(node.target, node.iter, [], 0)])
    if has_calls(node.iter):
        mark_calls(rows)
    return rows


def _unused(names: list[str]) -> str:
    """A name for the rows that are gone through, which the loop does not assign."""
    name = "row"
    while name in names:
        name += "_"
    return name


def _until_stopped(body: list[ast.stmt], targets: list[str]) -> list[ast.stmt]:
    """A body that does nothing once the loop has ended."""
    item = ast.Name(ITEM, ast.Load())
    values = unpacked(targets, item)
    assigned = [ast.Assign([ast.Name(it, ast.Store())], value) for it, value in values.items()]
    goes_on = ast.UnaryOp(ast.Not(), ast.Name(STOPPED, ast.Load()))
    wrapped = ast.If(goes_on, [*assigned, *body], [])
    mark_calls(wrapped)
    for part in (goes_on, wrapped):
        ast.copy_location(part, body[0])
    return [wrapped]


def _task(name: str, value: ast.expr, resolver: Resolver) -> TaskId:
    """The task that has a variable's value, or the item or variable that it is."""
    id = referred(value)
    if id is None:
        id = referred(resolver.compute(resolver.checked(value), name))
    assert id is not None
    return id


def _last(name: str, value: ast.expr, resolver: Resolver) -> TaskId:
    """As `_task`; it is not run if the variable has no value."""
    if (condition := defined(value)) is None or referred(value) is not None:
        return _task(name, value, resolver)
    test = resolver.condition(condition)
    with resolver.under(When(test, True, resolver.statement_line)):
        return _task(name, value, resolver)


def _empty(kind: str) -> ast.expr:
    return ast.List([], ast.Load()) if kind == "list" else ast.Dict([], [])


def _every(name: str, value: ast.expr, resolver: Resolver) -> tuple[TaskId, bool]:
    """The task of what an iteration adds, and whether that is one item rather than a list."""
    one, test = value, None
    # An addition under a condition.
    while isinstance(one, ast.IfExp) and isinstance(one.orelse, ast.List) and not one.orelse.elts:
        test = referred(one.test)
        one = one.body
    if isinstance(one, ast.List) and len(one.elts) == 1:
        [item] = one.elts
        if one is value and isinstance(item, ast.Starred) and referred(item.value) is not None:
            return _task(name, item.value, resolver), False
        id = referred(item)
        if id is not None and is_task(id):
            when = resolver.whens.get(id)
            # Where it is not added it must be a task that is not run.
            if (when.id if when and when.holds else when) == test:
                return id, True
    return _task(name, value, resolver), False


def _added(id: TaskId, name: str, kind: str, *, single: bool) -> ast.expr:
    """What all iterations have added."""
    parts = part_of(id, name)
    if kind == "list":
        return parts if single else joined(parts)
    tree = ast.parse("{key: it for part in _ for key, it in part.items()}", mode="eval").body
    assert isinstance(tree, ast.DictComp)
    tree.generators[0].iter = parts
    return tree


def _with(before: ast.expr, added: ast.expr) -> ast.expr:
    match before:
        case ast.List(elts=[]) | ast.Dict(keys=[]):
            return added
        case ast.List(elts=items):
            return ast.List([*items, ast.Starred(added, ast.Load())], ast.Load())
        case ast.Dict(keys=keys, values=values):
            return ast.Dict([*keys, None], [*values, added])
    if isinstance(added, ast.DictComp):
        return ast.Dict([None, None], [before, added])
    return ast.List([ast.Starred(it, ast.Load()) for it in (before, added)], ast.Load())
