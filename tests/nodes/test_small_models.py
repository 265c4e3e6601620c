"""What a small model makes of a failure is not said: it takes another figure, or writes one."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from llm_compiler import Context, build_graph
from llm_compiler.models import given
from llm_compiler.models.profiles import ModelProfile
from llm_compiler.tools import SHIPPED
from tests.support.scripted import ScriptedModel

PROFIT = 'profit = number("profit in dollars", search("Tesla"))\nanswer(f"It made {profit}.")'
SMALL = ModelProfile(replan_on_failure=True, show_failures=False, offer_replan_when_all_ok=False)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    monkeypatch.setattr(given, "DEFAULT_PROFILE", SMALL)


async def ask(
    question: str, *plans: str, answers: Any = ()
) -> tuple[str, ScriptedModel, ScriptedModel]:
    planner, joiner = ScriptedModel(*plans), ScriptedModel(*answers)
    graph = build_graph(SHIPPED, planner=planner, joiner=joiner)
    context = Context(examples="never")
    state = await graph.ainvoke({"messages": [HumanMessage(question)]}, context=context)
    return state["messages"][-1].text, planner, joiner


async def test_where_a_number_was_not_read_the_reply_says_so_without_a_model() -> None:
    reply, planner, joiner = await ask("What profit did Tesla make?", PROFIT, PROFIT)
    assert reply.startswith("I found no answer: profit failed: not in the text")
    assert "Revenue" in reply  # what is told instead
    assert len(planner.prompts) == 2
    assert joiner.prompts == []


async def test_nor_in_a_round_that_no_longer_tries() -> None:
    again = 'age = gone + 1\nanswer(f"It made {age}.")'
    reply, _, joiner = await ask("What profit did Tesla make?", PROFIT, again, again)
    assert reply.startswith("I found no answer: profit failed: not in the text")
    assert joiner.prompts == []


async def test_what_the_planner_was_told_can_be_said() -> None:
    reply, _, _ = await ask("Who are you?", 'answer("I am a Python program.")')
    assert reply == "I am a Python program."


async def test_an_invention_that_comes_again_is_not_asked_for_a_third_time() -> None:
    plan = 'answer("It has 96,000,000 inhabitants.")'
    reply, planner, joiner = await ask("How many people live in Egypt?", plan, plan)
    assert reply == "I found no answer: nothing was looked up."
    assert "96" not in planner.prompts[1].split("Still missing")[0]
    assert joiner.prompts == []


@pytest.mark.parametrize(
    "plan",
    [
        'x = 9.65e7 * 1\nanswer(f"About {x:,.0f} live there.")',
        'h = number("height in m", search("K2"))\nx = h * 6.6743\nanswer(f"About {x / 2:.1f}.")',
    ],
)
async def test_what_rests_on_a_constant_of_the_planners_own_is_not_said(plan: str) -> None:
    reply, planner, _ = await ask("And there?", plan, 'answer("I do not know.")')
    assert reply == "I do not know."
    assert "which no result has" in planner.prompts[1]


async def test_a_name_that_no_result_has_is_not_said_in_a_short_sentence() -> None:
    plan = 'answer("She lived in Warszawa.")'
    reply, planner, _ = await ask("Ile lat żyła?", plan, 'answer("Nie wiem.")')
    assert reply == "Nie wiem."
    assert '"Warszawa"' in planner.prompts[1]


@pytest.mark.parametrize(
    ("question", "said", "asked"),
    [
        ("Wie hoch ist der K2?", "The height is 8611 m.", 1),
        ("Wie hoch ist der K2?", "Der K2 ist 8611 m hoch.", 0),
        ("К2 насколько высок?", "It is 8611 m high.", 1),
        ("Quelle est la hauteur du K2 ?", "8611 m.", 0),
        ("How high is K2?", "Der K2 ist 8611 m hoch.", 0),
    ],
)
async def test_words_in_english_for_a_question_in_another_language_are_the_joiners(
    question: str, said: str, asked: int
) -> None:
    plan = f'h = number("height in m", search("K2"))\nanswer(f"{said.replace("8611", "{h}")}")'
    reply, _, joiner = await ask(question, plan, answers=["8611 m"])
    assert len(joiner.prompts) == asked
    assert reply == (said if not asked else "8611 m")


async def test_todays_date_can_be_said() -> None:
    graph = build_graph(planner=ScriptedModel('answer("It is the 30th, a Monday in 2026.")'))
    graph = graph.copy()
    graph.clock = _November()
    state = await graph.ainvoke({"messages": [HumanMessage("What day is it?")]})
    assert state["messages"][-1].text == "It is the 30th, a Monday in 2026."


class _November:
    def now(self) -> float:
        return 1796040000.0

    def monotonic(self) -> float:
        return 0.0
