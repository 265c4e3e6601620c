"""The grammar rules of a program that do not depend on its tools.

Every repetition and every nesting is bounded: a small model that decodes greedily may repeat
itself until its limit. So an expression has a depth, and holds only those of a smaller one.
"""

import keyword
from collections.abc import Collection, Iterable, Sequence

from llm_compiler.language.grammar.gbnf import quoted
from llm_compiler.language.grammar.plan_form import PlanForm, program_rules
from llm_compiler.language.grammar.word_rules import name_rules

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


def shared_rules(form: PlanForm, taken: Iterable[str], barred: Collection[str] = ()) -> str:
    """The rules of the whole program and of its smallest parts.

    Names are none of those `taken`, and begin with none of those `barred`. If the program chooses,
    the line before the answer assigns a `chosen`, a rule that is not among these.
    """
    top = MAX_DEPTH
    test = "" if COMPARED in form.without else f" | test-{top}"
    # One that demands its changes makes no others.
    changed = "" if form.changes else " | changed"
    # The loop's variable stands at both ends, which no grammar can compare: it has one name.
    root = f"""root ::= "```python\\n" comment? program "\\n```"
{program_rules(form, top)}line ::= kept | called{changed}
changed ::= name (" += " | " -= " | " *= " | " /= ") number-{top} "\\n"
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
    return root + name_rules([*keyword.kwlist, *taken], barred) + _SHARED


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
