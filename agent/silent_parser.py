"""Python's parser for what models write, without its warnings: nobody could act on them.

Where warnings are errors, it would refuse texts such as `"\\d+"` and `1if x else 2`, which are
Python. What it warns of differs from version to version.
"""

import ast
import re
import warnings
from threading import Lock
from typing import Any, Literal

_MAY_WARN = re.compile(r"\\|\d\.?[A-Za-z]")
"""In what it warns of: a backslash before any letter, a word right behind a number."""
_filters = Lock()
"""Of the process: warnings are turned off for all its threads, so they do that one by one."""


def syntax_tree(text: str, mode: Literal["eval", "exec"]) -> Any:
    """`ast.parse`: an `ast.Module`, or an `ast.Expression`.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is no Python.
    """
    if _MAY_WARN.search(text) is None:
        return ast.parse(text, mode=mode)
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode=mode)
