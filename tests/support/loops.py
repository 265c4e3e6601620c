"""Plans with loops and conditions: made at random, and run line after line."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from llm_compiler.errors import ToolError
from llm_compiler.language.evaluation.budget import Missing, MissingError
from llm_compiler.language.evaluation.compute import evaluate
from llm_compiler.language.evaluation.each import referred
from llm_compiler.language.evaluation.references import substitute
from llm_compiler.language.tasks.task import COMPUTE, EACH, Task, TaskData, When, is_pure
from llm_compiler.language.tasks.task_ids import TaskId, is_task
from llm_compiler.language.toolbox.tool_rules import ToolRules
from tests.support.effects import REJECTED, RULES, World


def made(data: Mapping[str, Any]) -> Task:
    """A task as a plan has it; its needs are what it refers to, and its condition."""
    id, tool, args, when = data["id"], data["tool"], data["args"], data.get("when")
    needs = dict.fromkeys(it for it in referred(id, tool, args) if is_task(it))
    needs |= dict.fromkeys(data.get("needs", ()))
    if when is not None:
        needs[when["id"]] = None
    condition = None if when is None else When(when["id"], when["holds"], when["line"])
    return Task(id, tool, args, tuple(needs), name=f"n{id}", line=1, when=condition)


def each(id: TaskId, items: Any, *body: TaskData, **more: Any) -> Task:
    """A loop; `more` are `value` and `keep`, or `names`."""
    return made({"id": id, "tool": EACH, "args": {"items": items, "body": list(body), **more}})


def inner(id: str, tool: str, args: dict[str, Any], **more: Any) -> TaskData:
    """A task in the body of a loop."""
    task = TaskData(id=id, tool=tool, args=args, needs=[], name="", line=1, source="")
    return cast(TaskData, {**task, **more})


# ── line after line ───────────────────────────────────────────────────────────────────────────


@dataclass
class Ended:
    status: str
    value: Any = None
    untaken: bool = False

    @property
    def failed(self) -> bool:
        return self.status in ("failed", "skipped") and not self.untaken


UNBOUND = Ended("unbound")


@dataclass
class Lines:
    """Runs tasks one after another."""

    world: World = field(default_factory=World)
    ended: dict[TaskId, Ended] = field(default_factory=dict)
    stopped: bool = False
    broken: dict[str, bool] = field(default_factory=dict)
    """By domain, whether what reads it does not go on: its last write did not happen."""

    def run(self, plan: Sequence[Task]) -> "Lines":
        for task in plan:
            self.ended[task.id] = ended = self._ended(task)
            self.stopped |= ended.failed
        return self

    def _ended(self, task: Task) -> Ended:
        stopped = self.stopped
        ended = self._outcome(task)
        for domain in _written(task):
            self.broken[domain] = ended.failed or (stopped and ended.status in ("skipped", "ok"))
        return ended

    def _outcome(self, task: Task) -> Ended:
        if task.when is not None:
            condition = self.ended[task.when.id]
            if condition.untaken or (
                condition.status == "ok" and bool(condition.value) != task.when.holds
            ):
                return Ended("skipped", untaken=True)
            if condition.status != "ok":
                return Ended("skipped")
        if is_pure(task.tool):
            return self._computed(task)
        if task.tool == EACH:
            return self._each(task)
        needs = [self.ended.get(id, UNBOUND) for id in referred(task.id, task.tool, task.args)]
        if any(it.status not in ("ok", "unbound") for it in needs):
            return Ended("skipped")
        if any(it is UNBOUND for it in needs):
            # What comes after a failure is stopped only once its arguments are known.
            return Ended("failed")
        rules = RULES[task.tool]
        behind = bool(rules.domain) and self.broken.get(rules.domain, False)
        if self.stopped if rules.writes else behind:
            return Ended("skipped")
        args = substitute(task.args, lambda id: self.ended[id].value, lambda id: True)
        if rules.asks and args["x"] == REJECTED:
            return Ended("rejected")
        value, error = self.world.call(task.tool, args)
        return Ended("ok", value) if error is None else Ended("failed")

    def _computed(self, task: Task) -> Ended:
        def result(id: TaskId) -> Any:
            it = self.ended.get(id, UNBOUND)
            skips = it.failed or it.status == "rejected"
            return it.value if it.status == "ok" else Missing("", skips)

        try:
            return Ended("ok", evaluate(str(task.args["expression"]), result))
        except MissingError as error:
            return Ended("skipped" if error.skips else "failed")
        except ToolError:
            return Ended("failed")

    def _each(self, task: Task) -> Ended:
        args = task.args
        listed = [self.ended.get(id, UNBOUND) for id in _ids({"items": args["items"]})]
        if any(it.status != "ok" for it in listed):
            return Ended("skipped")
        items = substitute(args["items"], lambda id: self.ended[id].value, lambda id: True)
        if not isinstance(items, list | dict | str):
            return Ended("failed")
        values, failed = [], False
        names = args.get("names", {})
        held = {name: self.ended.get(it["init"], UNBOUND) for name, it in names.items()}
        last = {name: it if it.status == "ok" else UNBOUND for name, it in held.items()}
        for index, item in enumerate(items):
            here = f"{task.id}[{index}]"
            body = json.loads(_iterated(json.dumps(args["body"]), task.id, index))
            self.ended[f"{here}.0"] = Ended("ok", item)
            for name, it in held.items():
                self.ended[f"{here}.{name}"] = it
            self.run([made(it) for it in body])
            failed |= any(self.ended[it["id"]].failed for it in body)
            held |= {
                name: self.ended[_iterated(it["next"], task.id, index)]
                for name, it in names.items()
            }
            last |= {name: it for name, it in held.items() if not it.untaken}
            if "value" in args:
                values.append(index)
        if failed:
            return Ended("failed")
        if "value" in args:
            return self._listed(task, values)
        bound = {name: it for name, it in last.items() if it is not UNBOUND}
        if any(it.status != "ok" for it in bound.values()):
            return Ended("failed")
        return Ended("ok", {name: it.value for name, it in bound.items()})

    def _listed(self, task: Task, indices: Sequence[int]) -> Ended:
        found = []
        for index in indices:
            if (keep := task.args.get("keep")) is not None:
                kept = self.ended[_iterated(keep, task.id, index)]
                if kept.untaken or (kept.status == "ok" and not kept.value):
                    continue
                if kept.status != "ok":
                    return Ended("failed")
            value = json.loads(_iterated(json.dumps(task.args["value"]), task.id, index))
            if any(self.ended.get(id, UNBOUND).status != "ok" for id in _ids({"value": value})):
                return Ended("failed")
            found.append(substitute(value, lambda id: self.ended[id].value, lambda id: True))
        return Ended("ok", found)


def _ids(args: Mapping[str, Any]) -> list[TaskId]:
    return [*referred(0, "see", args)]


def _iterated(text: str, loop: TaskId, index: int) -> str:
    return re.sub(rf"(?<![\d\].]){re.escape(str(loop))}\[\]", f"{loop}[{index}]", text)


def _written(task: Task) -> set[str]:
    if task.tool == EACH:
        return {domain for it in task.args["body"] for domain in _written(made(it))}
    rules = ToolRules() if is_pure(task.tool) else RULES[task.tool]
    return {rules.domain} if rules.writes else set()


# ── at random ─────────────────────────────────────────────────────────────────────────────────


class Writing:
    """Writes a random plan."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def plan(self, size: int) -> list[Task]:
        known: list[str] = []
        plan = []
        for id in range(1, size + 1):
            data = self._task(id, known, [], depth=0)
            plan.append(made(data))
            known.append(f"${id}")
        return plan

    def _task(self, id: TaskId, known: list[str], values: list[str], depth: int) -> dict[str, Any]:
        """A task that may refer to `known` tasks, and to `values` of loops."""
        choice = self._random.random()
        if depth < 2 and choice < 0.25:
            data = self._each(id, known, values, depth)
        elif choice < 0.5:
            data = {"tool": COMPUTE, "args": {"expression": self._expression(known, values)}}
        else:
            of = self._some([*known, *values])
            x = self._random.choice([1, 1, 2, 3, 4, 5, *values])
            data = {"tool": self._random.choice([*RULES]), "args": {"x": x, "from": of}}
        if known and self._random.random() < 0.3:
            condition = self._random.choice(known)
            on = condition.strip("$()")
            holds = self._random.random() < 0.6
            data["when"] = {"id": int(on) if on.isdigit() else on, "holds": holds, "line": 3}
        return {"id": id, "name": "", "line": 1, "source": "", "needs": [], **data}

    def _expression(self, known: list[str], values: list[str]) -> str:
        refs = [*known[-5:], *values]
        a, b, c = (self._random.choice(refs or ["0"]) for _ in range(3))
        kinds = ["0", "1", f"[{a}]", f"{a} if {b} else {c}", f"{a} and {b}", f"[{a}][9]", "[]"]
        if values:
            kinds += [f"{self._random.choice(values)} == 1"] * 4
        return self._random.choice(kinds)

    def _each(self, id: TaskId, known: list[str], values: list[str], depth: int) -> dict[str, Any]:
        random, own = self._random, f"{id}[]"
        names = [f"v{it}" for it in range(random.choice([0, 0, 1, 2]))]
        inside = [*values, f"$({own}.0)", *(f"$({own}.{name})" for name in names)]
        seen, body = list(known), []
        for number in range(1, random.randint(1, 3) + 1):
            data = self._task(f"{own}.{number}", seen, inside, depth + 1)
            body.append(data)
            seen.append(f"$({data['id']})")
        ids = [it["id"] for it in body]
        items = random.choice([[], [1], [1, 2], [3, 1, 1], [1, 1, 5], "ab", 7])
        if known and random.random() < 0.3:
            items = random.choice(known)
        args: dict[str, Any] = {"items": items, "body": body}
        if names:
            outer: list[Any] = [_id(it) for it in known]
            ends = [*ids, f"{own}.0"]
            args["names"] = {
                name: {"init": random.choice([None, *outer]), "next": random.choice(ends)}
                for name in names
            }
        else:
            args["value"] = random.choice([f"$({random.choice(ids)})", [f"$({own}.0)"], "a"])
            args["keep"] = random.choice([None, None, *ids])
        return {"tool": EACH, "args": args}

    def _some(self, refs: list[str]) -> list[str]:
        count = self._random.choice([0, 0, 1, 2]) if refs else 0
        return [self._random.choice(refs) for _ in range(count)]


def _id(reference: str) -> TaskId:
    text = reference.strip("$()")
    return int(text) if text.isdigit() else text
