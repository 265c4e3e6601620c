"""What a reply may take its figures and names from: what was said, and what was found."""

import ast
import re
from collections.abc import Iterable, Mapping
from typing import Any

from llm_compiler.language.evaluation.compute import references
from llm_compiler.language.tasks.task import OutcomeData, TaskData, is_pure
from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.nodes.figures import Figures
from llm_compiler.nodes.own_figures import made_up_in
from llm_compiler.nodes.proper_names import KnownNames, folded
from llm_compiler.silent_parser import syntax_tree

_MAX_COUNT = 100
"""Up to this, the number of some of the items of a list needs no result that has it."""
_WORD = re.compile(r"[^\W\d_][\w'’]*")


class Facts:
    """All that a reply may take its figures and names from."""

    def __init__(self) -> None:
        self.figures = Figures()
        self.names = KnownNames()
        self.has_attachments = False
        """Whether pictures or files were said too, which are not read here: they may have any."""
        self.made_up: set[TaskId] = set()
        """The tasks whose values are the planner's own."""
        self._read: set[str] = set()
        """The texts that were read: names of arguments, say, come again with every call."""

    @classmethod
    def of(
        cls,
        said: Iterable[str],
        plan: Iterable[TaskData],
        outcomes: Mapping[str, OutcomeData],
        max_chars: int,
    ) -> "Facts":
        """Those in what was said, and in the results of a plan: `max_chars` of each text."""
        facts, calls = cls(), dict[str, set[str]]()
        for text in said:
            facts.take(text, max_chars)
        for task in plan:
            outcome = outcomes.get(str(task["id"]))
            if outcome is None:
                continue
            facts.take(outcome["error"] or "", max_chars)
            if outcome["status"] != "ok":
                facts._words(str(task.get("source") or task.get("args")))
                continue
            if not is_pure(task["tool"]):
                calls.setdefault(task["tool"], set()).add(str(task["args"]))
            elif facts._makes_up(task):
                facts.made_up.add(task["id"])
                facts._words(str(task.get("source")))
                continue  # the planner's own words and figures, which no result has
            facts.take(task["args"], max_chars)
            facts.take(outcome["value"], max_chars)
        facts.figures.count = max(facts.figures.count, *map(len, calls.values()), 1)
        return facts

    def _makes_up(self, task: TaskData) -> bool:
        """Whether what a task computes is its planner's own, or rests on what is."""
        expression = str(task["args"].get("expression", ""))
        return (
            _is_literal(expression)
            or not self.made_up.isdisjoint(task["needs"])
            or made_up_in(expression, self.figures) != ""
        )

    def take(self, value: Any, max_chars: int) -> None:
        """Take in JSON data."""
        waiting = [value]
        while waiting:
            item = waiting.pop()
            if isinstance(item, str):
                text = item[:max_chars]
                if text not in self._read:
                    self._read.add(text)
                    self.figures.read(text)
                    self._words(text)
            elif isinstance(item, list | dict):
                count = min(len(item), _MAX_COUNT)
                self.figures.add(len(item))
                self.figures.count = max(self.figures.count, count)
                waiting += [*item, *item.values()] if isinstance(item, dict) else item
            elif isinstance(item, int | float) and abs(item) < 1e300:
                self.figures.add(item)

    def _words(self, text: str) -> None:
        words = {folded(word) for word in _WORD.findall(text)}
        self.names.read(words)
        self.figures.read_words(words)


def _is_literal(expression: str) -> bool:
    """Whether an expression computes nothing."""
    if next(references(expression), None) is not None:
        return False
    try:
        ast.literal_eval(syntax_tree(expression, "eval"))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
