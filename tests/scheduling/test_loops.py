"""Loops and conditions: one plain test a rule, then random plans against running them in order."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tests.support.effects import Running
from tests.support.loops import Lines, Writing
from tests.support.strategies import MANY


@MANY
@given(st.integers(1, 9), st.integers(0, 2**32), st.integers(0, 2))
def test_results_and_effects_are_those_of_the_lines_one_after_another(
    size: int, seed: int, kills: int
) -> None:
    random = Random(seed)
    plan = Writing(random).plan(size)
    running = Running(plan, random, kills)
    running.run()
    right = Lines().run(plan)
    assert running.world.effects == right.world.effects
    for id, found in running.schedule.outcomes.items():
        ended = right.ended[id]
        if running.said_no(id) and ended.status == "skipped":
            assert found.status in ("skipped", "rejected")  # it was decided on before the failure
        else:
            assert (found.status, found.value, found.untaken) == (
                ended.status,
                ended.value,
                ended.untaken,
            ), id
