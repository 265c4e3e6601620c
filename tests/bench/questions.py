"""Asks a model the questions of `questions.json`, and counts the right answers.

    python -m tests.bench.questions --split report [--model local] [--ids t01,t02] [--plans]

Right is an answer whose first figure (or, for a name, whose first mentioned candidate) is the one
that was worked out beforehand. The split `tune` is for tuning prompts and worked plans, `check` for
seeing whether that helped, `report` for reporting.
"""

import argparse
import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

from llm_compiler import Context, build_graph
from llm_compiler.language.references import as_text
from llm_compiler.prompting.annotated_program import called

QUESTIONS = Path(__file__).with_name("questions.json")
LIBRARY = Path(__file__).parents[2] / "tools" / "library"
_FIGURE = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


def right(question: dict[str, Any], answer: str) -> bool:
    """Whether an answer gives what was worked out."""
    expected = question["answer"]
    if "number" in expected:
        own = set(_figures(question["question"]))
        figures = [figure for figure in _figures(answer) if figure not in own]
        close = [abs(f - expected["number"]) <= max(expected["tolerance"], 1e-9) for f in figures]
        return bool(close) and close[0]
    names = expected["text"] if isinstance(expected["text"], list) else [expected["text"]]
    candidates = [*names, *map(_title, question["subjects"])]
    found = {name: answer.casefold().find(name.casefold()) for name in candidates}
    mentioned = {name: at for name, at in found.items() if at >= 0}
    return bool(mentioned) and min(mentioned, key=lambda name: mentioned[name]) in names


def _figures(text: str) -> list[float]:
    return [float(figure.replace(",", "")) for figure in _FIGURE.findall(text)]


def _title(file: str) -> str:
    return (LIBRARY / file).read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ")


async def ask(question: dict[str, Any], model: str | None, *, plans: bool) -> tuple[bool, float]:
    """Ask one question; print what came of it."""
    graph = build_graph()
    began = time.perf_counter()
    context = Context(model=model) if model else Context()
    state = await graph.ainvoke({"messages": [("user", question["question"])]}, context=context)
    seconds = time.perf_counter() - began
    answer = state["messages"][-1].text
    good = right(question, answer)
    usage = " ".join(
        f"{role} {u['calls']}: {u['input']} in {u['output']} out"
        for role, u in state["usage"].items()
    )
    print(
        f"{'right' if good else 'WRONG'} {question['id']} {seconds:5.1f} s  {question['question']}"
    )
    print(f"      {answer!r}   expected {question['answer']}")
    print(f"      rounds {state['round']}; {usage}")
    if plans:
        for task in state["plan"]:
            if task["thought"]:
                print(f"        Thought: {task['thought']}")
            outcome = state["outcomes"][str(task["id"])]
            text = as_text(outcome["value"]).replace("\n", " ")[:70]
            print(f"        {called(task)}  {outcome['status']}: {outcome['error'] or text}")
    return good, seconds


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", choices=["tune", "check", "report"], default="report")
    parser.add_argument("--model")
    parser.add_argument("--ids", default="")
    parser.add_argument("--plans", action="store_true")
    wanted = parser.parse_args()
    ids = set(filter(None, wanted.ids.split(",")))
    questions = [
        question
        for question in json.loads(QUESTIONS.read_text(encoding="utf-8"))
        if (question["id"] in ids if ids else question["split"] == wanted.split)
    ]
    results = [await ask(question, wanted.model, plans=wanted.plans) for question in questions]
    seconds = sorted(took for _, took in results)
    rightly = sum(good for good, _ in results)
    median = seconds[len(seconds) // 2]
    print(f"{rightly} of {len(results)} right; median {median:.1f} s")


if __name__ == "__main__":
    asyncio.run(main())
