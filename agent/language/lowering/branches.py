"""Lowers `if`: what its branches call gets a condition, and each name has the value of its branch.

    if late:                     3  refund(…)  when $2
        note = refund(order)     4  compute    note: $3 if $2 else "on time"
    else:
        note = "on time"

Where branches only assign names without calls, each name is one expression, of which only the
branch that is taken is evaluated. A branch that answers ends the program: what follows gets the
other condition.
"""

import ast
from copy import copy

from llm_compiler.language.evaluation.expressions import NodeError
from llm_compiler.language.lowering.adding import adding
from llm_compiler.language.lowering.answers import lines_of
from llm_compiler.language.lowering.frames import Frame
from llm_compiler.language.lowering.lowered import Answer, Lines
from llm_compiler.language.lowering.names import (
    defined,
    doubtful,
    ids_in,
    reference,
    referred,
    template,
)
from llm_compiler.language.lowering.owning import ALL, change, owned_in, statements_in
from llm_compiler.language.lowering.resolving import Resolver
from llm_compiler.language.lowering.trees import has_calls
from llm_compiler.language.tasks.task import When
from llm_compiler.language.tasks.task_ids import TaskId, is_task

MAX_BRANCH = 2000
"""Nodes of what a name may come to in the branches of a condition."""

MAX_INLINE = 40
"""Nodes of what a name stands for that may have no value."""
_TRUE, _FALSE = ast.Constant(True), ast.Constant(False)

Values = dict[str, ast.expr]


def lower_if(node: ast.If, resolver: Resolver) -> None:
    if not has_calls(node) and _is_plain(node, resolver.frame):
        least, frame = owned_in(statements_in([node])), resolver.frame
        for name, levels in least.items():
            frame.owned[name] = min(
                frame.owned.get(name, 0 if name in frame.names else ALL), levels
            )
        for name, value in _chosen(node, resolver, {}).items():
            resolver.bind(name, resolver.checked(value))
        return
    id = resolver.condition(resolver.resolved(node.test))
    line = resolver.line_of(node.test)
    with resolver.under(When(id, True, line)) as yes:
        resolver.block(node.body)
    with resolver.under(When(id, False, line)) as no:
        resolver.block(node.orelse)
    _end(When(id, True, line), yes, no, resolver)
    goes_on = [branch for branch in (yes, no) if branch.last is None]
    if len(goes_on) == 2:
        _join(id, yes, no, resolver)
    else:
        for branch in goes_on:
            resolver.frame.names.update(branch.changed)
            resolver.frame.owned.update(branch.owned.maps[0])
            resolver.frame.lent.update(branch.lent.maps[0])
            resolver.frame.said = branch.said


# ── branches with calls ───────────────────────────────────────────────────────────────────────


def _end(when: When, yes: Frame, no: Frame, resolver: Resolver) -> None:
    """Take over what the branches answer, and under which condition."""
    frame = resolver.frame
    sides = [_ended(yes), _ended(no)]
    if sides == [False, False]:
        return
    if sides == [True, True]:
        frame.last = yes.final().unless(when, no.final())
    elif sides == [True, False]:
        frame.end(when, yes.final())
    elif sides == [False, True]:
        frame.end(When(when.id, False, when.line), no.final())
    else:
        trees = [ast.Constant(it) if isinstance(it, bool) else it for it in sides]
        id = resolver.condition(ast.IfExp(reference(when.id), *trees))
        finals = [it.final() for it in (yes, no) if it.ends or it.last is not None]
        final = finals[0].unless(when, finals[1]) if len(finals) == 2 else finals[0]
        frame.end(When(id, True, when.line), final)


def _ended(branch: Frame) -> bool | ast.expr:
    """Whether a branch answers, as an expression if it depends."""
    if branch.last is not None or not branch.ends:
        return branch.last is not None
    return ended(branch)


def ended(frame: Frame) -> ast.expr:
    """Whether one of the ends of a frame was reached, as an expression."""
    reached = [reference(when.id) if when.holds else ast.UnaryOp(ast.Not(), reference(when.id))
               for when, _ in frame.ends]  # fmt: skip
    return reached[0] if len(reached) == 1 else ast.BoolOp(ast.Or(), reached)


def _join(id: TaskId, yes: Frame, no: Frame, resolver: Resolver) -> None:
    """Bind what is assigned in branches, and say what they say."""
    frame = resolver.frame
    for name in {*yes.owned.maps[0], *no.owned.maps[0]}:
        frame.owned[name] = min(branch.owned.get(name, 0) for branch in (yes, no))
    for name in {*yes.lent.maps[0], *no.lent.maps[0]}:
        frame.lent[name] = {**yes.lent.get(name, {}), **no.lent.get(name, {})}
    for name in dict.fromkeys([*yes.changed, *no.changed]):
        if name not in no.names:
            value, condition = _alone(name, yes, resolver)
            frame.names[name] = doubtful(value, ast.IfExp(reference(id), condition, _FALSE))
        elif name not in yes.names:
            value, condition = _alone(name, no, resolver)
            frame.names[name] = doubtful(value, ast.IfExp(reference(id), _FALSE, condition))
        else:
            _choose(name, id, yes.names[name], no.names[name], resolver)
    if yes.said.parts or no.said.parts:
        lists = [lines_of(branch.said) for branch in (yes, no)]
        chosen = ast.IfExp(reference(id), lists[0], lists[1])
        lines = resolver.compute(resolver.checked(chosen))
        in_words = yes.said.in_words or no.said.in_words
        part, ids = Lines(str(template(lines))), ids_in(lines)
        frame.said = Answer((part,), in_words, ids, False, resolver.line, resolver.source)


