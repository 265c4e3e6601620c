"""The grammar rules of a program that do not depend on its tools.

Every repetition and every nesting is bounded: a small model that decodes greedily may repeat
itself until its limit. So an expression has a depth, and holds only those of a smaller one.
"""

import keyword
import re
import string
from collections.abc import Collection, Iterable, Iterator, Sequence

from llm_compiler.language.grammar.gbnf import quoted

MAX_DEPTH = 4
"""Levels of calls, brackets and lists in each other, from 0."""
COMPARED = ">"
"""For all comparisons, where they are left out."""
DEFAULT_MAX_STRING_CHARS = 500
"""Characters of a string whose schema has no `maxLength`."""
HARD_MAX_STRING_CHARS = 4000
"""Characters of any string, whatever its `maxLength`."""
DEFAULT_MAX_ITEMS = 20
"""Of a list or a dict whose schema has no `maxItems` or `maxProperties`."""
HARD_MAX_ITEMS = 200
_MAX_OPERATIONS = 10
"""In one expression without brackets."""
_MAX_NAME = 40
"""Characters behind those that tell a name from Python's keywords."""
_MAX_COMMENT = 150
_MAX_ANSWER = 600
"""Characters and holes."""
_MAX_TEXT = 100
"""Characters between the holes of an f-string anywhere else."""

_UNQUOTED = r"""[^"'\\\x00-\x1f\x7f]"""
"""In strings that may stand in an f-string: Python before 3.12 takes no escapes there."""
_KEY_BEGINS = r"""[^"'\\\x00-\x20\x7f!,.:;{}]"""
"""A small model that begins a key with a colon or a brace has lost its way."""
_CONSTANTS = ("key", '"-"? digits', "boolean", '"None"')
_WORD = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
PLAIN = r'[^"\\\x00-\x1f\x7f]'
ESCAPE = r'"\\" ["\\n]'

_SHARED = rf"""
string ::= "\"" ({PLAIN} | {ESCAPE}){{0,{DEFAULT_MAX_STRING_CHARS}}} "\""
integer ::= "-"? ("0" | [1-9] [0-9]{{0,14}})
number ::= integer ("." [0-9]{{1,15}})?
digits ::= ("0" | [1-9] [0-9]{{0,14}}) ("." [0-9]{{1,6}})?
boolean ::= "True" | "False"
key ::= "\"" {_KEY_BEGINS} ({_UNQUOTED} | "'" {_UNQUOTED}){{0,100}} "\""
part ::= "[" (key | "0" | "-"? [1-9] [0-9]?) "]"
operator ::= " + " | " - " | " * " | " / " | " // " | " ** " | " % "
compared ::= " > " | " < " | " >= " | " <= " | " == " | " != "
said ::= [^"\\{{}}\x00-\x1f\x7f] | {ESCAPE}
choice ::= simple " if " simple compared simple " else " simple
simple ::= key | number-0
spec ::= ":" ","? "." [0-3] "f" | ":,"
""".lstrip()


def shared_rules(
    max_lines: int,
    taken: Iterable[str],
    barred: Collection[str] = (),
    *,
    tests: bool = True,
    chooses: bool = False,
    divides: bool = False,
) -> str:
    """The rules of the whole program and of its smallest parts.

    Names are none of those `taken`, and begin with none of those `barred`. If it `chooses`, the
    line before the answer assigns a `chosen`, a rule that is not among these. If it `divides`, a
    loop over names divides what two calls give, and nothing else is computed.
    """
    top = MAX_DEPTH
    test = f" | test-{top}" if tests else ""
    # What was looked up or computed last is what the question asks for, so it is said.
    last = 'name " = " chosen "\\n" told' if chooses else "kept told"
    program = f"line{{0,{max_lines - 2}}} ({last} | called answer) | answer"
    if divides:
        # Which of the two is divided by the other is said first, in the name.
        rate = f'call-{top - 1} " / " call-{top - 1}'
        loop = f'" = {{name: " {rate} " for name in " among "}}\\n"'
        chosen = 'name " = " ("largest(" | "smallest(") name ")\\n" told'
        program = f'name-part ("_per_" | "_to_") name-part {loop} {chosen} | answer'
    # The loop's variable stands at both ends, which no grammar can compare: it has one name.
    root = f"""root ::= "```python\\n" comment? program "\\n```"
program ::= {program}
line ::= kept | called
kept ::= name " = " (value-{top} | text-{top} | string | each) "\\n"
each ::= "{{name: " computed-{top - 1} " for name in " (among | name part{{0,2}}) "}}"
name-part ::= [a-z] [a-z0-9]{{0,8}} ("_" [a-z0-9]{{1,9}})?
among ::= "[" key (", " key){{1,{DEFAULT_MAX_ITEMS - 1}}} "]"
called ::= call-{top} "\\n"
comment ::= "# " [^\\x00-\\x1f\\x7f]{{1,{_MAX_COMMENT}}} "\\n"
answer ::= "answer(\\"" said{{1,{_MAX_ANSWER}}} "\\")" | told
told ::= "answer(" (words | choice | number-{top}{test} | list-{top} | dict-{top}) ")"
words ::= "f\\"" said{{0,{_MAX_ANSWER}}} hole-{top} (said | hole-{top}){{0,{_MAX_ANSWER}}} "\\""
"""
    names = "".join(
        f"{name} ::= {body}\n" for name, body in _names([*keyword.kwlist, *taken], barred)
    )
    return root + names + _SHARED


