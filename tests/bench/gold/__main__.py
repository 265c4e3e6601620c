"""`python -m tests.bench.gold BENCHMARK --data FOLDER`: how many gold sequences plans can say."""

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from tests.bench.gold import appworld, bfcl, nestful, restbench, seal_tools, tau_bench, ultratool
from tests.bench.gold.case import Case
from tests.bench.gold.running import KINDS, Verdict, judge

BENCHMARKS: Mapping[str, tuple[Callable[[Path], Iterator[Case]], str]] = {
    "appworld": (appworld.cases, "the package appworld on PyPI, its docs and data: data/"),
    "bfcl": (
        bfcl.cases,
        "ShishirPatil/gorilla: berkeley-function-call-leaderboard/bfcl_eval/data/",
    ),
    "bfcl-multi-turn": (bfcl.turns, "the same"),
    "nestful": (nestful.cases, "IBM/NESTFUL: data/"),
    "restbench": (restbench.cases, "Yifan-Song793/RestGPT: datasets/ and specs/"),
    "tau-bench": (tau_bench.cases, "sierra-research/tau-bench: tau_bench/envs/retail/ or airline/"),
    "ultratool": (ultratool.cases, "JoeYing1019/UltraTool: data/English-dataset/test_set/"),
    "seal-tools": (seal_tools.cases, "fairyshine/Seal-Tools: Seal-Tools_Dataset/"),
}
"""Each benchmark's converter, and the public repository and the folder in it that it reads."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gold", description=__doc__)
    parser.add_argument("benchmark", choices=[*BENCHMARKS])
    parser.add_argument("--data", type=Path, required=True, help="the folder with its files")
    parser.add_argument("--show", type=int, default=10, help="cases to show of each kind")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--programs", action="store_true", help="show the plans, too")
    options = parser.parse_args()
    convert, source = BENCHMARKS[options.benchmark]
    if not options.data.is_dir():
        parser.error(f"no folder {options.data}; put {source} there")
    begun = time.perf_counter()
    found = [case for case in convert(options.data) if options.only in case.name]
    if not found:
        parser.error(f"no gold sequence in {options.data}; put {source} there")
    verdicts = asyncio.run(_judged(found))
    _report(verdicts, options.show, options.programs)
    print(f"{len(verdicts):,} sequences in {time.perf_counter() - begun:.0f} s")


async def _judged(cases: Iterable[Case]) -> list[Verdict]:
    return [await judge(case) for case in cases]


def _report(verdicts: list[Verdict], shown: int, shown_program: bool) -> None:
    counts = Counter(verdict.kind for verdict in verdicts)
    for kind, meaning in KINDS.items():
        if not counts[kind]:
            continue
        print(f"{counts[kind]:6,}  {meaning}")
        if kind == "right":
            continue
        those = [verdict for verdict in verdicts if verdict.kind == kind]
        for verdict in those[:shown]:
            print(f"          {verdict.case.name}: {verdict.why}")
            if shown_program:
                print(verdict.case.program)


if __name__ == "__main__":
    main()
