"""Random programs with loops and conditions around calls, writes and answers in any of them.

They keep to what programs of people keep to: a name has one kind throughout a loop, and only lists
and dicts that no other name refers to are added to.
"""

from collections.abc import Callable
from random import Random

from tests.support.fake_tools import WRITES
from tests.support.programs import KINDS, Writer

_NAMES = "abcdefgh"
_OF_BLOCKS = "stuvw"
"""Names for what has another kind outside."""


class FlowWriter(Writer):
    """Writes one program."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self._fixed: dict[str, str] = {}
        """The names that were there before the loop, and their kinds."""
        self._added: list[str] = []
        """The lists, `acc0`, and dicts, `grp1`, that can be added to."""
        self._loops = self._depth = self._made = 0

    def program(self) -> str:
        lines = [self._statement() for _ in range(self._random.randint(1, 7))]
        if self._chance(0.7):
            lines.append(f"answer({self._said()})")
        return "\n".join(lines) + "\n"

    # ── statements ────────────────────────────────────────────────────────────────────────────

    def _statement(self) -> str:
        if self._depth < 3 and self._chance(0.4):
            return self._pick(self._condition, self._condition, self._loop)
        kind = self._random.choice(KINDS)
        match self._random.randint(0, 11):
            case 0:
                return f"print({self._said()})"
            case 1:
                other = self._random.choice(KINDS)
                one, two = self.expression(kind, 2), self.expression(other, 2)
                first = self._bound(kind)
                return f"{first}, {self._bound(other, first)} = {one}, {two}"
            case 2 if names := [name for name in self._of("num") if len(name) == 1]:
                return f"{self._random.choice(names)} += {self.expression('num', 2)} % 100"
            case 3:
                call = f"{self._random.choice(list(WRITES))}({self.expression(kind, 1)})"
                return f"{self._bound('num')} = {call}" if self._chance(0.5) else call
            case 4:
                return f"{self._call('num', 2)}; {self._assigned(kind)}"
            case 5 | 6 if self._added:
                return self._adding(self._random.choice(self._added))
            case 7 if not self._fixed:
                self._made += 1
                name = f"{self._random.choice(['acc', 'grp'])}{self._made}"
                self._added.append(name)
                return f"{name} = {'[]' if name.startswith('acc') else '{}'}"
            case 8:
                write = self._random.choice(list(WRITES))
                value = self._conditional("num", lambda: f"{write}({self.expression('num', 1)})")
                return f"{self._bound('num')} = {value}"
            case 9:
                write = self._random.choice(list(WRITES))
                few = self._few()
                return f"{self._bound('nums')} = [{write}(i + 1) for i in {few} if i != 2]"
        return self._assigned(kind)

    def _bound(self, kind: str, *taken: str) -> str:
        free = [it for it in _NAMES if self._fixed.get(it, kind) == kind and it not in taken]
        name = self._random.choice([*free, *(it for it in _OF_BLOCKS if it not in taken)][:8])
        self.names[name] = kind
        return name

    def _adding(self, name: str) -> str:
        number = self.expression("num", 1)
        if name.startswith("grp"):
            key = f"{name}['k' + str({self.expression('num', 1)} % 3)]"
            if self._chance(0.3):
                return f"{key} = 1; {key} += {number}"
            return f"{key} = {number}"
        return self._pick(
            lambda: f"{name}.append({number})",
            lambda: f"{name}.append({number})",
            lambda: f"{name}.extend({self.expression('nums', 1)})",
            lambda: f"{name} += [{number}]",
        )

    def _block(self, *, answers: bool = False) -> str:
        """Some statements, indented; names of before keep their kinds."""
        added = [*self._added]
        self._depth += 1
        lines = [self._statement() for _ in range(self._random.randint(1, 3))]
        lines += [f"answer({self._said()})"] if answers else []
        self._depth -= 1
        self._added = added
        return "\n".join(f"    {it}" for it in "\n".join(lines).split("\n"))

    def _condition(self) -> str:
        before, branches = dict(self.names), []
        lines = [f"if {self.expression('bool', 2)}:"]
        for head in ("", f"elif {self.expression('bool', 1)}:", "else:"):
            if head and self._chance(0.5):
                branches += [before] if head == "else:" else []
                continue
            self.names = dict(before)
            answers = not self._loops and self._chance(0.12)
            lines += [head] if head else []
            lines.append(self._block(answers=answers))
            branches += [] if answers else [self.names]
        first, *others = branches or [before]
        self.names = {name: kind for name, kind in first.items()
                      if all(it.get(name) == kind for it in others)}  # fmt: skip
        return "\n".join(lines)

    def _loop(self) -> str:
        before, fixed = dict(self.names), self._fixed
        number = self._inner
        self._inner += 1
        one, two = f"i{number}", f"j{number}"
        match self._random.randint(0, 3):
            case 0:
                head, here = f"{one}, {two} in enumerate({self._few()})", {one: "num", two: "num"}
            case 1:
                source = self.expression("dict", 1)
                head, here = f"{one}, {two} in {source}.items()", {one: "text", two: "num"}
            case 2:
                source = self.expression("recs", 1)
                head, here = f"{one} in {source}", {f"{one}['n']": "num", f"{one}['name']": "text"}
            case _:
                head, here = f"{one} in {self._few()}", {one: "num"}
        self._fixed = {**before, **fixed}
        self.names |= here
        self._loops += 1
        jump = ""
        if self._chance(0.25):
            jump = f"    if {self.expression('bool', 1)}:\n        "
            jump += self._random.choice(["continue\n", "break\n"])
        body = self._block()
        self._loops -= 1
        self._inner -= 1
        self.names, self._fixed = before, fixed
        return f"for {head}:\n{jump}{body}"

    # ── expressions ───────────────────────────────────────────────────────────────────────────

    def _few(self) -> str:
        return self._random.choice(["[1, 2, 3]", "numbers(1)", self.expression("nums", 1)])

    def expression(self, kind: str, depth: int) -> str:
        if depth > 0 and not self._quiet and self._chance(0.12):
            return self._conditional(kind, lambda: self.expression(kind, depth - 1))
        if kind == "num" and self._added and self._chance(0.1):
            return f"len({self._random.choice(self._added)})"
        if depth > 0 and not self._quiet and self._chance(0.06):
            return self._looped(kind, depth - 1)
        return super().expression(kind, depth)

    def _still(self, kind: str, depth: int) -> str:
        if self._chance(0.5):
            return super()._still(kind, depth)
        return self.expression(kind, depth)

    def _conditional(self, kind: str, value: Callable[[], str]) -> str:
        test = self.expression("bool", 1)
        choices = [f"({value()} if {test} else {self.expression(kind, 1)})"]
        choices.append(f"({value()} if {test} else {value()})")
        if kind in ("num", "bool", "nums"):
            operator = self._random.choice(["and", "or"])
            choices.append(f"({self.expression(kind, 1)} {operator} {value()})")
        if kind == "bool":
            sides = [self.expression("num", 1) for _ in range(3)]
            choices.append(f"({sides[0]} < {sides[1]} <= {sides[2]})")
        return self._random.choice(choices)

    def _looped(self, kind: str, depth: int) -> str:
        few = self._few()
        match kind:
            case "num":
                return f"max({few}, key=lambda v: num(v))"
            case "nums":
                inner = f"[num(i) + j for i in {few} for j in numbers(i) if num(j) > 20]"
                return self._random.choice([inner, f"sorted({few}, key=lambda v: num(v))"])
            case "dict":
                return f"{{'k' + str(i): num([i]) for i in {few} if text(i) != 't5'}}"
        return super().expression(kind, depth)
