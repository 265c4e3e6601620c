"""`python -m tests.workers`: the proof, with its figures, and a seed to repeat it.

The exit status is 1 when a promise broke.
"""

import argparse
import random
import sys

from tests.workers.proof import Services, Size, proof


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.workers", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeat a proof; without it a new one")
    parser.add_argument("--runs", type=int, default=Size.runs, help="in flight at once")
    parser.add_argument("--workers", type=int, default=Size.workers)
    parser.add_argument("--postgres", help="address of a server to use; else one of our own")
    parser.add_argument("--redis", help="address of a server to use; else one of our own")
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    size = Size(given.runs, given.workers)
    print(f"{size.runs} runs, {size.workers} workers, seed {seed}", flush=True)
    services = Services(given.postgres, given.redis)
    report = proof(seed, size, lambda text: print(text, flush=True), services)
    print(report.text())
    return bool(report.broken)


if __name__ == "__main__":
    sys.exit(main())
