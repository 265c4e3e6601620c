"""Random plans with loops and conditions, of any tools, and what each task of them is called."""

from collections.abc import Sequence
from random import Random

from tests.campaigns.dag import Looped, Step

_PARTS = ("pairs", "sifted", "either", "either", "inside", *["step"] * 5)


def random_program(random: Random, tools: Sequence[str]) -> Looped:
    """Steps by themselves, and among them two conditions with both branches, a loop of two calls,
    one that leaves every second item out, and one in a branch."""
    return _Writing(random, tools).program()


class _Writing:
    def __init__(self, random: Random, tools: Sequence[str]) -> None:
        self._random, self._tools = random, tools
        self._steps: list[Step] = []
        self._lines: list[str] = []
        self._ids: dict[int, str] = {}
        self._named: list[int] = []
        self._task = 0
        """The id of the task that was written last."""

    def program(self) -> Looped:
        parts = [*_PARTS]
        self._random.shuffle(parts)
        for part in ("step", *parts):
            getattr(self, f"_{part}")()
        return Looped(self._steps, "".join(self._lines), self._ids)

    def _step(self) -> None:
        self._task += 1
        step = self._one(self._task)
        self._lines.append(step.line())
        self._named.append(step.id)

    def _either(self) -> None:
        known, holds = self._condition()
        for taken in (holds, not holds):
            self._task += 1
            self._lines.append("    " if taken is holds else "else:\n    ")
            self._lines.append(self._one(self._task, (known,), taken=taken).line())

    def _inside(self) -> None:
        known, holds = self._condition()
        self._loop([[self._number(n)] for n in range(3)], (known,), taken=holds, indent="    ")

    def _pairs(self) -> None:
        self._loop([[self._number(2 * n), self._number(2 * n + 1)] for n in range(3)])

    def _sifted(self) -> None:
        self._task += 1
        numbers = [self._task * 1000 + n for n in range(6)]
        call, step = self._call("n")
        sifted = f"for n in {numbers}:\n    if n % 2 == 0:\n        {call}\n"
        self._lines.append(sifted)
        for place, number in enumerate(numbers):
            self._made(number, f"{self._task}[{place}]", step, taken=number % 2 == 0)

    def _condition(self) -> tuple[int, bool]:
        self._task += 1  # it is a task itself
        known, holds = self._random.choice(self._named), self._random.random() < 2 / 3
        self._lines.append(f"if x{known} {'>=' if holds else '<'} 0:\n")
        return known, holds

    def _loop(
        self,
        rows: list[list[int]],
        decided_by: tuple[int, ...] = (),
        *,
        taken: bool = True,
        indent: str = "",
    ) -> None:
        """A loop over rows of numbers, with a call for each; the last also takes the first's."""
        self._task += 1
        row, then = f"row{self._task}", self._random.choice(self._tools)
        call, step = self._call(f"{row}[0]")
        lines = [f"for {row} in {rows}:", f"    {call}"]
        if len(rows[0]) > 1:
            lines[1] = f"    seen = {call}"
            lines.append(f"    {then}({row}[1], [seen], 5)")
        self._lines += [f"{indent}{line}\n" for line in lines]
        for place, (number, *more) in enumerate(rows):
            first = f"{self._task}[{place}]" + (".1" if more else "")
            self._made(number, first, step, decided_by, taken=taken)
            for second in more:
                of = Step(0, then, (number,), 5)
                self._made(second, f"{self._task}[{place}].2", of, decided_by, taken=taken)

    def _number(self, place: int) -> int:
        """That of a step in the loop which comes next."""
        return (self._task + 1) * 1000 + place

    def _call(self, number: str) -> tuple[str, Step]:
        """A call in a loop, and what all of its steps have in common."""
        step = self._drawn()
        given = ", ".join(f"x{id}" for id in step.inputs)
        return f"{step.tool}({number}, [{given}], {step.milliseconds})", step

    def _one(self, id: int, decided_by: tuple[int, ...] = (), *, taken: bool = True) -> Step:
        drawn = self._drawn()
        step = Step(id, drawn.tool, drawn.inputs, drawn.milliseconds, decided_by, taken)
        self._steps.append(step)
        return step

    def _made(
        self, number: int, id: str, of: Step, decided_by: tuple[int, ...] = (), *, taken: bool
    ) -> None:
        step = Step(number, of.tool, of.inputs, of.milliseconds, decided_by, taken)
        self._steps.append(step)
        self._ids[number] = id

    def _drawn(self) -> Step:
        known = self._random.sample(
            self._named, min(len(self._named), self._random.choice((0, 1, 1)))
        )
        tool = self._random.choice(self._tools)
        return Step(0, tool, tuple(known), self._random.randint(1, 20))
