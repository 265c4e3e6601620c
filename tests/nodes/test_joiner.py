"""Who writes the reply, and what it may say. The models are scripted."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import BaseTool, tool

from llm_compiler import Context, build_graph
from llm_compiler.models import given
from llm_compiler.models.profiles import LOCAL_PROFILE, ModelProfile
from llm_compiler.models.providers import known_profile
from tests.support.models import open_model
from tests.support.scripted import ScriptedModel

QUESTION = "How high is Mount Everest?"
ASK: Any = {"messages": [HumanMessage(QUESTION)]}
HEIGHTS = {"Mount Everest": 8848.86, "K2": 8611}
HIGH = 'x = height("Mount Everest")\n'


def height(of: str) -> float:
    """Height in m."""
    if of not in HEIGHTS:
        raise ValueError(f'nothing found on "{of}"')
    return HEIGHTS[of]


def page() -> str:
    """Read a page."""
    return "Long text on Kangchenjunga. " * 30


def pay() -> BaseTool:
    @tool
    def pay(amount: int) -> str:
        """Pay."""
        raise ValueError("no money")

    pay.metadata = {"readOnlyHint": False}
    return pay


class Turn:
    """One turn of a graph with scripted models."""

    def __init__(self, *plans: Any, answers: Any = ()) -> None:
        self.planner, self.joiner = ScriptedModel(*plans), ScriptedModel(*answers)
        tools: list[Any] = [height, page, pay()]
        self.graph = build_graph(tools, planner=self.planner, joiner=self.joiner)
        self.question = QUESTION

    async def __call__(self, **context: Any) -> str:
        context = {"max_rounds": 1, "tool_retries": 0} | context
        asked: Any = {"messages": [HumanMessage(self.question)]}
        self.state = await self.graph.ainvoke(asked, context=Context(**context))
        return str(self.state["messages"][-1].text)

    async def streamed(self) -> list[str]:
        context = Context(max_rounds=1)
        parts = self.graph.astream(ASK, stream_mode="messages", context=context)
        return [m.text async for m, _ in parts if type(m).__name__ == "AIMessageChunk" and m.text]


# ── the plan's own words, or the joiner's ─────────────────────────────────────────────────────


async def test_a_plan_that_ends_in_words_is_the_reply() -> None:
    turn = Turn(HIGH + 'answer(f"It is {x:,.0f} m high.")')
    assert await turn() == "It is 8,849 m high."
    assert turn.joiner.seen == []
    assert "joiner" not in turn.state["usage"]


@pytest.mark.parametrize(
    "plan", [HIGH, HIGH + "answer(x)", HIGH + 'answer(f"{x}: {page()}")'],
    ids=["no answer", "a value", "a long value"],
)  # fmt: skip
async def test_what_has_no_words_or_is_long_is_put_into_words_by_the_joiner(plan: str) -> None:
    turn = Turn(plan, answers=["It is 8,849 m high."])
    assert await turn() == "It is 8,849 m high."
    assert 'x = height("Mount Everest")  # 8848.86' in turn.joiner.prompts[0]


@pytest.mark.parametrize(
    ("end", "answers"),
    [
        ('answer(f"The one with {x:.0f} m.")', "K2."),
        ('answer(f"K2 is higher by {y - x:.0f} m.")', "K2."),
        ('answer(f"{largest({"A": x, "B": y})} is higher, {y:.0f} m.")', "A is higher, 8611 m."),
        ('answer(f"A, {x:.0f} m" if x > y else f"B, {y:.0f} m")', "A, 8849 m"),
        ('answer("I know of none.")', "I know of none."),
    ],
)
async def test_the_joiner_names_the_one_that_was_asked_for(end: str, answers: str) -> None:
    turn = Turn(HIGH + 'y = height("K2")\n' + end, answers=["K2."])
    turn.question = "Which is higher?"
    assert await turn() == answers


async def test_the_joiner_is_shown_variables_without_tasks() -> None:
    turn = Turn("factor = 2\n" + HIGH + "answer(x)", answers=["It is 8,849 m high."])
    await turn()
    assert "\nfactor = 2\n" in turn.joiner.prompts[0]


async def test_if_the_answer_needs_what_failed_the_joiner_decides() -> None:
    plan = HIGH + 'y = height("K 2")\nanswer(f"{x - y:.0f} m higher.")'
    turn = Turn(plan, 'z = height("K2")\nanswer(f"{x - z:.0f} m higher.")', answers=["REPLAN: K2"])
    assert await turn(max_rounds=2) == "238 m higher."
    assert (
        'y = height("K 2")  # failed: ValueError: nothing found on "K 2"' in turn.joiner.prompts[0]
    )
    assert "\n# Still missing: K2\n" in turn.planner.prompts[1]
    assert [message.type for message in turn.planner.seen[1]] == ["system", "human"]


async def test_a_failed_read_that_the_answer_does_not_need_changes_nothing() -> None:
    turn = Turn(HIGH + 'height("K 2")\nanswer(f"It is {x:.0f} m high.")')
    assert await turn() == "It is 8849 m high."


@pytest.mark.parametrize("line", ["pay(5)", "payy(5)"], ids=["failed", "did not compile"])
async def test_what_follows_a_call_that_failed_is_not_said(line: str) -> None:
    """A program that raises does not go on."""
    turn = Turn(f'{HIGH}{line}\nanswer(f"Paid for {{x:.0f}} m.")', answers=["It failed."])
    context = {"trusted_writes": ("pay",)}
    assert await turn(**context) == "It failed."


@pytest.mark.parametrize(
    ("setting", "profile", "asked"),
    [
        ("auto", "plan", 0), ("auto", "joiner", 1), ("plan", "joiner", 0), ("joiner", "plan", 1),
    ],
)  # fmt: skip
async def test_the_setting_says_who_writes_the_reply_else_the_planners_profile(
    monkeypatch: pytest.MonkeyPatch, setting: str, profile: Any, asked: int
) -> None:
    monkeypatch.setattr(given, "DEFAULT_PROFILE", ModelProfile(answer=profile))
    turn = Turn(HIGH + 'answer(f"{x:.0f} m")', answers=["It is 8849 m high."])
    assert await turn(answer=setting) == ["8849 m", "It is 8849 m high."][asked]
    assert len(turn.joiner.seen) == asked


async def test_what_is_known_of_a_model_before_it_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    for model in ("openai:some", "openai:deepseek-r1"):
        assert known_profile(model) == (await open_model(model)).profile
    assert known_profile("local") == known_profile("local:x.gguf") == LOCAL_PROFILE
    assert LOCAL_PROFILE.answer == "plan"


# ── when nothing succeeded ────────────────────────────────────────────────────────────────────


async def test_if_no_call_succeeded_the_reply_says_so_without_a_model() -> None:
    turn = Turn('x = height("K 2")\nanswer(f"It is {x} m high.")')
    assert await turn() == ('I found no answer: x failed: ValueError: nothing found on "K 2".')
    assert turn.joiner.seen == []


async def test_of_many_failures_three_are_said() -> None:
    turn = Turn("\n".join(f'height("{n}")' for n in range(5)))
    said = await turn()
    assert said.count("nothing found") == 3
    assert said.endswith("; and 2 more.")


async def test_a_replan_is_tried_before_that() -> None:
    turn = Turn('height("K 2")', HIGH, answers=["REPLAN: Mount Everest", "It is 8849 m high."])
    assert await turn(max_rounds=2) == "It is 8849 m high."


async def test_if_no_statement_compiled_the_planner_is_asked_again_with_the_diagnostics() -> None:
    turn = Turn('x = heigth("K2")\nanswer(f"{x} m")', HIGH + 'answer(f"{x:.0f} m")')
    assert await turn(max_rounds=2) == "8849 m"
    assert turn.joiner.seen == []
    shown = turn.planner.prompts[1]
    assert 'no function "heigth"; did you mean "height"?' in shown
    assert "# " + " " * 4 + 'x = heigth("K2")\n#         ^^^^^^\n' in shown


# ── no figure and no name that stands nowhere ─────────────────────────────────────────────────


async def test_a_reply_with_a_figure_that_stands_nowhere_is_asked_for_once_more() -> None:
    turn = Turn(HIGH, answers=["9,999 m is its height.", "It is 8,849 m high."])
    assert await turn() == "It is 8,849 m high."
    assert "Do not write 9,999:" in turn.joiner.prompts[1]
    assert turn.state["usage"]["joiner"]["calls"] == 2


async def test_the_results_as_they_are_replace_a_second_one() -> None:
    turn = Turn(HIGH, answers=["9,999 m is its height.", "7,777 m is its height."])
    assert await turn() == (
        "The joiner's model wrote here what no result has. The last results:\n"
        'x = height("Mount Everest")  # 8848.86'
    )


async def test_a_reply_that_was_partly_shown_stops_there() -> None:
    turn = Turn(HIGH, answers=["so this is 9,999 m high, which is much."])
    shown = await turn.streamed()
    assert "".join(shown) == (
        "so this is …\n\nThe joiner's model wrote here what no result has."
        ' The last results:\nx = height("Mount Everest")  # 8848.86'
    )
    assert len(turn.joiner.seen) == 1


async def test_a_name_that_stands_nowhere_is_not_said() -> None:
    turn = Turn(HIGH, answers=[["It was measured by the officer Radhanath Sikdar in 1856."]])
    assert "Sikdar in" not in await turn()


async def test_plain_words_stream_as_they_come() -> None:
    turn = Turn(HIGH, answers=["It is 8,849 m high, and that is a lot."])
    shown = await turn.streamed()
    assert "".join(shown) == "It is 8,849 m high, and that is a lot."
    assert len(shown) > 4


async def test_what_a_joiner_finds_missing_is_checked_too() -> None:
    turn = Turn(HIGH, answers=["REPLAN: the height of the 9,999 others"])
    assert (await turn()).startswith("Not found: the height of the … (no further plan")


async def test_a_figure_that_only_the_planner_wrote_is_not_said() -> None:
    turn = Turn(HIGH + "answer(26000)", answers=["26,000 people."] * 2)
    reply = await turn()
    assert reply.startswith("The joiner's model wrote here what no result has")
    assert "26" not in reply


async def test_equal_failures_are_said_once() -> None:
    turn = Turn('height("K 2")\n' * 3)
    assert (await turn()).count("nothing found") == 1


# ── what a plan makes up ──────────────────────────────────────────────────────────────────────


async def test_a_plan_that_says_what_no_result_has_is_written_again() -> None:
    turn = Turn("answer('It is 12,841 m high.')", "h = height('K2')\nanswer(f'It is {h} m high.')")
    assert await turn(max_rounds=2) == "It is 8611 m high."
    told = turn.planner.prompts[1]
    assert 'The answer says "12,841", which no result has' in told
    assert turn.joiner.prompts == []


async def test_in_the_last_round_the_joiner_answers_in_place_of_a_plan_that_makes_it_up() -> None:
    turn = Turn(
        "h = height('K2')\nanswer(f'It is {h} m high, like Mont Blanc.')", answers=["8611 m."]
    )
    assert await turn() == "8611 m."


@pytest.mark.parametrize(
    "plan",
    [
        "answer('Hello! I answer questions with what my tools find.')",
        "h = height('K2')\nanswer(f'Half of it is {h / 2:,.1f} m.')",
        "h = height('K2')\nanswer(f'About {h / 1000:.1f} km.')",
    ],
)
async def test_a_plans_own_words_are_the_reply(plan: str) -> None:
    turn = Turn(plan)
    assert await turn(max_rounds=2)
    assert (len(turn.planner.prompts), turn.joiner.prompts) == (1, [])