def _choose(name: str, id: TaskId, yes: ast.expr, no: ast.expr, resolver: Resolver) -> None:
    """A name has a value in both branches, or had one before."""
    chosen: ast.expr = ast.IfExp(reference(id), yes, no)
    there = [defined(yes), defined(no)]
    if there == [None, None]:
        if name in resolver.frame.collecting and _size(chosen) > MAX_INLINE:
            chosen = resolver.compute(resolver.checked(chosen), name)
        resolver.bind(name, chosen)
        return
    condition: ast.expr = ast.IfExp(reference(id), there[0] or _TRUE, there[1] or _TRUE)
    if _size(chosen) + _size(condition) > MAX_INLINE:
        test = resolver.condition(condition)
        with resolver.under(When(test, True, resolver.statement_line)):
            chosen, condition = resolver.compute(chosen, name), reference(test)
    # It is read where it is used, if at all.
    resolver.frame.names[name] = doubtful(chosen, condition)


def _alone(name: str, branch: Frame, resolver: Resolver) -> tuple[ast.expr, ast.expr]:
    """What a name is that only one branch assigns, and whether it has that value in the branch.

    It is the value of a task that is not run without the branch.
    """
    value = branch.names[name]
    id, condition = referred(value), defined(value)
    if condition is not None:
        return copy(value), condition
    if id is None or not is_task(id) or resolver.is_certain(id):
        with resolver.within(branch):
            return resolver.compute(value, name), _TRUE
    return reference(id), _TRUE


# ── branches that only assign names, without calls ────────────────────────────────────────────


def _is_plain(node: ast.If, frame: Frame) -> bool:
    """Whether branches only assign names, all of which have a value whichever is taken."""
    return not frame.collecting and _known_behind([node], frozenset(), frame) is not None


def _known_behind(
    body: list[ast.stmt], known: frozenset[str], frame: Frame
) -> frozenset[str] | None:
    """The new names that have a value behind a block; `None` if it does more than assign names."""
    for statement in body:
        if isinstance(statement, ast.If):
            sides = {_known_behind(it, known, frame) for it in (statement.body, statement.orelse)}
            if len(sides) == 2 or None in sides:
                return None
            [known] = (it for it in sides if it is not None)
            continue
        pairs = _assigned(statement)
        if pairs is None or any(_may_lack(name, frame) for name, _ in pairs):
            return None
        known |= {name for name, _ in pairs if name not in frame.names}
    return known


def _may_lack(name: str, frame: Frame) -> bool:
    """Whether a name may have no value, though it has been assigned."""
    value = frame.names.get(name)
    return value is not None and defined(value) is not None


def _assigned(statement: ast.stmt) -> list[tuple[str, ast.expr]] | None:
    """The names that an assignment binds, each with its value; `None` if it is none."""
    if adding(statement) is not None or change(statement) is not None:
        return None
    match statement:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return []
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return [(name, value)]
        case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
            after = ast.BinOp(ast.Name(name, ast.Load()), op, value)
            return [(name, ast.copy_location(after, statement))]
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            pairs = [(it.id, value) for it, value in zip(names, values, strict=False)
                     if isinstance(it, ast.Name)]  # fmt: skip
            if len(pairs) == len(names) == len(values):
                return pairs
    return None


def _chosen(node: ast.If, resolver: Resolver, before: Values) -> Values:
    test = _resolved(node.test, resolver, before)
    if template(test) is ...:
        test = resolver.compute(resolver.checked(test))
    sides = [_block(it, resolver, before) for it in (node.body, node.orelse)]
    values: Values = {}
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        yes, no = (it.get(name) or before.get(name) or resolver.frame.names[name] for it in sides)
        values[name] = ast.copy_location(ast.IfExp(test, yes, no), node)
        _check_size(values[name], node)
    return values


def _block(body: list[ast.stmt], resolver: Resolver, before: Values) -> Values:
    """What the names that a block assigns are behind it."""
    here: Values = dict(before)
    changed: Values = {}
    for statement in body:
        if isinstance(statement, ast.If):
            values = _chosen(statement, resolver, here)
        else:
            # All values come before all names: `a, b = b, a`.
            pairs = _assigned(statement) or []
            values = {name: _resolved(value, resolver, here) for name, value in pairs}
        here |= values
        changed |= values
        for value in values.values():
            _check_size(value, statement)
    return changed


def _size(value: ast.expr) -> int:
    return sum(1 for _ in ast.walk(value))


def _check_size(value: ast.expr, node: ast.stmt) -> None:
    if _size(value) > MAX_BRANCH:
        raise NodeError(node, "the branches compute too much; split them up")


def _resolved(node: ast.expr, resolver: Resolver, values: Values) -> ast.expr:
    """`node` with its names replaced, those first that were assigned in a branch."""
    part = resolver.frame.part()
    part.names.update(values)
    with resolver.within(part):
        return resolver.resolved(node)
