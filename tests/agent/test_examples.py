"""Which worked plans a question is planned with."""

import pytest

from agent.examples import worked_plans
from agent.toolbox import Toolbox
from tools import SHIPPED

ALL = Toolbox.of(SHIPPED)


@pytest.mark.parametrize(
    ("question", "form"),
    [
        ("Which is longer, the Danube or the Rhine?", 'pick("largest", {"Thames"'),
        ("What percentage of the area of Africa is the Sahara?", "* 100"),
        ("How many times as long as the Rhine is the Nile?", "$11 / $12"),
        ("How much taller is Mount Everest than K2?", "$11 - $12"),
        ("How high is the highest mountain of Norway?", "read("),
        ("How many people live in Spain and Portugal together?", "$11 + $12"),
    ],
)
def test_the_worked_plan_most_like_the_question_stands_last(question: str, form: str) -> None:
    assert form in worked_plans(ALL, question)[-1]


def test_names_and_figures_tell_nothing_of_a_questions_form() -> None:
    one = worked_plans(ALL, "If Spain grew by 3%, by how many people would it pass Italy?")
    other = worked_plans(ALL, "If Lake Baikal grew by 71%, by how many people would it pass K2?")
    assert one == other


def test_only_plans_whose_tools_are_all_offered_are_shown() -> None:
    shown = worked_plans(ALL.offered(("search", "read"), ()), "Who painted the Night Watch?")
    assert shown
    assert not any("number(" in plan or "math(" in plan for plan in shown)
    assert worked_plans(Toolbox.of([]), "Who?") == []
