"""`python -m tests.campaigns NAME`: one campaign, with progress, figures, and a seed to repeat it.

The exit status is 1 when a promise broke.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from tests.campaigns.report import Report

# Before LangGraph is imported, which reads it then.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
TRIES = {
    "kills": 60,
    "deploys": 200,
    "cancellations": 200,
    "fuzz": 100_000,
    "soak": 2000,
    "states": 5000,
    "language": 20_000,
}
ON_EACH_SAVER = ("kills", "deploys")
OVER_HTTP = 20
"""One in so many of the tries of states goes over a server."""
MOST_SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns", description=__doc__)
    parser.add_argument("name", choices=TRIES)
    parser.add_argument("--seed", type=int, help="repeat a campaign; without it a new one")
    parser.add_argument(
        "--tries", type=int, help=f"how many, of kills and deploys for each saver; else {TRIES}"
    )
    parser.add_argument(
        "--saver", choices=["sqlite", "postgres", "both"], default="both", help="of kills, deploys"
    )
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    tries = TRIES[given.name] if given.tries is None else given.tries
    print(f"{given.name}: {tries:,} tries, seed {seed}", flush=True)
    report = run(given.name, seed, tries, given.saver)
    shown, more = report.broken[:MOST_SHOWN], report.broken[MOST_SHOWN:]
    print(Report(report.figures, shown).text())
    if more:
        print(f"  and {len(more):,} more")
    if report.broken:
        options = f" --saver {given.saver}" if given.name in ON_EACH_SAVER else ""
        print(f"repeat with: python -m tests.campaigns {given.name} --seed {seed}"
              f" --tries {tries}{options}")  # fmt: skip
    return bool(report.broken)


def run(name: str, seed: int, tries: int, saver: str) -> Report:
    """Run one campaign; what it needs is imported only then."""
    match name:
        case "kills" | "deploys":
            savers = ("sqlite", "postgres") if saver == "both" else (saver,)
            return _on_each_saver(name, seed, tries, savers)
        case "cancellations":
            from tests.campaigns import cancellations

            with tempfile.TemporaryDirectory(prefix="cancellations-") as folder:
                return asyncio.run(cancellations.campaign(seed, tries, say, Path(folder)))
        case "fuzz":
            from tests.campaigns import fuzz

            return fuzz.campaign(seed, tries, say)
        case "states":
            return asyncio.run(_states(seed, tries))
        case "language":
            from tests.campaigns import language

            return language.campaign(seed, tries, say)
        case _:
            from tests.campaigns import soak

            return asyncio.run(soak.campaign(seed, tries, say))


def _on_each_saver(name: str, seed: int, tries: int, savers: tuple[Any, ...]) -> Report:
    from tests.campaigns import deploys, kills, postgres

    report, campaign = Report(), deploys.campaign if name == "deploys" else kills.campaign
    for saver in savers:
        with postgres.server() if saver == "postgres" else nullcontext("") as server:
            report.add(campaign(seed, tries, say, saver, server), saver)
    return report


async def _states(seed: int, tries: int) -> Report:
    from tests.campaigns import states, states_server

    report, over_http = Report(), tries // OVER_HTTP
    report.add(await states.campaign(seed, tries - over_http, say), "in the process")
    report.add(await states_server.campaign(seed, over_http, say), "over a server")
    return report


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
