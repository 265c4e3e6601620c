"""The form that a plan for a question has to have: for small models, which forget what was asked.

lookups ─► each change of a figure, once ─► what is computed ─► the answer

A change has a line of its own, or stands in the line of what is computed last: a model that cannot
write the bracket that it has begun would make up a name.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from llm_compiler.language.grammar.gbnf import quoted

_MAX_LOOKUPS = 16
_MAX_HOPS = 3
_MAX_SAME_CHANGES = 6
_MAX_LINES = 40
"""Before the answer."""
_MAX_ITEMS = 20

Change = tuple[str, str]
"""An operator and what stands behind it: `*` and `1 - 20 / 100`."""


@dataclass(frozen=True, kw_only=True)
class PlanForm:
    """What is demanded of a plan."""

    without: Collection[str] = ()
    """The language's own functions that it does not use; `">"` for all comparisons."""
    chooses: bool = False
    """Whether what it looks up or computes ends with one of several things, or with the result of
    a tool that may give one: not with a number."""
    divides: Collection[str] = ()
    """If it divides two figures of each of several things, and chooses one of the things: the words
    between the figures' names in that of the rate, `per` or `to`."""
    changes: Sequence[Sequence[Change]] = ()
    """The changes of figures that it makes, each in one of these ways."""
    changes_several: bool = False
    """Whether one change may be that of several figures."""
    figures: int = 1
    """How many figures it looks up at least, if it changes some."""
    in_pairs: bool = False
    """Whether its lookups come in pairs, one figure and the one by which it is divided."""
    in_quotients: bool = False
    """Whether each line that looks up figures divides one by another."""
    unsaid: Mapping[str, Collection[str]] = field(default_factory=dict)
    """By the names of tools: how the words begin that do not stand in the strings that they are
    called with."""


ANY_FORM: Final = PlanForm()


def program_rules(form: PlanForm, depth: int) -> str:
    """The rule `program`, of calls and values of this depth at most."""
    chosen = 'name " = " chosen "\\n" told'
    # What was looked up or computed last is what the question asks for, so it is said.
    last = chosen if form.chooses else "kept told"
    rules = [f"program ::= {_program(form, last, depth)} | answer"]
    most = _MAX_SAME_CHANGES if form.changes_several else 1
    for place, ways in enumerate(form.changes):
        kept = " | ".join(quoted(f" {sign}= {by}\n") for sign, by in ways)
        new = " | ".join(quoted(f" {sign} {_held(by)}") for sign, by in ways)
        rules.append(f"changed-{place} ::= name ({new})")
        rules.append(
            f'change-{place} ::= (name ({kept} | " = " changed-{place} "\\n")){{1,{most}}}'
        )
    found = f'name " = " call-{depth} "\\n"'
    if form.in_quotients:
        rules.append(f'found ::= name " = " call-{depth} " / " call-{depth} "\\n"')
    elif form.in_pairs:
        rules.append(f"found ::= {found} {found}")
        rate = 'key ": " name " / " name'
        rates = f'"{{" {rate} (", " {rate}){{1,{_MAX_ITEMS - 1}}} "}}"'
        rules.append(f'rates ::= name " = " ("largest(" | "smallest(") {rates} ")\\n"')
    else:
        rules.append(f"found ::= {found}")
        rules.append('sign ::= " - " | " + " | " / "')
        rules.append('sum ::= name " = " name (" + " name)+ "\\n"')
    return "\n".join(rules) + "\n"


def _changed_inside(form: PlanForm, first: int) -> str:
    """A line that makes the changes from one on, each in its term, among terms without any."""
    changes = [
        f'(changed-{place} | "(" changed-{place} ")")' for place in range(first, len(form.changes))
    ]
    if form.chooses:
        item, between = 'key ": " ', '", "'
        opening, closing = '(("largest({" | "smallest({")', '"})")'
    else:
        item, between = "", "sign"
        opening, closing = '("abs("', '")")'
    more = f"({item}name {between}){{0,{_MAX_SAME_CHANGES}}}"
    terms = f" {between} ".join(f"{more} {item}{change}" for change in changes)
    terms += f" ({between} {item}name){{0,{_MAX_SAME_CHANGES}}}"
    line = f"({opening} {terms} {closing}" + ("" if form.chooses else f" | {terms}") + ")"
    return f'name " = " {line} "\\n"'


def _held(operand: str) -> str:
    return f"({operand})" if " " in operand else operand


def _program(form: PlanForm, last: str, depth: int) -> str:
    lines = f"line{{0,{_MAX_LINES - 2}}}"
    if form.in_pairs or form.in_quotients:
        changes = " ".join(f"change-{place}" for place in range(len(form.changes)))
        rest = "rates told" if form.divides and form.in_pairs else f"{lines} {last}"
        # A single quotient may be all that is asked for.
        rest = f"({rest} | told)" if form.in_quotients else rest
        hops = f'(name " = " finds "\\n"){{0,{_MAX_HOPS}}}'
        return f"{hops} found{{1,{_MAX_LOOKUPS}}} {changes} {rest}"
    if form.changes:
        rest = f"{lines} {last}"
        for place in reversed(range(len(form.changes))):
            # Those that are left may be made where the answer is computed.
            rest = f"(change-{place} {rest} | {_changed_inside(form, place)} told)"
        return f"found{{{min(form.figures, _MAX_LOOKUPS)},{_MAX_LOOKUPS}}} sum{{0,2}} {rest}"
    if form.divides:
        # Which of the two is divided by the other is said first, in the name.
        rate = f'call-{depth - 1} " / " call-{depth - 1}'
        loop = f'" = {{name: " {rate} " for name in " among "}}\\n"'
        chosen = 'name " = " ("largest(" | "smallest(") name ")\\n" told'
        words = " | ".join(quoted(f"_{word}_") for word in form.divides)
        return f"name-part ({words}) name-part {loop} {chosen}"
    return f"{lines} ({last} | called answer)"
