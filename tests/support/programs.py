"""Random programs of the plan language, straight lines, each value of a known kind.

They keep to where Python and the plan language agree: texts begin with a letter, so that none is a
number, and whole numbers stay small. What differs has tests of its own.
"""

from collections.abc import Callable
from random import Random

from tests.support.fake_tools import WRITES

KINDS = ("num", "text", "bool", "nums", "texts", "recs", "dict")
_CHANGED = {
    "num": "{} % 7 + 1",
    "text": "{}.upper()",
    "bool": "(not {})",
    "nums": "[x for x in [*{}, 1]]",
    "texts": "sorted({})",
    "recs": "[r for r in {}]",
    "dict": "{{**{}, 'k': 1}}",
}
"""What a value of a kind becomes in the second line of a branch."""
_TEXTS = ["a", "Mount Everest", "x$1 and $$", "it's", 'a "quote"', "b{c}", "é漢", "k\\n", "n#(["]


class Writer:
    """Writes one program."""

    def __init__(self, random: Random, *, calls: bool = True) -> None:
        self._random = random
        self.names: dict[str, str] = {}
        self._inner = 0
        self._quiet = 0 if calls else 1
        """Above 0 no call may be written: a comprehension, a condition or an f-string is around."""

    def program(self) -> str:
        lines = [self._statement() for _ in range(self._random.randint(1, 8))]
        if self._chance(0.7):
            lines.append(f"answer({self._said()})")
        if self._chance(0.2):
            lines.append("x = num(1)")
        return "\n".join(lines) + "\n"

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _pick(self, *choices: Callable[[], str]) -> str:
        return self._random.choice(choices)()

    # ── statements ────────────────────────────────────────────────────────────────────────────

    def _statement(self) -> str:
        kind = self._random.choice(KINDS)
        match self._random.randint(0, 13):
            case 0:
                return f"print({self._said()})"
            case 1:
                return f"# a thought, with ( and ' in it\n{self._assigned(kind)}"
            case 2:
                return f'"""A docstring\n```\nwith a fence."""\n{self._assigned(kind)}'
            case 3:
                other = self._random.choice(KINDS)
                one, two = self.expression(kind, 2), self.expression(other, 2)
                return f"{self._bound(kind)}, {self._bound(other)} = {one}, {two}"
            case 4:
                source = self.expression("nums", 2)
                self.names.pop("p", None), self.names.pop("q", None)
                line = f"p, *q = {source}" if self._chance(0.5) else f"p, q = {source}"
                self.names |= {"p": "num", "q": "nums" if "*" in line else "num"}
                return line
            case 5 if names := self._of("num"):
                return f"{self._random.choice(names)} += {self.expression('num', 2)} % 100"
            case 6 if names := self._of("nums"):
                return f"{self._random.choice(names)} += list({self.expression('nums', 2)})"
            case 7:
                return self._if(kind)
            case 8:
                write = self._random.choice(list(WRITES))
                call = f"{write}({self.expression(kind, 1)})"
                return f"{self._bound('num')} = {call}" if self._chance(0.5) else call
            case 9:
                return f"{self._call('num', 2)}; {self._assigned(kind)}"
            case 10:
                value = self.expression(kind, 2)
                return f"{self._bound(kind)} = (\n    {value}  # more\n)"
        return self._assigned(kind)

    def _assigned(self, kind: str) -> str:
        value = self.expression(kind, 3)
        return f"{self._bound(kind)} = {value}"

    def _bound(self, kind: str) -> str:
        name = self._random.choice("abcdefgh")
        self.names[name] = kind
        return name

    def _if(self, kind: str) -> str:
        self._quiet += 1
        name = self._random.choice("abcdefgh")
        test, before = self.expression("bool", 2), dict(self.names)
        lines = [f"if {test}:"]
        for head in (None, f"elif {self.expression('bool', 1)}:", "else:"):
            if head and head.startswith("elif") and self._chance(0.6):
                continue
            # The name is assigned before it is used in a branch.
            self.names = {it: its for it, its in before.items() if it != name}
            lines += [head] if head else []
            lines.append(f"    {name} = {self.expression(kind, 2)}")
            if self._chance(0.4):
                lines.append(f"    {name} = {_CHANGED[kind].format(name)}")
        self.names = {**before, name: kind}
        self._quiet -= 1
        return "\n".join(lines)

    def _said(self) -> str:
        return self._f_string() if self._chance(0.8) else self.expression("text", 1)

    # ── expressions ───────────────────────────────────────────────────────────────────────────

    def _of(self, kind: str) -> list[str]:
        return [name for name, its in self.names.items() if its == kind]

    def expression(self, kind: str, depth: int) -> str:
        if (names := self._of(kind)) and self._chance(0.35):
            return self._random.choice(names)
        if kind in ("num", "text", "nums", "recs") and not self._quiet and self._chance(0.3):
            return self._call(kind, depth)
        if depth <= 0:
            return self._literal(kind)
        written: str = getattr(self, f"_{kind}")(depth - 1)
        return written

    def _call(self, kind: str, depth: int) -> str:
        tool = {"num": "num", "text": "text", "nums": "numbers", "recs": "records"}[kind]
        if self._chance(0.07):
            tool = "fail"
        inner = self.expression(self._random.choice(KINDS), depth - 1)
        written = self._random.choice(["{}", "x={}", "\n  {},\n", " {} "]).format(inner)
        return f"{tool}({written})"

    def _literal(self, kind: str) -> str:
        number = self._random.choice(["0", "1", "2.5", "-3", "17", "1_000", "1e2"])
        match kind:
            case "num":
                return number
            case "text":
                return repr(self._random.choice(_TEXTS))
            case "bool":
                return self._random.choice(["True", "False"])
            case "nums":
                return self._random.choice(["[]", f"[{number}, 4]", "[3, 1, 2]", "[*(1, 2)]"])
            case "texts":
                return repr(self._random.sample(_TEXTS, 2))
            case "recs":
                return f"[{{'n': {number}, 'name': 'z'}}]"
        return f"{{'k': {number}, 'l': 5}}"

    def _num(self, depth: int) -> str:
        e = self.expression
        return self._pick(
            lambda: f"({e('num', depth)} {self._random.choice('+-')} {e('num', depth)})",
            lambda: f"({e('num', depth)} * {e('num', depth)}) % 1009",
            lambda: f"{e('num', depth)} / 4",
            lambda: f"({e('num', depth)} // 3 % 7) ** 2",
            lambda: f"{e('num', depth)} / {e('num', depth)}",
            lambda: f"round(abs({e('num', depth)}), 1)",
            lambda: f"{self._random.choice(['min', 'max'])}({e('num', depth)}, 5)",
            lambda: f"{self._random.choice(['sum', 'len', 'max'])}({e('nums', depth)})",
            lambda: f"{e('nums', depth)}[{self._random.choice(['0', '-1', '1'])}]",
            lambda: f"len({e('text', depth)})",
            lambda: f"max({e('recs', depth)}, key=lambda r: r['n'])['n']",
            lambda: f"{e('dict', depth)}.get('k', 3)",
            lambda: f"{e('dict', depth)}['k']",
            lambda: (
                f"({e('num', depth)} if {e('bool', depth)} else {e('num', depth)})"
                if self._quiet
                else f"-{e('num', depth)}"
            ),
            lambda: f"math.floor({e('num', depth)})",
            lambda: f"mean({e('nums', depth)})",
        )

    def _text(self, depth: int) -> str:
        e = self.expression
        return self._pick(
            lambda: f"({e('text', depth)} + {e('text', depth)})",
            self._f_string,
            lambda: f"{e('text', depth)}.upper()",
            lambda: f"'n' + str({e('num', depth)})",
            lambda: f"('t' + ', '.join({e('texts', depth)}))",
            lambda: f"{e('text', depth)}[:3]",
            lambda: f"{e('text', depth)}.replace('a', 'b')",
            lambda: f"largest({{'a': {e('num', depth)}, 'b': {e('num', depth)}}})",
        )

    def _f_string(self) -> str:
        quiet = self._quiet
        self._quiet += 1
        holes = []
        for _ in range(self._random.randint(0, 3)):
            name = self._random.choice([*self.names, "1"])
            spec = ":.1f" if self.names.get(name) == "num" and self._chance(0.5) else ""
            holes.append(
                f"{{{name}{spec}}}"
                if self._chance(0.6)
                else f"{{{self._simple(quiet)} * 2:>9,.2f}}"
            )
        self._quiet -= 1
        return 'f"w {{}} $2 ' + " and ".join(holes) + '"'

    def _simple(self, quiet: int) -> str:
        return self._random.choice([*self._of("num"), "3", "4" if quiet else "num('q')"])

    def _bool(self, depth: int) -> str:
        e = self.expression
        operator = self._random.choice(["<", "<=", "==", "!=", ">"])
        kind = self._random.choice(["num", "text"])
        return self._pick(
            lambda: f"({e(kind, depth)} {operator} {e(kind, depth)})",
            lambda: f"(not {e('bool', depth)})",
            lambda: f"({self._still('bool', depth)} and {self._still('bool', depth)})",
            lambda: f"({e('num', depth)} in {e('nums', depth)})",
            lambda: f"any({self._comprehended('bool', depth)})",
        )

    def _still(self, kind: str, depth: int) -> str:
        """An expression without calls."""
        self._quiet += 1
        written = self.expression(kind, depth)
        self._quiet -= 1
        return written

    def _comprehended(self, kind: str, depth: int, *, brackets: bool = True) -> str:
        """A comprehension of items of a kind."""
        source = self.expression("nums", depth)
        name = f"i{self._inner}"
        self._inner += 1
        self.names[name] = "num"
        element = self._still(kind, depth)
        condition = f" if {self._still('bool', depth)}" if self._chance(0.4) else ""
        del self.names[name]
        self._inner -= 1
        inside = f"{element} for {name} in {source}{condition}"
        return f"[{inside}]" if brackets else inside

    def _nums(self, depth: int) -> str:
        e = self.expression
        return self._pick(
            lambda: self._comprehended("num", depth),
            lambda: f"sorted({e('nums', depth)}, reverse=True)",
            lambda: f"list(range({self._random.randint(0, 5)}))",
            lambda: f"(list({e('nums', depth)}) + [1])",
            lambda: f"{e('nums', depth)}[{self._random.choice(['1:', ':2', '::-1', ':'])}]",
            lambda: (
                f"[r.n for r in records({e('num', depth)})]"
                if not self._quiet
                else f"[r['n'] for r in {e('recs', depth)}]"
            ),
            lambda: f"list({e('dict', depth)}.values())",
            lambda: f"[x * y for x, y in zip({e('nums', depth)}, {e('nums', depth)})]",
            lambda: f"[{e('num', depth)}, *{e('nums', depth)}]",
        )

    def _texts(self, depth: int) -> str:
        e = self.expression
        return self._pick(
            lambda: f"[{e('text', depth)}]",
            lambda: f"[r['name'] for r in {e('recs', depth)}]",
            lambda: self._comprehended("text", depth),
            lambda: f"sorted({e('texts', depth)})",
            lambda: f"{e('text', depth)}.split(' ')",
        )

    def _recs(self, depth: int) -> str:
        e = self.expression
        return self._pick(
            lambda: f"[{{'n': {e('num', depth)}, 'name': {e('text', depth)}}}]",
            lambda: f"sorted({e('recs', depth)}, key=lambda r: (r['n'], r['name']))",
            lambda: f"[r for r in {e('recs', depth)} if r['n'] > 1]",
        )

    def _dict(self, depth: int) -> str:
        e = self.expression
        return self._pick(
            lambda: f"{{'k': {e('num', depth)}, 'm': {e('num', depth)}}}",
            lambda: f"{{'k' + str(k): v for k, v in enumerate({e('nums', depth)})}}",
            lambda: f"{{**{e('dict', depth)}, 'k': 1}}",
            lambda: f"dict(zip({e('texts', depth)}, {e('nums', depth)}))",
        )
