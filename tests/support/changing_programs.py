"""Random programs that change lists, dicts and sets in every way, in loops with and without calls.

They keep to what the plan language allows: no other name refers to what is changed.
"""

from tests.support.fake_tools import WRITES
from tests.support.flow_programs import FlowWriter

_KINDS = ("acc", "grp", "mul", "bag", "row")
"""Lists of numbers, dicts of numbers, dicts of lists, sets of numbers, and lists of dicts."""
_EMPTY = {"acc": "[]", "grp": "{}", "mul": "{}", "bag": "set()"}


class ChangingWriter(FlowWriter):
    """Writes one program."""

    def program(self) -> str:
        self._random.seed(self._random.random())
        lines = [self._made_anew() for _ in range(self._random.randint(1, 3))]
        lines += [self._statement() for _ in range(self._random.randint(2, 6))]
        if self._chance(0.7):
            lines.append(f"answer({self._said()})")
        return "\n".join(lines) + "\n"

    # ── statements ────────────────────────────────────────────────────────────────────────────

    def _statement(self) -> str:
        choice = self._random.random()
        if choice < 0.3 and self._added:
            return self._adding(self._random.choice(self._added))
        if choice < 0.36 and not self._fixed:
            return self._made_anew()
        if choice < 0.42 and self._depth < 3:
            return self._unpacking_loop()
        if choice < 0.5 and self._depth < 3:
            return self._pure_loop()
        if choice < 0.56:
            return self._shadowing()
        if choice < 0.62:
            write = self._random.choice(list(WRITES))
            few = self._few()
            test = self._random.choice(["i != 2", "10 / i > 2", f"num(i) > {'i * 9'}"])
            return f"{self._bound('nums')} = [{write}(i) for i in {few} if {test}]"
        if choice < 0.66:
            failing = self._random.choice([f"4 / {self.expression('num', 1)}", "[1][2]", "1"])
            value = self.expression("num", 1)
            return f"{self._bound('nums')} = [{failing}, save({value})]"
        return super()._statement()

    def _made_anew(self) -> str:
        """A list, dict or set that can be changed."""
        self._made += 1
        kind = self._random.choice(_KINDS)
        name = f"{kind}{self._made}"
        source = _EMPTY.get(kind) or f"records({self.expression('num', 1)})"
        if kind == "acc" and self._chance(0.3):
            source = self._random.choice(["numbers(1)", "[3, 1, 2]"])
        self._added.append(name)
        return f"{name} = {source}"

    def _adding(self, name: str) -> str:
        number, kind = self.expression("num", 1), name.rstrip("0123456789")
        key = self._random.choice(["'a'", "'b'", "'k' + str({} % 2)"]).format(
            self.expression("num", 1)
        )
        few = self.expression("nums", 1)
        match kind:
            case "acc":
                choices = [
                    f"{name}.append({number})", f"{name}.append({number})", f"{name} += [{number}]",
                    f"{name}.extend({few})", f"{name}.insert(0, {number})", f"{name}.sort()",
                    f"{name}.sort(key=lambda v: -v, reverse=True)", f"{name}.reverse()",
                    f"{name}.remove({number})", f"{name}.clear()", f"{name} = {name} + [{number}]",
                    f"if {name}: {name}.pop()", f"{name}[0] = {number}", f"del {name}[-1]",
                    f"if {number} in {name}: {name}.remove({number})", f"{name} += {few}",
                ]  # fmt: skip
                if self._chance(0.15):
                    return f"{self._bound('num')} = {name}.pop()"
            case "grp":
                choices = [
                    f"{name}[{key}] = {number}", f"{name}[{key}] = {name}.get({key}, 0) + {number}",
                    f"{name}[{key}] += {number}", f"{name}.update({{{key}: {number}}})",
                    f"{name}.setdefault({key}, {number})", f"if {key} in {name}: del {name}[{key}]",
                    f"{name}.pop({key}, None)", f"{name}.pop({key})",
                    f"{name}.update(z={number})",
                ]  # fmt: skip
            case "mul":
                if name in number:
                    number = "4"  # it is evaluated behind `setdefault`
                choices = [
                    f"{name}.setdefault({key}, []).append({number})",
                    f"{name}.setdefault({key}, []).append({number})",
                    f"{name}[{key}] = [{number}]",
                    f"if {key} in {name}: {name}[{key}].append({number})",
                    f"{name}[{key}].append({number})", f"{name}[{key}].sort()",
                    f"if {key} not in {name}:\n    {name}[{key}] = []\n{name}[{key}].append(1)",
                    f"{name}[{key}][0] += {number}",
                ]  # fmt: skip
            case "bag":
                choices = [
                    f"{name}.add({number})", f"{name}.add({number})", f"{name}.discard({number})",
                    f"{name}.update({few})", f"{name} |= {{{number}}}",
                    f"if {number} not in {name}: {name}.add({number})",
                ]  # fmt: skip
                if self._chance(0.2):
                    return f"{self._bound('nums')} = sorted({name} - {{{number}}})"
                if self._chance(0.2):
                    return f"{self._bound('num')} = len({name} & {{{number}, 1}})"
            case _:
                self._quiet += 1
                more = self.expression("num", 1)
                self._quiet -= 1
                choices = [
                    f"for it in {name}: it['n'] = it['n'] + {more}",
                    f"for it in {name}:\n    if it['n'] != 1: it['n'] = num(it['n'])",
                    f"for it in {name}:\n    if it['n'] > 2: it['m'] = it['n'] * 2",
                    f"{name}.append({{'n': {number}, 'name': 'y'}})",
                    f"{name}.sort(key=lambda r: r['n'])",
                ]
                if self._chance(0.2):
                    return f"{self._bound('nums')} = [r['n'] for r in {name}]"
        return self._random.choice(choices)

    def _unpacking_loop(self) -> str:
        """A loop whose items may not be unpacked."""
        rows = self._random.choice(
            ["[[1, 2], [3]]", "[[1, 2], [3, 4]]", "[numbers(1)[:2], [5, 6], numbers(7)]"]
        )
        line = self._random.choice(["save(p)", "save([p, q])", "drop(q)"])
        if self._chance(0.3):
            line = f"{self._bound('num')} = p"
        return f"for p, q in {rows}:\n    {line}"

    def _pure_loop(self) -> str:
        """A loop without calls."""
        self._quiet += 1
        before, fixed, added = dict(self.names), self._fixed, [*self._added]
        one = f"i{self._inner}"
        self._inner += 1
        self._fixed = {**before, **fixed}
        heads = [f"in {self.expression('nums', 1)}", "in [1, 2, 3]", "in range(4)"]
        head = self._random.choice(heads)
        self.names[one] = "num"
        self._depth, depth = 3, self._depth
        lines = [self._pure_statement(one) for _ in range(self._random.randint(1, 3))]
        self._depth = depth
        self._inner -= 1
        self._quiet -= 1
        self.names, self._fixed, self._added = before, fixed, added
        body = "\n".join(f"    {it}" for it in "\n".join(lines).split("\n"))
        return f"for {one} {head}:\n{body}"

    def _pure_statement(self, one: str) -> str:
        if self._added and self._chance(0.5):
            return self._adding(self._random.choice(self._added))
        test, value = self.expression("bool", 1), self.expression("num", 1)
        if self._chance(0.2):
            return f"if {test}: {self._random.choice(['break', 'continue'])}"
        if self._chance(0.1):
            return f"u, v = {one}, [{one}]"
        name = self._bound("num")
        return self._random.choice(
            [
                f"{name} = {value}",
                f"if {test}:\n    {name} = {one}\nelse:\n    {name} = {one} * 2",
                f"for z in [{one}, 5]:\n    {name} = z\n    if {test}: break",
                f"{name}, {one} = {one}, 3",
            ]
        )

    def _shadowing(self) -> str:
        """A comprehension's variable has the name of another."""
        outer = self._random.choice([*filter(str.isidentifier, self._of("num")), "w"])
        few = self._few()
        inner = self._random.choice([
            f"[{outer} * 2 for {outer} in {few}]",
            f"[num({outer}) for {outer} in {few} if {outer}]",
            f"[x for r in [[num(j) for j in numbers(i)] for i in {few}] for x in r]",
            "[x + 1 for x in packed(3) if x]",
            f"[num(i) for i in packed({self.expression('num', 1)})]",
            f"[num(i) for i in [save(i) for i in {few}]]",
        ])  # fmt: skip
        return f"{self._bound('nums')} = {inner}"

    # ── expressions ───────────────────────────────────────────────────────────────────────────

    def expression(self, kind: str, depth: int) -> str:
        if kind == "num" and self._added and self._chance(0.12):
            return self._read(self._random.choice(self._added))
        return super().expression(kind, depth)

    def _read(self, name: str) -> str:
        """A number of what can be changed."""
        match name.rstrip("0123456789"):
            case "grp":
                choices = [f"{name}.get('a', 0)", f"sum({name}.values())", f"len({name}.keys())"]
            case "mul":
                choices = [f"len({name}.get('a', []))", f"sum([len(v) for v in {name}.values()])"]
            case "row":
                choices = [f"sum([r['n'] for r in {name}])", f"{name}[0]['n']"]
            case _:
                choices = [f"len({name})", f"sum({name})"]
        return self._random.choice(choices)
