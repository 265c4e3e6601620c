"""Random programs of what Python's values do: keys that are numbers, names that share a list or a
dict, slices, formats, rounding, texts, unpacking, sorting, sets, and errors in conditions.

They keep to where Python and the plan language agree: texts begin with a letter, and whole numbers
have 64 bits.
"""

from random import Random

_NUMBERS = (
    "0", "1", "-1", "2", "-7", "13", "0.5", "1.5", "2.5", "-2.5", "0.1", "2.675", "1e3", "1e16",
    "1234567.891", "-0.0", "1e-7", "104729",
)  # fmt: skip
_WHOLE = ("0", "1", "2", "3", "-1", "-2", "5", "7", "12", "-13")
_TEXTS = (
    "'a'", "'b c'", "'Ab,cd,,e'", "'é x'", "'k=v'", "'xxhixx'", "'tEsT'", "'z' * 3",
)  # fmt: skip
_SPECS = (".2f", ",.0f", "e", ".3g", "+.1f", "08.2f", ">9", "<6", "^7", ".1%", "g", "_.2f", " .1f")
_WHOLE_SPECS = ("d", "x", "b", "o", "#x", "05d", ",", ">4", "+d", "X", "c")
_METHODS = (
    "upper()", "lower()", "title()", "capitalize()", "swapcase()", "strip()", "strip('x')",
    "lstrip('x')", "split()", "split(',')", "rsplit(',', 1)", "splitlines()", "partition('=')",
    "rpartition(',')", "replace('x', 'yy')", "replace('x', '', 1)", "find('c')", "rfind('x')",
    "count('x')", "startswith('x')", "endswith('e')", "index('a')", "removeprefix('xx')",
    "isalpha()", "isupper()", "zfill(6)", "casefold()", "join(['p', 'q'])", "isspace()",
)  # fmt: skip
_BINARY = ("+", "-", "*", "/", "//", "%")
_COMPARED = ("<", "<=", "==", "!=", ">", ">=")


