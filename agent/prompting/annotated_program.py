"""What ran, as a program with its results as comments, for a model or a person to read.

    everest = number("height in m", search("Mount Everest"))  # 8848.86
    k2 = number("height in m", search("K 2"))  # search failed: nothing found on "K 2"

Results stand in comments only, each line of them behind a `#`, so none passes for a statement.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from llm_compiler.language.evaluation import compute
from llm_compiler.language.evaluation.references import references
from llm_compiler.language.tasks.task import (
    Outcome,
    OutcomeData,
    TaskData,
    did_not_compile,
    is_call,
    is_pure,
    went_well,
)
from llm_compiler.language.tasks.task_ids import TaskId, is_instance
from llm_compiler.prompting.calls_as_code import MAX_STATEMENT_CHARS, Calls
from llm_compiler.prompting.shown_instances import Instances, in_words
from llm_compiler.prompting.shown_values import in_line, whole
from llm_compiler.prompting.statement_check import StatementCheck
from llm_compiler.text import truncated
from llm_compiler.tools.fence import mark_for

_BLOCK = "  "
"""Begins each line of a long result, behind the `# ` of a comment."""
_NEEDS = re.compile(r"needs (\d{1,9}), which ")
_GONE_THROUGH = re.compile(r"^[ \t]*for ([\w, ]+) in ", re.MULTILINE)
_ASSIGNED = re.compile(
    r"(?m)^[ \t]*((?:[^\W\d]\w*\s*,\s*)*[^\W\d]\w*)\s*(?::[^=\n]*)?[-+*/%]*=(?!=)"
)


def annotated_program(
    plan: Iterable[TaskData],
    outcomes: Mapping[str, OutcomeData],
    max_chars: int,
    *,
    names: Mapping[str, str] | None = None,
    with_failures: bool = True,
) -> list[str]:
    """The statements that ran, in order of rounds and lines, each with its results.

    A long result is omitted if everything that reads it ended ok: those results contain what
    mattered. A statement that a person has edited is shown as the calls that it is now.

    Args:
        plan: The tasks of all rounds; those without an outcome are left out.
        outcomes: By id.
        max_chars: Of one result.
        names: The state's variables; those that no statement assigns are added: `x = 3`.
        with_failures: Whether to show the statements that did not end ok.
    """
    made, tasks = Instances(outcomes), dict[TaskId, TaskData]()
    for task in plan:
        if is_instance(task["id"]):
            made.add(task)
        elif str(task["id"]) in outcomes:
            tasks[task["id"]] = task
    ran = _Ran(tasks, {id: Outcome.of(outcomes[str(id)]) for id in tasks}, max_chars, made)
    statements = [it for group in _groups(tasks.values()) for it in ran.statements(group)]
    constant, derived = ran.variables(names or {}, statements)
    shown = (it for it in statements if with_failures or ran.is_ok(it))
    return [*constant, *map(ran.annotated, shown), *derived]


def fenced(lines: Sequence[str]) -> str:
    """Lines between delimiters that no result can guess or contain."""
    mark = mark_for("\n".join(lines))
    return "\n".join([f"<{mark}>", *lines, f"</{mark}>"])


def commented(text: str) -> str:
    """`text` as comment lines."""
    return "\n".join(f"# {line}".rstrip() for line in text.splitlines())


def why_not_ok(plan: Sequence[TaskData], outcomes: Mapping[str, OutcomeData]) -> list[str]:
    """What did not end ok and why, each once and in one line, without what followed from it."""
    tasks = {task["id"]: task for task in plan if not is_instance(task["id"])}
    ran = _Ran(tasks, {}, 0, Instances(outcomes))
    reasons = (
        f"{ran.calls.label(id)} {outcomes[str(id)]['status']}: {reason.splitlines()[0]}"
        for id in tasks
        if not went_well(outcomes[str(id)])
        and (reason := ran.reason(outcomes[str(id)]["error"])) is not None
    )
    return list(dict.fromkeys(reasons))


class _Statement(NamedTuple):
    code: str
    tasks: Sequence[TaskData]


def _groups(tasks: Iterable[TaskData]) -> Iterator[list[TaskData]]:
    """The tasks of each statement. Those without a known statement are each their own."""
    groups: dict[tuple[object, ...], list[TaskData]] = {}
    for task in tasks:
        source = task.get("source", "")
        place = (task.get("round", 0), task.get("line", 0))
        groups.setdefault((*place, source, "" if source else task["id"]), []).append(task)
    yield from (groups[key] for key in sorted(groups, key=lambda key: key[:2]))


class _Ran:
    """The tasks of a turn and how they ended. Each value is read once."""

    def __init__(
        self,
        tasks: Mapping[TaskId, TaskData],
        outcomes: Mapping[TaskId, Outcome],
        max_chars: int,
        made: Instances,
    ) -> None:
        self._tasks = tasks
        self._outcomes = outcomes
        self._made = made
        self._short: dict[TaskId, str] = {}
        self._long: dict[TaskId, str] = {}
        self._length: dict[TaskId, int] = {}
        for id, outcome in outcomes.items():
            if outcome.ok:
                text = whole(outcome.value)
                if (short := in_line(outcome.value, text)) is not None:
                    self._short[id] = short
                else:
                    self._long[id], self._length[id] = truncated(text, max_chars), len(text)
        self.calls = Calls(tasks, self._short)
        names = {id: name for id, task in tasks.items() if (name := task.get("name"))}
        self._check = StatementCheck(names)
        self._read: dict[TaskId, bool] = {}
        """For each result that is read: whether all that reads it ended ok."""
        for id, task in tasks.items():
            for it in references(task["args"]):
                ok = id in outcomes and outcomes[id].ok
                self._read[it.id] = self._read.get(it.id, True) and ok

    def statements(self, group: list[TaskData]) -> Iterator[_Statement]:
        """A statement as it was written if it still holds, else each of its calls."""
        source = group[0].get("source", "")
        if did_not_compile(group[0]):
            yield _Statement(truncated(group[0]["text"], MAX_STATEMENT_CHARS), group)
        elif source and self._still_says(source, group) and not self._made.edited(group):
            yield _Statement(source, group)
        else:
            for task in group:
                if task.get("name") or task["id"] not in self._long or not self._omits(task["id"]):
                    yield _Statement(self.calls.statement(task["id"]), [task])

    def _still_says(self, source: str, group: Sequence[TaskData]) -> bool:
        [first, *more] = group
        # Most statements are one call, which need not be parsed to be compared.
        lone = not more and is_call(first["tool"]) and source == self.calls.by_place(first["id"])
        return lone or self._check.still_says(source, group)

    def is_ok(self, statement: _Statement) -> bool:
        return all((it := self._outcomes[task["id"]]).ok or it.untaken for task in statement.tasks)

    def annotated(self, statement: _Statement) -> str:
        """A statement with its results and failures as comments."""
        code, tasks = statement
        [*_, last] = tasks
        if did_not_compile(last):
            return self._refused(code, self._outcomes[last["id"]])
        ok = self.is_ok(statement)
        main = [task["id"] for task in tasks if task.get("name")] or [last["id"]]
        said, inside, below = [], [], []
        for task in tasks:
            id, outcome = task["id"], self._outcomes[task["id"]]
            label = task.get("name") or task["tool"]
            shown = self._short.get(id)
            if (why := self._made.rejected(id)) is not None:
                inside.append(why)
            if outcome.untaken:
                said.append(f"not run: {outcome.error}")
            elif not outcome.ok:
                if (why := self._failure(task, tasks)) is not None:
                    said.append(why)
            elif id in main:
                alone = ok and len(main) == 1
                if shown is None and self._omits(id):
                    shown = f"({self._length[id]} characters)"
                elif shown is None:
                    below.append((None if alone else label, self._long[id]))
                if shown is not None:
                    said.append(shown if alone else f"{label} = {shown}")
            elif shown is None and not self._omits(id):
                below.append((label, self._long[id]))
            elif shown is not None and not is_pure(task["tool"]):
                inside.append(f"{label}: {shown}")
        comment = "; ".join(said) if not ok else ", ".join(said)
        if inside:
            comment = f"{comment} ({', '.join(inside)})".lstrip()
        lines = [_at_end(code, comment)]
        for title, text in below:
            lines += [f"# {title}:"] if title else []
            lines.append(commented("\n".join(_BLOCK + line for line in text.splitlines())))
        return "\n".join(lines)

    def variables(
        self, names: Mapping[str, str], statements: Iterable[_Statement]
    ) -> tuple[list[str], list[str]]:
        """The variables that no statement assigns: those without and those with results."""
        assigned = {
            name.strip()
            for statement in statements
            for form in (_ASSIGNED, _GONE_THROUGH)
            for found in form.finditer(statement.code)
            for name in found[1].split(",")
        }
        constant: list[str] = []
        derived: list[str] = []
        for name, value in names.items():
            ids = [*compute.references(value)]
            known = all(id in self._outcomes and self._outcomes[id].ok for id in ids)
            if name not in assigned and known and (text := self.calls.expression(value)) != name:
                (derived if ids else constant).append(f"{name} = {text}")
        return constant, derived

    def reason(self, error: str | None, among: Iterable[TaskId] | None = None) -> str | None:
        """An error as a sentence without ids; None if another's failure is all that it says."""
        text = in_words((error or "").strip()) or "no reason was given"
        needed = _NEEDS.match(text)
        if needed is None:
            return text
        id = int(needed[1])
        if id in (self._tasks if among is None else among):
            return None
        return f"needs {self.calls.label(id)}, which {text[needed.end() :]}"

    def _failure(self, task: TaskData, statement: Sequence[TaskData]) -> str | None:
        outcome = self._outcomes[task["id"]]
        reason = self.reason(outcome.error, {it["id"] for it in statement})
        if reason is None:
            return None
        calls = [it["tool"] for it in statement if not is_pure(it["tool"])]
        which = ""
        if task["id"] != statement[-1]["id"] and not is_pure(task["tool"]):
            alone = calls.count(task["tool"]) == 1
            which = f"{task['tool'] if alone else self.calls.label(task['id'])} "
        return f"{which}{outcome.status}: {reason}"

    def _omits(self, id: TaskId) -> bool:
        """Whether what reads a long result says all that matters of it."""
        return self._read.get(id, False)

    def _refused(self, code: str, outcome: Outcome) -> str:
        error = outcome.error or ""
        if "\n" not in code and f"\n    {code}\n" in error:
            return commented(error)  # it shows the statement
        if len(error.splitlines()) > 1:
            return f"{code}\n{commented(error)}"
        return _at_end(code, f"{outcome.status}: {error}")


def _at_end(code: str, comment: str) -> str:
    """`comment` at the end of a statement; its further lines, if any, below."""
    if not comment:
        return code
    first, *rest = comment.splitlines()
    return "\n".join([f"{code}  # {first}", *(commented(_BLOCK + line) for line in rest)])
