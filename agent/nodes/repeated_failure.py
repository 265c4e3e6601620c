"""Whether another plan would fail as well: a small model writes the same calls again."""

import re

from llm_compiler.language.tasks.task import ANSWER
from llm_compiler.state import State

_LINE = re.compile(r"line \d+: ")


def failed_again(state: State) -> bool:
    """Whether this round failed for nothing but reasons for which an earlier one failed too."""
    seen: dict[bool, set[str]] = {True: set(), False: set()}
    for task in state["plan"]:
        outcome = state["outcomes"].get(str(task["id"]))
        if outcome is not None and outcome["status"] == "failed":
            # A diagnostic begins with its line and ends with its source.
            reason = _LINE.sub("", str(outcome["error"])).split("\n")[0]
            seen[task["round"] == state["round"]].add(f"{task['tool']}: {reason}")
    return bool(seen[True]) and seen[True] <= seen[False]


def said_again(state: State) -> bool:
    """Whether this round's plan ends in the words of an earlier one."""
    said: dict[bool, set[str]] = {True: set(), False: set()}
    for task in state["plan"]:
        if task["tool"] == ANSWER:
            said[task["round"] == state["round"]].add(str(task["args"].get("expression")))
    return not said[True].isdisjoint(said[False])