class PythonWriter:
    """Writes one program."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._names: dict[str, list[str]] = {"num": [], "text": [], "nums": [], "keyed": []}
        self._made = 0

    def program(self) -> str:
        lines = [self._statement() for _ in range(self._random.randint(2, 8))]
        if self._names["num"] or self._names["keyed"]:
            shown = self._of("num"), self._of("keyed"), self._of("text")
            lines.append('answer(f"w {{{}}} {{{}}} {{{}}}")'.format(*shown))
        return "\n".join(lines) + "\n"

    def _pick(self, *choices: str) -> str:
        return self._random.choice(choices)

    def _of(self, kind: str) -> str:
        """A name of a kind, or something written."""
        names = self._names[kind]
        if names and self._random.random() < 0.6:
            return self._random.choice(names)
        one, two = self._random.choice(_WHOLE), self._random.choice(_NUMBERS)
        match kind:
            case "num":
                return self._pick(two, two, one, f"num({one})", f"({two} {self._pick('+', '-')} 1)")
            case "text":
                return self._random.choice(_TEXTS)
            case "nums":
                return self._pick(f"[{one}, {two}, 3]", "[3, 1, 2, 1]", f"numbers({one})", "[]")
        return self._pick(f"dict([[{one}, 'p'], [2, {two}]])", "dict([[1, 2]])")

    def _bound(self, kind: str) -> str:
        self._made += 1
        name = f"v{self._made}"
        if kind:
            self._names[kind].append(name)
        return name

    def _statement(self) -> str:
        value, kind = self._value()
        if "\n" in value or not kind:
            return value
        return f"{self._bound(kind if kind in self._names else '')} = {value}"

    def _value(self) -> tuple[str, str]:
        one, two, whole = self._of("num"), self._of("num"), self._random.choice(_WHOLE)
        text, nums, keyed = self._of("text"), self._of("nums"), self._of("keyed")
        at = self._pick("0", "-1", "1", "-2", "5")
        piece = self._pick("1:", ":2", "-2:", "::-1", "::2", "1:-1", ":-1", "5:", "-1:0", "2::-1")
        compared = [self._random.choice(_COMPARED) for _ in range(2)]
        match self._random.randint(0, 21):
            case 0:
                return f"{one} {self._random.choice(_BINARY)} {two}", "num"
            case 1:
                digits = self._pick("", ", 1", ", 2", ", -1", ", 0")
                return f"round({one}{digits})", "num"
            case 2:
                return f"{one} {compared[0]} {two} {compared[1]} {whole}", "bool"
            case 3:
                spec = self._random.choice(_SPECS)
                return f'f"w{{{one}:{spec}}}|{{{text}!r:>9}}|{{len({nums})}}"', "text"
            case 4:
                return f'f"w{{{whole}:{self._random.choice(_WHOLE_SPECS)}}}"', "text"
            case 5:
                return f"({text}).{self._random.choice(_METHODS)}", "any"
            case 6:
                return f"({text})[{self._pick(at, piece)}]", "text"
            case 7:
                return f"({nums})[{piece}]", "nums"
            case 8:
                return f"({nums})[{at}]", "num"
            case 9:
                name = self._bound("keyed")
                source = self._pick(nums, "[3, 1, 2]", "range(3)")
                made = self._pick("num(k)", "k * 2", "[k]", "str(k)")
                return f"{name} = {{k: {made} for k in {source}}}\n", ""
            case 10:
                read = self._pick(
                    "sorted({})", "[k for k in {}]", "list({}.items())", "max({})", "len({})",
                    "{}[1]", "{}.get(2)", "1 in {}", "sum({})", "min({}, key=lambda k: -k)",
                    "[k + 1 for k, v in {}.items()]", "dict(sorted({}.items()))", "num({})",
                    "{{**{}, 9: 0}}", "{{v: k for k, v in enumerate({})}}", "str({})", "save({})",
                )  # fmt: skip
                return read.format(keyed), "any"
            case 11:
                body = self._pick("save(k)", "save(v)", "num(k)", f"{self._bound('')} = k")
                return f"for k, v in {keyed}.items():\n    {body}", ""
            case 12:
                star = self._pick("{}, *{} = ", "*{}, {} = ", "{}, {} = ", "{}, *{}, _z = ")
                names = star.format(self._bound(""), self._bound(""))
                return f"{names}{nums}\n", ""
            case 13:
                rows = self._pick(
                    "[[2, 'b'], [1, 'z'], [2, 'a']]", f"[[i % 2, i] for i in {nums}]",
                    f"list(enumerate({nums}))", "[[1, 'x'], [1.0, 'a'], [True, 'm']]",
                )  # fmt: skip
                way = self._pick("", ", reverse=True")
                return f"sorted({rows}, key=lambda r: r[0]{way})", "any"
            case 14:
                extreme = self._pick("min", "max")
                given = self._pick(f"{one}, {two}", nums, f"{nums}, default=-1", f"[{one}, 2.0, 2]")
                return f"{extreme}({given})", "num"
            case 15:
                return f"sum({self._pick(nums, '[0.1] * 10', f'[{one}, 0.2, 0.3]')})", "num"
            case 16:
                name = self._pick("k", "v", *self._names["num"])
                return f"[{name} for {name} in {nums} if {name} {compared[0]} 1]", "nums"
            case 17:
                failing = self._pick(f"10 / {whole} > 1", f"{nums}[1] > 0", f"{keyed}[1] == 2")
                return f"if {failing}:\n    save(1)\nelse:\n    save(2)\n", ""
            case 18:
                return self._grouped(nums), ""
            case 19:
                ways = "{0} | {1}", "{0} & {1}", "{0} - {1}", "{0} ^ {1}", "{0} <= {1}", "3 in {0}"
                sets = f"set({nums})", "{1, 2, 3}"
                return self._random.choice(ways).format(*sets), "any"
            case 20:
                joined = self._pick("and", "or")
                return f"({one} {joined} {two})", "num"
        if self._random.random() < 0.3:
            return f"9007199254740993 {self._pick('+', '-', '//', '%')} {whole}", "any"
        return f"int({one}) % 3 + abs({whole}) ** 2 - -{whole} // 2", "num"

    def _grouped(self, nums: str) -> str:
        """A loop in which several names are one list or dict."""
        name = self._bound("keyed")
        key = self._pick("k % 2", "k", "k // 2")
        body = self._pick(
            f"g = {name}.setdefault({key}, [])\n    g.append(k)",
            f"if {key} not in {name}:\n        {name}[{key}] = []\n    g = {name}[{key}]\n"
            "    g += [k]",
            f"g = {name}.setdefault({key}, dict())\n    g['n'] = g.get('n', 0) + 1\n    h = g\n"
            "    h['m'] = k",
            f"{name}.setdefault({key}, []).append(num(len({name})))",
            f"{name}[{key}] = {name}.get({key}, 0) + num(k)",
            f"{name}[k] = num(k)\n    if len({name}) > 2: break",
        )
        return f"{name} = {{}}\nfor k in {nums}:\n    {body}\n"