def expression_rules(
    depth: int, calls: Sequence[str], hidden: Iterable[str] = (), *, tests: bool = True
) -> str:
    """The rules of expressions of this depth.

    `calls` are the rules of the tools' calls at this depth; `hidden` are functions that are left
    out: their names mean tools, or they are not wanted.
    """
    inner = depth - 1
    held = ['"-"? name part{0,2}']
    values = [f"computed-{depth}", *([f"test-{depth}"] if tests else []), "choice", *_CONSTANTS]
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
        "number": f"digits | computed-{depth}",
        "test": f"computed-{depth} compared number-{depth}",
        "value": " | ".join(values),
        "hole": f'"{{" (computed-{depth} spec? | choice) "}}"',
        "text": f'"f\\"" said{{0,{_MAX_TEXT}}} ({hole} said{{0,{_MAX_TEXT}}}){{1,5}} "\\""',
    }
    return "".join(f"{name}-{depth} ::= {body}\n" for name, body in rules.items() if body)


NOTHING = r'"\x00"'
"""Where nothing is allowed: a character that no model writes."""


def _functions(depth: int, hidden: set[str]) -> list[str]:
    """The calls of the language's own functions."""
    inner = depth - 1
    a_list = _a_list(inner)
    several = f'number-{inner} (", " number-{inner}){{1,9}}'
    forms = (
        (("abs", "round"), f"number-{inner}"),
        (("round",), f'number-{inner} ", " [0-9]'),
        (("sum", "len", "mean", "min", "max"), a_list),
        (("min", "max"), several),
        (("min", "max"), 'name ", key=" name ".get"'),
    )
    found = [
        f'({opening}) {args} ")"' for names, args in forms if (opening := _named(names, hidden))
    ]
    return [*found, *choosing_functions(depth, hidden)]


def choosing_functions(depth: int, hidden: Collection[str]) -> list[str]:
    """The calls of those of them that choose one of several."""
    inner = depth - 1
    pair = f'key ": " number-{inner}'
    a_dict = f"""("{{" {pair} (", " {pair}){{1,{DEFAULT_MAX_ITEMS - 1}}} "}}" | name)"""
    by = '(", key=" name ".get")? (", reverse=True")?'
    chosen, ordered = _named(("largest", "smallest"), hidden), _named(("sorted",), hidden)
    return [
        *([f'({chosen}) {a_dict} ")"'] if chosen else []),
        *([f'{ordered} {_a_list(inner)} {by} ")" part?'] if ordered else []),
    ]


def _a_list(depth: int) -> str:
    return f'(list-{depth} | name (".values()")?)' if depth else 'name (".values()")?'


def _named(names: Sequence[str], hidden: Collection[str]) -> str:
    return " | ".join(quoted(f"{name}(") for name in names if name not in hidden)


def _names(taken: Iterable[str], barred: Collection[str]) -> Iterator[tuple[str, str]]:
    """The rules of names: lower case, without two underscores in a row, and none of those taken.

    One rule for each beginning of a taken name: what may follow there.
    """
    words = {word for word in taken if _WORD.fullmatch(word)}
    beginnings = {word[:length] for word in {*words, *barred} for length in range(len(word) + 1)}
    beginnings -= {begun for begun in beginnings if begun.startswith(tuple(barred))}
    yield "rest", f'([a-z0-9] | "_" [a-z0-9]){{0,{_MAX_NAME}}}'
    for begun in sorted(beginnings):
        following = sorted(it[-1] for it in beginnings if it[:-1] == begun and it)
        usual = string.ascii_lowercase + (string.digits if begun else "")
        ways = [f'"{letter}" {_beginning(begun + letter)}' for letter in following]
        stopped = {word[-1] for word in barred if word[:-1] == begun}
        ways.append(f"[{''.join(sorted({*usual} - {*following} - stopped))}] rest")
        if begun and not begun.endswith("_"):
            ways += [] if "_" in following else ['"_" [a-z0-9] rest']
            ways += [] if begun in words else ['""']
        yield _beginning(begun), " | ".join(ways)


def _beginning(begun: str) -> str:
    """The name of the rule of what follows a beginning; GBNF's names have no underscores."""
    return f"name-{begun.replace('_', '-')}" if begun else "name"
