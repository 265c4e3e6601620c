"""Plans in stages: what a small model may write, and that it still is the plan language."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_compiler.language.plan_grammar import plan_grammar
from llm_compiler.language.task import Task
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.prompts import examples
from llm_compiler.tools import SHIPPED
from tests.language.test_grammar import OPTIONS, compiled
from tests.support.functions import toolbox
from tests.support.gbnf import Grammar

TOOLS = Toolbox.of(SHIPPED)
STAGED = Grammar(plan_grammar(TOOLS, staged=True))
HEIGHTS = """Thought: height of K2 - height of Denali.
1. search("K2")
2. search("Denali")
11. number("height of K2 in m", $1)
12. number("height of Denali in m", "$2")
21. math("$11 - $12")
22. math("$21 / 2")
23. join()"""


def test_worked_plans_are_in_stages() -> None:
    plans = [example.rpartition("Question: ")[2].partition("\n")[2] for example in examples()]
    assert [plan for plan in plans if not STAGED.accepts(plan)] == []


@pytest.mark.parametrize(
    "plan",
    [
        HEIGHTS,
        'Thought: a greeting.\n1. answer("Hello!")',
        'Thought: a sum.\n21. math("17 * 23")\n22. join()',
        'Thought: a hop.\n1. search("Oslo")\n2. read("river", $1)\n3. search("$2")\n4. join()',
    ],
)
def test_plan_in_stages_is_accepted(plan: str) -> None:
    assert STAGED.accepts(plan)


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        pytest.param("$11 - $12", "$1 - $2", id="a text where a number is meant"),
        pytest.param("$21 / 2", "$22 / 2", id="itself"),
        pytest.param("$21 / 2", "$23 / 2", id="a task that comes later"),
        pytest.param("12. number", "13. number", id="an id left out"),
        pytest.param("2. search", "12. search", id="a search among the numbers"),
        pytest.param('search("K2")', 'search("$1")', id="a first search for itself"),
        pytest.param('"$2"', '"$12"', id="a number where a text is meant"),
        pytest.param("Thought: height of K2 - height of Denali.\n", "", id="no thought"),
    ],
)
def test_what_a_small_model_confuses_cannot_be_written(written: str, instead: str) -> None:
    assert written in HEIGHTS
    assert not STAGED.accepts(HEIGHTS.replace(written, instead))


@given(random=st.randoms(use_true_random=False))
@OPTIONS
def test_whatever_a_stage_accepts_compiles(random: Random) -> None:
    plan = STAGED.sentence(random.choice)
    tasks = compiled(TOOLS, plan)
    assert tasks
    assert [task for task in tasks if not isinstance(task, Task)] == []


def test_one_tool_without_a_stage_makes_plans_free() -> None:
    def shout(text: str) -> str:
        """Shout."""
        return text

    tools = toolbox(*SHIPPED, shout)
    assert plan_grammar(tools, staged=True) == plan_grammar(tools)


def test_later_rounds_and_small_limits_are_free() -> None:
    assert plan_grammar(TOOLS, 23, staged=True) == plan_grammar(TOOLS, 23)
    assert plan_grammar(TOOLS, max_tasks=5, staged=True) == plan_grammar(TOOLS, max_tasks=5)
