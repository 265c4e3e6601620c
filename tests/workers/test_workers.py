"""A worker that dies takes no run with it, and no call that had finished runs again."""

import pytest

from tests.workers.proof import Services, Size, proof

SEED = 7


@pytest.mark.timeout(900)
def test_runs_of_a_worker_that_is_killed_end_with_their_answer() -> None:
    size = Size(runs=204, workers=2, spare=4)
    report = proof(SEED, size, print, Services())
    print(report.text())
    assert not report.broken, report.text()
    killed = {
        name.removeprefix("a worker killed: "): figure for name, figure in report.figures.items()
    }
    assert killed["runs in flight"] >= 200
    assert killed["runs that ended with their answer"] == 204
    assert killed["runs that were taken over"] == killed["runs that the dead worker had"] >= 100
    assert killed["outcomes kept when it died"] > 0
