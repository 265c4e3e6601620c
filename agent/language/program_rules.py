"""The grammar rules of a program that do not depend on its tools.

Every repetition and every nesting is bounded: a small model that decodes greedily may repeat
itself until its limit. So an expression has a depth, and holds only those of a smaller one.
"""

import keyword
import string
from collections.abc import Iterable, Iterator, Sequence

from llm_compiler.language.gbnf import quoted

MAX_DEPTH = 4
"""Levels of calls, brackets and lists in each other, from 0."""
DEFAULT_MAX_STRING_CHARS = 500
"""Characters of a string whose schema has no `maxLength`."""
HARD_MAX_STRING_CHARS = 4000
"""Characters of any string, whatever its `maxLength`."""
DEFAULT_MAX_ITEMS = 20
"""Of a list or a dict whose schema has no `maxItems` or `maxProperties`."""
HARD_MAX_ITEMS = 200
_MAX_OPERATIONS = 10
"""In one expression without brackets."""
_MAX_NAME = 24
"""Characters behind those that tell a name from Python's keywords."""
_MAX_ANSWER = 600
"""Characters and holes."""
_MAX_TEXT = 200
"""Characters and holes of an f-string anywhere else."""

PLAIN = r'[^"\\\x00-\x1f\x7f]'
ESCAPE = r'"\\" ["\\n]'
NUMERIC_FUNCTIONS = ("abs", "round")
LIST_FUNCTIONS = ("sum", "len", "mean", "min", "max", "sorted")
DICT_FUNCTIONS = ("largest", "smallest")

_SHARED = rf"""
string ::= "\"" ({PLAIN} | {ESCAPE}){{0,{DEFAULT_MAX_STRING_CHARS}}} "\""
integer ::= "-"? ("0" | [1-9] [0-9]{{0,14}})
number ::= integer ("." [0-9]{{1,15}})?
digits ::= ("0" | [1-9] [0-9]{{0,14}}) ("." [0-9]{{1,6}})?
boolean ::= "True" | "False"
key ::= "\"" {PLAIN}{{1,60}} "\""
part ::= "[" (key | name | "-"? [0-9]{{1,2}}) "]"
operator ::= " + " | " - " | " * " | " / " | " // " | " ** " | " % "
compared ::= " > " | " < " | " >= " | " <= " | " == " | " != "
said ::= [^"\\{{}}\x00-\x1f\x7f] | {ESCAPE}
spec ::= ":" ","? "." [0-3] "f" | ":,"
""".lstrip()


def shared_rules(max_lines: int) -> str:
    """The rules of the whole program and of its smallest parts."""
    top = MAX_DEPTH
    root = f"""root ::= "```python\\n" line{{0,{max_lines}}} answer "\\n```"
line ::= (name " = " value-{top} | call-{top}) "\\n"
answer ::= "answer(" (answer-text | value-{top}) ")"
answer-text ::= "f"? "\\"" (said | hole-{top}){{1,{_MAX_ANSWER}}} "\\""
"""
    names = "".join(f"{name} ::= {body}\n" for name, body in _names(keyword.kwlist))
    return root + names + _SHARED


def expression_rules(depth: int, calls: Sequence[str], hidden: Iterable[str] = ()) -> str:
    """The rules of expressions of this depth.

    `calls` are the rules of the tools' calls at this depth; `hidden` are functions whose names
    mean tools.
    """
    inner = depth - 1
    held = ['"-"? name part{0,2}']
    values = [f"computed-{depth}", f"text-{depth}", "string", '"-"? digits', "boolean"]
    rules = {}
    if depth:
        functions = _functions(depth, set(hidden))
        held += [f"function-{depth}"] if functions else []
        held += [f'"(" computed-{inner} ")"']
        values += [f"list-{depth}", f"dict-{depth}"]
        more = f"{{0,{DEFAULT_MAX_ITEMS - 1}}}"
        rules = {
            "function": " | ".join(functions),
            "list": f'"[" (value-{inner} (", " value-{inner}){more})? "]"',
            "dict": f'"{{" key ": " value-{inner} (", " key ": " value-{inner}){more} "}}"',
        }
    if calls:
        held.append(f"call-{depth}")
        rules["call"] = " | ".join(calls)
    elif depth == MAX_DEPTH:
        rules["call"] = NOTHING
    again = f"(operator term-{depth})"
    hole = f"hole-{depth}"
    rules |= {
        "held": " | ".join(held),
        "term": f"digits | held-{depth}",
        "computed": f"held-{depth} {again}{{0,{_MAX_OPERATIONS}}}"
        f" | digits {again}{{1,{_MAX_OPERATIONS}}}",
        "test": f"computed-{depth} compared (digits | computed-{depth})",
        "choice": f'plain-{depth} " if " test-{depth} " else " plain-{depth}',
        "plain": " | ".join(values),
        "value": f"plain-{depth} | test-{depth} | choice-{depth}",
        "hole": f'"{{" (computed-{depth} spec? | choice-{depth}) "}}"',
        "text": f'"f\\"" (said | {hole}){{1,{_MAX_TEXT}}} "\\""',
    }
    return "".join(f"{name}-{depth} ::= {body}\n" for name, body in rules.items() if body)


NOTHING = r'"\x00"'
"""Where nothing is allowed: a character that no model writes."""


def _functions(depth: int, hidden: set[str]) -> list[str]:
    """The calls of the language's own functions."""
    inner = depth - 1

    def named(names: Sequence[str]) -> str:
        return " | ".join(quoted(f"{name}(") for name in names if name not in hidden)

    a_list = f'(list-{inner} | name (".values()")?)' if inner else 'name (".values()")?'
    a_dict = f"(dict-{inner} | name)" if inner else "name"
    several = f'computed-{inner} (", " (digits | computed-{inner})){{1,9}}'
    by = '(", key=" name ".get")? (", reverse=True")?'
    forms = (
        (("abs", "round"), f"computed-{inner}"),
        (("round",), f'computed-{inner} ", " [0-9]'),
        (("sum", "len", "mean", "min", "max"), a_list),
        (("min", "max"), several),
        (("min", "max"), 'name ", key=" name ".get"'),
        (DICT_FUNCTIONS, a_dict),
        (("sorted",), f"{a_list} {by}"),
    )
    return [f'({opening}) {args} ")"' for names, args in forms if (opening := named(names))] + (
        [f'"sorted(" {a_list} {by} ")" part'] if "sorted" not in hidden else []
    )


def _names(keywords: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The rules of names: lower case, without two underscores, and none of the keywords.

    One rule for each beginning of a keyword: what may follow there.
    """
    words = {word for word in keywords if word.islower()}
    beginnings = {word[:length] for word in words for length in range(len(word) + 1)}
    letters = string.ascii_lowercase + string.digits
    yield "rest", f'([a-z0-9] | "_" [a-z0-9]){{0,{_MAX_NAME}}}'
    for begun in sorted(beginnings):
        following = sorted(it[-1] for it in beginnings if it[:-1] == begun and it)
        others = "".join(sorted(set(letters if begun else string.ascii_lowercase) - {*following}))
        ways = [f'"{letter}" name-{begun}{letter}' for letter in following]
        ways.append(f"[{others}] rest")
        if begun:
            ways.append('"_" [a-z0-9] rest')
            ways += [] if begun in words else ['""']
        yield f"name-{begun}" if begun else "name", " | ".join(ways)
