"""Asks a model the questions of a set, and counts the right and the honest replies.

    python -m tests.bench.questions --set free --split report [--model local] [--ids f01,f02]
                                    [--plans] [--jsonl FILE]

| set | what is in it |
|---|---|
| `questions` | two and three steps |
| `hypothetical` | changed figures, ratios, averages and pairs, of one to five subjects |
| `compare` | changed figures, ratios, averages and pairs, asked plainly; for tuning alone |
| `free` | as people write, with what nobody can answer, small talk and other languages |

The split `tune` is for tuning prompts and worked plans, `check` (of `questions` and `compare`) for
seeing whether that helped, `report` for reporting. How replies are judged: `judging.py`.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llm_compiler import Context, build_graph
from tests.bench.judging import computed_by, honest, invented, right

SETS = ("questions", "hypothetical", "compare", "free")
SPLITS = ("tune", "check", "report")


def question_set(name: str) -> list[dict[str, Any]]:
    """The questions of a set, in its order."""
    text = Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8")
    questions: list[dict[str, Any]] = json.loads(text)
    return questions


async def ask(question: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Ask one question; return what came of it, judged, as plain data.

    An error ends the question and not the set: it counts as a reply without words.
    """
    began = time.perf_counter()
    state: Mapping[str, Any] = {}
    error = None
    try:
        state = await build_graph().ainvoke(
            {"messages": [("user", question["question"])]}, context=context
        )
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"
    seconds = time.perf_counter() - began
    reply = state["messages"][-1].text if state else ""
    computed = computed_by(state)
    truthful = honest(question, reply, computed)
    usage = state.get("usage", {})
    return {
        **{key: question[key] for key in ("id", "split", "kind", "question")},
        "language": question.get("language", "en"),
        "expected": question.get("answer") or question["expect"],
        "reply": reply,
        "error": error,
        "right": right(question, reply) if "answer" in question else truthful,
        "honest": truthful,
        "invented": invented(question, reply, computed),
        "seconds": round(seconds, 2),
        "rounds": state.get("round", 0),
        "calls": sum(role["calls"] for role in usage.values()),
        "input": sum(role["input"] for role in usage.values()),
        "output": sum(role["output"] for role in usage.values()),
        "usage": usage,
        "plan": statements(state),
    }


def statements(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The statements of a turn's plans, as their model wrote them, with the outcomes of each."""
    outcomes = state.get("outcomes", {})
    found: dict[Any, dict[str, Any]] = {}
    for task in state.get("plan", ()):
        source = task.get("source") or f"{task.get('tool')}({task.get('args')})"
        place = task.get("round"), task.get("line"), source
        empty: dict[str, Any] = {"round": place[0], "source": source, "outcomes": []}
        statement = found.setdefault(place, empty)
        for id, outcome in outcomes.items():
            # A task in a loop has an outcome for each of its instances: 7[0], 7[1].
            if id == str(task["id"]) or id.startswith(f"{task['id']}["):
                value = outcome["value"] if outcome["status"] == "ok" else outcome["error"]
                statement["outcomes"].append({"id": id, "status": outcome["status"], "is": value})
    return list(found.values())


def printed(result: Mapping[str, Any], *, plans: bool) -> Iterator[str]:
    """The lines about one question: one, and with `plans` its plans' statements below it."""
    verdict = "right" if result["right"] else "honest" if result["honest"] else "WRONG"
    made_up = f"; invented {', '.join(result['invented'])}" if result["invented"] else ""
    reply = " ".join((result["error"] or result["reply"]).split())
    yield (
        f"{verdict:6} {result['id']} {result['seconds']:5.1f} s, {result['calls']} calls, "
        f"{result['input']} in, {result['output']} out{made_up} | {result['question']} | "
        f"{reply!r}, expected {result['expected']}"
    )
    for statement in result["plan"] if plans else ():
        yield f"        {statement['round']}: {statement['source']}"
        for outcome in statement["outcomes"]:
            value = " ".join(str(outcome["is"]).split())[:90]
            yield f"          {outcome['id']} {outcome['status']}: {value}"


def totals(results: list[dict[str, Any]]) -> Iterator[str]:
    """The lines at the end: each kind of question, then all."""
    for kind in dict.fromkeys(result["kind"] for result in results):
        yield _total(kind, [result for result in results if result["kind"] == kind])
    yield _total("all", results)


def _total(name: str, results: list[dict[str, Any]]) -> str:
    count = len(results)
    counts = {key: sum(bool(result[key]) for result in results) for key in ("right", "honest")}
    made_up = sum(bool(result["invented"]) for result in results)
    means = {
        key: statistics.mean(result[key] for result in results)
        for key in ("calls", "input", "output")
    }
    median = statistics.median(result["seconds"] for result in results)
    return (
        f"{name}: {counts['right']} of {count} right, {counts['honest']} honest, {made_up} with "
        f"something invented; a question: {means['calls']:.1f} calls, {means['input']:.0f} tokens "
        f"in, {means['output']:.0f} out, {median:.1f} s (median)"
    )


async def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=SETS, default="questions")
    parser.add_argument("--split", choices=SPLITS, default="report")
    parser.add_argument("--ids", default="", help="these alone, of any split")
    parser.add_argument("--model", help="such as local or openai:NAME; else as the settings say")
    parser.add_argument("--plans", action="store_true", help="print the plans too")
    parser.add_argument("--jsonl", type=Path, help="write all that is known, one line a question")
    wanted = parser.parse_args(arguments)
    ids = set(filter(None, wanted.ids.split(",")))
    questions = [
        question
        for question in question_set(wanted.set)
        if (question["id"] in ids if ids else question["split"] == wanted.split)
    ]
    if not questions:
        parser.error(f"the set {wanted.set} has no such questions")
    context = Context(model=wanted.model) if wanted.model else Context()
    results = []
    if wanted.jsonl:
        wanted.jsonl.write_text("", encoding="utf-8")
    for question in questions:
        results.append(await ask(question, context))
        print(*printed(results[-1], plans=wanted.plans), sep="\n", flush=True)
        if wanted.jsonl:
            with wanted.jsonl.open("a", encoding="utf-8") as file:
                print(json.dumps(results[-1], ensure_ascii=False), file=file)
    print(*totals(results), sep="\n")


if __name__ == "__main__":
    asyncio.run(main())
