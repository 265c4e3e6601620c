"""Plans in stages: a stricter form of the plan language, for models too small to keep track of ids.

A small model asks `math` for the text that `search` found, or names a task that it never wrote. In
a staged plan an id tells of what kind a result is, and a grammar can hold the model to it:

    1. search("Loire")                           stage 0: ids 1 to 9, texts
    2. search("Thames")
    11. number("length of the Loire in km", $1)  stage 1: ids 11 to 19, numbers read from texts
    12. number("length of the Thames in km", $2)
    21. math("$11 - $12")                        stage 2: ids 21 to 29, what is computed from them
    22. join()

A tool says in its metadata which stage its tasks belong to, and to which stages they may refer:
`{"stage": 2, "reads": [1, 2]}`. Stages come in their order; within one, ids count up, and
references go back. Such a plan is written after a thought, and begins the turn.
"""

from collections.abc import Callable, Mapping, Sequence

from agent.parser import JOIN
from agent.toolbox import Tool

_MOST = 9
"""Tasks of a stage: their ids differ in the last digit."""
_EXACT = 4
"""From here on a place's references are not held to what stands before it: few plans get so far,
and each place so held is a copy of the rules of its calls."""
_STAGES = 3
STAGE_RULES = {f"stage-{s}-{p}" for s in range(_STAGES) for p in range(1, _MOST + 1)}


def stages_of(tools: Sequence[Tool]) -> dict[int, list[Tool]] | None:
    """The tools of each stage, or None if there is one without."""
    found: dict[int, list[Tool]] = {}
    for tool in tools:
        stage, reads = tool.hints.get("stage"), tool.hints.get("reads")
        if not isinstance(stage, int) or stage not in range(_STAGES) or not isinstance(reads, list):
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

    rules = {"tasks": " | ".join(f"stage-{stage}-1" for stage in stages)}
    for stage, tools in stages.items():
        later = [f"stage-{other}-1" for other in stages if other > stage]
        for place in range(1, _MOST + 1):
            calls = " | ".join(rule_of(tool, _readable(tool, stage, place)) for tool in tools)
            behind = f"stage-{stage}-{place + 1}" if place < _MOST else _last(stage, place, later)
            ways = [f'"{_id(stage, place)}. " ({calls}) "\\n" {behind}']
            if place > 1:
                ways += [*later, _join(stage, place)]
            rules[f"stage-{stage}-{place}"] = " | ".join(ways)
    return rules


def _last(stage: int, place: int, later: Sequence[str]) -> str:
    """What follows a full stage."""
    return f"({' | '.join([*later, _join(stage, place + 1)])})"


def _join(stage: int, place: int) -> str:
    return f'"{_id(stage, place)}. {JOIN}()"'


def _id(stage: int, place: int) -> int:
    return 10 * stage + place


def _readable(tool: Tool, stage: int, place: int) -> str:
    """The ids that a call at this place may refer to, as a pattern."""
    patterns = []
    for read in tool.hints["reads"]:
        earlier = place - 1 if read == stage else _MOST
        last = earlier if earlier < _EXACT else _MOST
        if last:
            decade = f'"{read}" ' if read else ""
            patterns.append(f"{decade}[1-{last}]")
    return " | ".join(patterns)
