"""Random plans of tools with and without effects, also in loops, and what they must come to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

LOOKS = ("look", "scan")
"""Read-only; the second of each pair is sync."""
WRITES = ("write", "file")
"""Not destructive."""
PAYS = ("pay", "wipe")
"""Destructive."""
_KINDS = (*LOOKS * 3, *WRITES * 2, *PAYS * 2)

Ends = dict[int, tuple[str, int | None]]
"""How each task ended: its status, and its value if it is ok."""


@dataclass(frozen=True)
class Step:
    """One task of a random plan."""

    id: int
    tool: str
    inputs: tuple[int, ...]
    """The ids of earlier steps whose results it takes."""
    milliseconds: int
    decided_by: tuple[int, ...] = ()
    """The ids of earlier steps whose results its condition reads."""
    taken: bool = True
    """What its condition says."""

    @property
    def destructive(self) -> bool:
        return self.tool in PAYS

    @property
    def writes(self) -> bool:
        return self.tool in WRITES or self.destructive

    @property
    def target(self) -> str:
        """How its line begins, in a plan and where a model is shown it, whoever edited its call."""
        return f"x{self.id} = "

    @property
    def call(self) -> str:
        """How its call begins in a plan."""
        return f"{self.tool}({self.id}, "

    def line(self) -> str:
        """The step in the plan language."""
        inputs = ", ".join(f"x{id}" for id in self.inputs)
        return f"{self.target}{self.call}[{inputs}], {self.milliseconds})\n"


def random_plan(
    random: Random,
    count: int = 20,
    *,
    behind: Sequence[Step] = (),
    tools: Sequence[str] = _KINDS,
) -> list[Step]:
    """A DAG of `count` tasks, `behind` those of an earlier round."""
    before = [step.id for step in behind]
    steps = []
    for id in range(len(behind) + 1, len(behind) + count + 1):
        inputs = random.sample(before[-8:], min(len(before), random.choice((0, 1, 1, 2))))
        steps.append(Step(id, random.choice(tools), tuple(inputs), random.randint(1, 30)))
        before.append(id)
    return steps


@dataclass(frozen=True)
class Looped:
    """A plan with loops in it."""

    steps: list[Step]
    """What it comes to, one after another: those of loops have numbers of their own."""
    text: str
    """As a planner writes it."""
    ids: dict[int, str]
    """What the task of a step in a loop is called, by the step's number."""


def random_loops(random: Random) -> Looped:
    """Steps by themselves, and among them a loop in a loop over 30 items, and one of two calls."""
    order = ["nested", "pairs", *["step"] * 5]
    random.shuffle(order)
    steps: list[Step] = []
    lines: list[str] = []
    ids: dict[int, str] = {}
    named: list[int] = []
    for task, kind in enumerate(["step", *order], 1):
        inputs = tuple(random.sample(named, min(len(named), random.choice((0, 1)))))
        given = ", ".join(f"x{id}" for id in inputs)
        tool, pause = random.choice(_KINDS), random.randint(1, 20)
        if kind == "step":
            steps.append(Step(task, tool, inputs, pause))
            lines.append(steps[-1].line())
            named.append(task)
            continue
        first = task * 1000
        if kind == "nested":
            rows = [[first + 6 * row + n for n in range(6)] for row in range(5)]
            call = f"        {tool}(n, [{given}], {pause})\n"
            lines.append(f"for row in {rows}:\n    for n in row:\n{call}")
            for place, row in enumerate(rows):
                steps += [Step(n, tool, inputs, pause) for n in row]
                ids |= {n: f"{task}[{place}][{at}]" for at, n in enumerate(row)}
            continue
        pairs = [[first + 2 * n, first + 2 * n + 1] for n in range(3)]
        then = random.choice(_KINDS)
        calls = f"    seen = {tool}(pair[0], [{given}], {pause})\n    {then}(pair[1], [seen], 5)\n"
        lines.append(f"for pair in {pairs}:\n{calls}")
        for place, (a, b) in enumerate(pairs):
            steps += [Step(a, tool, inputs, pause), Step(b, then, (a,), 5)]
            ids |= {a: f"{task}[{place}].1", b: f"{task}[{place}].2"}
    return Looped(steps, "".join(lines), ids)


def text(steps: Sequence[Step]) -> str:
    """The plan as a planner writes it."""
    return "".join(step.line() for step in steps)


def value(id: int, inputs: Sequence[int]) -> int:
    """What each of the tools returns."""
    return (id + sum(inputs)) % 1_000_003


def ends(rounds: Sequence[Sequence[Step]], failed: Collection[int]) -> Ends:
    """How the tasks must end, when those in `failed` fail and nothing else does.

    A step that writes does not start when anything written before it in its round has failed.
    """
    found: Ends = {}
    for steps in rounds:
        sound = True
        for step in steps:
            inputs = [found[id] for id in step.inputs]
            if any(status != "ok" for status, _ in inputs) or (step.writes and not sound):
                found[step.id] = "skipped", None
            elif step.id in failed:
                found[step.id] = "failed", None
            else:
                found[step.id] = "ok", value(step.id, [it or 0 for _, it in inputs])
            sound = sound and found[step.id][0] == "ok"
    return found
