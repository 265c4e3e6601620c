"""Which worked plans a question is planned with."""

import pytest

from llm_compiler.language.toolbox import Toolbox
from llm_compiler.prompting.examples import worked_plans
from llm_compiler.tools import SHIPPED

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
        ("Rome or Oslo: which is older?", 'pick("smallest"'),
        ("Who is younger, Bach or Liszt?", 'pick("largest"'),
        ("Is K2 higher than Denali?", 'pick("largest"'),
        ("Is Rome older than Oslo?", 'pick("smallest"'),
        ("What is the average height of K2, Denali and Elbrus?", "$21 / 3"),
    ],
)
def test_the_nearest_worked_plan_comes_last(question: str, form: str) -> None:
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


DIFFERENCE, RATIO = "Thought: a - b.\n1. answer('1')", "Thought: a / b.\n1. answer('2')"


def test_the_nearest_of_a_plans_questions_is_shown() -> None:
    text = f"Question: Is it A?\nQuestion: What is left of it?\n{DIFFERENCE}"
    shown = worked_plans(ALL, "What is left of Rome?", (text,), shipped=False)
    assert shown == [f"Question: What is left of it?\n{DIFFERENCE}"]


def test_a_plan_is_shown_once_though_several_of_its_questions_are_near() -> None:
    text = f"Question: What is left of it?\nQuestion: What is left of that?\n{DIFFERENCE}"
    other = f"Question: Who is it?\n{RATIO}"
    shown = worked_plans(ALL, "What is left of Rome?", (text, other), shipped=False)
    assert shown == [other, f"Question: What is left of it?\n{DIFFERENCE}"]


def test_many_near_questions_of_one_form_outvote_the_nearest_of_another() -> None:
    like = "\n".join(
        f"Question: What is left of it in {unit}?" for unit in ("km", "days", "kg", "cups")
    )
    likest = f"Question: What is left of it in Rome in all?\n{RATIO}"
    asked = "What is left of it in Oslo?"
    assert worked_plans(ALL, asked, (likest,), shipped=False)[-1] == likest
    voted = worked_plans(ALL, asked, (f"{like}\n{DIFFERENCE}", likest), shipped=False)
    assert voted[-1].endswith(DIFFERENCE)


@pytest.mark.parametrize(
    "text",
    [
        f"Question:What is left of it?\n{DIFFERENCE}",
        f"Question: Who?\n\n  Question:  What is left of it? \n{DIFFERENCE}",
        f"Question: Who?\r\nQuestion: What is left of it?\r\n{DIFFERENCE}",
    ],
)
def test_blank_lines_may_separate_questions_from_their_plan(text: str) -> None:
    shown = worked_plans(ALL, "What is left of Rome?", (text,), shipped=False)
    assert shown == [f"Question: What is left of it?\n{DIFFERENCE}"]


def test_the_same_question_is_planned_with_what_is_offered() -> None:
    asked = "How many people live in the capital of Peru?"
    assert "number(" in worked_plans(ALL, asked)[-1]
    fewer = worked_plans(ALL.offered(("search", "read"), ()), asked)
    assert "number(" not in fewer[-1]
