"""Plans in stages: a stricter form of the plan language, for models too small to keep track of ids.

A small model asks `math` for the text that `search` found, or names a task that it never wrote. In
a staged plan an id tells of what kind a result is, and a grammar can hold the model to it:

    1. search("Loire")                           stage 0: ids 1 to 9, texts
    2. search("Thames")
    11. number("length of the Loire in km", $1)  stage 1: ids 11 to 19, numbers read from texts
    12. number("length of the Thames in km", $2)
    21. math("$11 - $12")                        stage 2: ids 21 to 29, what is computed from them
    22. join()

Stages come in their order; within one, ids count up, and references go back. Such a plan is written
after a thought, and begins the turn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from llm_compiler.language.parser import JOIN
from llm_compiler.language.tool import Tool

_MAX_TASKS_PER_STAGE = 9
"""Tasks of a stage: their ids differ in the last digit."""
_COUNTED = 3
"""Tasks to refer to, up to which a reference is held to those that stand there. With more it may
name any: few plans get so far, and each number is a copy of the rules of the calls."""
_STAGES = 3
_STAGE_OF = {"search": 0, "read": 0, "number": 1, "math": 2, "pick": 2}
"""By the tool's name: the stage that its tasks belong to."""
_READS = {0: (0,), 1: (0,), 2: (1, 2)}
"""By stage: the stages to which its tasks may refer."""


def stages_of(tools: Sequence[Tool]) -> dict[int, list[Tool]] | None:
    """The tools of each stage, or None if there is one without."""
    found: dict[int, list[Tool]] = {}
    for tool in tools:
        if (stage := _STAGE_OF.get(tool.name)) is None:
            return None
        found.setdefault(stage, []).append(tool)
    return dict(sorted(found.items())) or None


def staged_rules(
    stages: Mapping[int, Sequence[Tool]], call: Callable[[Tool, str], str]
) -> dict[str, str]:
    """The rules of staged plans; `tasks` is the first.

    `call` returns the name of the rule of a tool's calls that refer to ids of a pattern.
    """
    written: dict[tuple[str, str], str] = {}

    def rule_of(tool: Tool, ids: str) -> str:
        if (tool.name, ids) not in written:
            written[tool.name, ids] = call(tool, ids)
        return written[tool.name, ids]

    starts = [_Place(stage, 1, 0) for stage in stages]
    rules = {"tasks": " | ".join(map(str, starts))}
    met = list(starts)
    for place in met:  # which grows
        if str(place) in rules:
            continue
        calls = " | ".join(rule_of(tool, place.readable) for tool in stages[place.stage])
        behind = place.next
        ways = [f'"{place.id}. " ({calls}) "\\n" {behind or _closing(place.id + 1)}']
        if place.number > 1:
            later = [place.enter(stage) for stage in stages if stage > place.stage]
            ways += [*map(str, later), _closing(place.id)]
            met += later
        met += [behind] if behind else []
        rules[str(place)] = " | ".join(ways)
    return rules


@dataclass(frozen=True)
class _Place:
    """Where a task may be written."""

    stage: int
    number: int
    """In its stage, from 1."""
    before: int
    """Tasks of the stage before, as far as they are counted."""

    def __str__(self) -> str:
        return f"stage-{self.stage}-{self.number}-of-{self.before}"

    @property
    def id(self) -> int:
        return 10 * self.stage + self.number

    @property
    def next(self) -> "_Place | None":
        return replace(self, number=self.number + 1) if self.number < _MAX_TASKS_PER_STAGE else None

    def enter(self, stage: int) -> "_Place":
        """The first place of a later stage, when this one is left out."""
        if stage > self.stage + 1:
            return _Place(stage, 1, 0)
        # The calls of the last stage have the most rules: it only knows that there are numbers.
        last = stage == _STAGES - 1
        return _Place(stage, 1, _MAX_TASKS_PER_STAGE if last else _counted(self.number - 1))

    @property
    def readable(self) -> str:
        """The ids that a call here may refer to, as a pattern."""
        there = {self.stage: _counted(self.number - 1), self.stage - 1: self.before}
        patterns = []
        for read in _READS[self.stage]:
            if last := there.get(read, _MAX_TASKS_PER_STAGE):
                decade = f'"{read}" ' if read else ""
                patterns.append(f"{decade}[1-{last}]")
        return " | ".join(patterns)


def _counted(tasks: int) -> int:
    return tasks if tasks <= _COUNTED else _MAX_TASKS_PER_STAGE


def _closing(id: int) -> str:
    return f'"{id}. {JOIN}()"'


STAGE_RULES = {
    str(_Place(stage, number, before))
    for stage in range(_STAGES)
    for number in range(1, _MAX_TASKS_PER_STAGE + 1)
    for before in range(_MAX_TASKS_PER_STAGE + 1)
}
