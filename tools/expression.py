"""Reads the text of an arithmetic expression into a tree that is small enough to compute."""

import ast
import re

from langchain_core.tools import ToolException

MAX_LENGTH = 1000
"""Characters of an expression: its at most 500 operations of about 0.03 ms take less than 50 ms."""
MAX_DEPTH = 200
"""Levels of the tree: a sum of n terms has n, and Python's stack ends at 1000."""
MAX_BRACKETS = 30
"""Brackets open at once: Python's own parser is slow on deeply nested ones."""

FUNCTIONS = "sqrt log log10 exp sin cos tan abs floor ceil round min max"
"""What `math` knows, for its errors."""

# Python's parser maps letters and digits of other alphabets to ASCII, so they are refused first.
_FOREIGN = re.compile(r"[^0-9A-Za-z_+\-*/%().,<>=!\s]")
# A number and a word without a space between: never arithmetic, and Python would print a warning.
_JOINED = re.compile(r"[0-9a-fA-FjJ_.](?:and|else|for|if|in|is|not|or)")
_REMEDIES = {
    "^": "write ** for a power",
    "×": "write *",
    "÷": "write /",
    "−": "write -",
    "$": "give the number alone",
    "[": "give the numbers one by one",
}
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")


def quoted(text: str) -> str:
    """A text in quotes, as far as an error shows it."""
    # Truncate after quoting: one character may be shown as ten.
    shown = repr(text[:61])
    return shown if len(shown) <= 62 else f"{shown[:58]}...{shown[0]}"


def refused(shown: str, reason: str) -> ToolException:
    """The error that says why an expression is not computed, and what to do."""
    return ToolException(f"cannot compute {shown}: {reason}")


def parsed(text: str, shown: str) -> ast.expr:
    """Return the tree of `text`, once its length, alphabet, brackets and depth are in bounds."""
    if not text:
        raise refused(shown, "it is empty; write an expression such as 3 * (4 + 5)")
    if len(text) > MAX_LENGTH:
        raise refused(shown, f"it has {len(text)} characters; split it below {MAX_LENGTH}")
    if foreign := _FOREIGN.search(text):
        remedy = _REMEDIES.get(foreign[0], f"use numbers, + - * / // % ** and {FUNCTIONS}")
        raise refused(shown, f"{foreign[0]!r} is not arithmetic; {remedy}")
    if not re.search("[A-Za-z]", text):
        # Without a function, a comma cannot separate arguments: it can only separate thousands.
        text = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), text)
    if _deepest_bracket(text) > MAX_BRACKETS:
        raise refused(shown, f"its brackets are nested more than {MAX_BRACKETS} deep; split it")
    try:
        tree = None if _JOINED.search(text) else ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is None:
        if "%" in text:
            raise refused(
                shown, "% is the remainder here; 20 % more is * 1.2, 20 % of x is x * 0.2"
            )
        raise refused(shown, "it is not one arithmetic expression; write one such as 3 * (4 + 5)")
    if levels(tree) > MAX_DEPTH:
        raise refused(shown, f"it is more than {MAX_DEPTH} levels deep; split it")
    return tree


def _deepest_bracket(text: str) -> int:
    deepest = depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest


def levels(tree: ast.AST) -> int:
    """The levels of a tree, counted without recursion: it may be deeper than the stack."""
    count, level = 0, [tree]
    while level:
        count += 1
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return count
