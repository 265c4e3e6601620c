"""Where a statement is lowered: the names that it binds, and what it answers."""

import ast

from llm_compiler.language.expressions import NodeError
from llm_compiler.language.lowered import Answer
from llm_compiler.language.lowering import Lowering
from llm_compiler.language.names import ids_in, reference, referred, template

MAX_LITERAL = 1000
"""Characters of a list or dict that is copied to where its name is used."""


class Place:
    """One statement while it is lowered."""

    def __init__(self, lowering: Lowering, line: int, source: str) -> None:
        self.lowering, self.line, self.source = lowering, line, source
        self.answer: Answer | None = None
        self.bound: dict[str, ast.expr] = {}

    def bind(self, name: str, value: ast.expr) -> None:
        """Let `name` stand for a resolved expression, computed by a task of its own if need be."""
        if "__" in name:
            raise NodeError(None, "names with two underscores are not in the plan language")
        if not is_copied(value):
            value = self.compute(value, name)
        self.bound[name] = value

    def compute(self, value: ast.expr, name: str = "") -> ast.expr:
        """A reference to a task of its own for a resolved expression."""
        return reference(self.lowering.compute(value, name, self.line, self.source))

    def settle(self) -> None:
        """The statement is whole: its names stand for their values from here on."""
        self.lowering.names.bound.update(self.bound)


def is_copied(value: ast.expr) -> bool:
    """Whether a name's value cannot fail and is short enough to be copied to its uses."""
    if referred(value) is not None:
        return True
    plain = template(value)
    if plain is ... or any(True for _ in ids_in(value)):
        return False
    return not isinstance(plain, list | dict | str) or len(ast.unparse(value)) <= MAX_LITERAL
