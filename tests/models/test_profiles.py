"""What a model's profile changes in a turn. The models are scripted; only their profile differs."""

from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from llm_compiler import Context, build_graph
from llm_compiler.models import given
from llm_compiler.models.model import Meter, Model
from llm_compiler.models.profiles import DEFAULT_PROFILE, LOCAL_PROFILE, ModelProfile
from llm_compiler.tools import SHIPPED
from tests.bench.model_server import ModelServer
from tests.support.models import open_model
from tests.support.scripted import Ledger, ScriptedModel

ASK: Any = {"messages": [HumanMessage("How much is it?")]}
SUM = "add(1, 2)"
FAILS = "add(1, 2)\nfail('no')"


def graph(
    monkeypatch: pytest.MonkeyPatch, profile: ModelProfile, *plans: str, answers: Any
) -> tuple[Any, ScriptedModel, ScriptedModel]:
    """A graph whose chat models have this profile."""
    monkeypatch.setattr(given, "DEFAULT_PROFILE", profile)
    planner, joiner = ScriptedModel(*plans), ScriptedModel(*answers)
    return build_graph(Ledger().tools, planner=planner, joiner=joiner), planner, joiner


async def test_few_shot_sends_worked_programs_when_the_setting_is_auto(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prompts = {}
    for few_shot in (True, False):
        monkeypatch.setattr(given, "DEFAULT_PROFILE", ModelProfile(few_shot=few_shot))
        planner = ScriptedModel('answer(f"{17 * 23}")')
        compiled = build_graph(SHIPPED, planner=planner, joiner=ScriptedModel("391."))
        await compiled.ainvoke(ASK, context=Context(examples="auto"))
        prompts[few_shot] = planner.prompts[-1]
    assert len(prompts[True]) > len(prompts[False])
    assert "```python" in prompts[True]
    assert "```python" not in prompts[False]


@pytest.mark.parametrize("shown", [True, False])
async def test_show_failures_tells_the_next_planner_what_failed(
    monkeypatch: pytest.MonkeyPatch, shown: bool
) -> None:
    compiled, planner, _ = graph(
        monkeypatch,
        ModelProfile(show_failures=shown),
        FAILS,
        "add(2, 2)",
        answers=["REPLAN: more", "Four."],
    )
    await compiled.ainvoke(ASK)
    assert ("fail('no')" in planner.prompts[-1]) == shown


async def test_replan_on_failure_does_not_ask_the_joiner(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = ModelProfile(replan_on_failure=True)
    compiled, _, joiner = graph(monkeypatch, profile, FAILS, "add(2, 2)", answers=["Four."])
    state = await compiled.ainvoke(ASK)
    assert state["round"] == 2
    assert state["usage"]["joiner"]["calls"] == len(joiner.prompts) == 1


async def test_replan_on_failure_asks_the_joiner_in_the_last_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profile = ModelProfile(replan_on_failure=True)
    compiled, _, _ = graph(monkeypatch, profile, FAILS, answers=["Three, so far."])
    state = await compiled.ainvoke(ASK, context=Context(max_rounds=1))
    assert state["messages"][-1].text == "Three, so far."


@pytest.mark.parametrize(
    ("second", "rounds"), [(f"# again\n{FAILS}", 2), ("add(1, 2)\nfail('not that')", 3)]
)
async def test_replan_on_failure_ends_where_a_round_fails_as_one_before(
    monkeypatch: pytest.MonkeyPatch, second: str, rounds: int
) -> None:
    profile = ModelProfile(replan_on_failure=True)
    compiled, _, _ = graph(monkeypatch, profile, FAILS, second, second, answers=["Three."])
    state = await compiled.ainvoke(ASK, context=Context(max_rounds=5))
    assert (state["round"], state["messages"][-1].text) == (rounds, "Three.")


@pytest.mark.parametrize(("plan", "offered"), [(SUM, False), (FAILS, True)])
async def test_a_replan_is_not_offered_when_all_is_ok(
    monkeypatch: pytest.MonkeyPatch, plan: str, offered: bool
) -> None:
    profile = ModelProfile(offer_replan_when_all_ok=False)
    compiled, _, joiner = graph(monkeypatch, profile, plan, answers=["Three."])
    await compiled.ainvoke(ASK)
    assert ("REPLAN" in joiner.prompts[-1]) == offered


@pytest.mark.parametrize(
    ("limit", "asked", "sent"), [(None, 64, None), (100, 64, 64), (100, None, 100), (50, 64, 50)]
)
async def test_max_tokens_bounds_what_a_role_asks_for(
    monkeypatch: pytest.MonkeyPatch, limit: int | None, asked: int | None, sent: int | None
) -> None:
    with ModelServer("Yes.") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        chat = (await open_model("openai:scripted")).chat
        model = Model("scripted", chat, ModelProfile(max_tokens=limit))
        pieces = model.stream([HumanMessage("?")], Meter(), role="reader", max_tokens=asked)
        assert "".join([piece async for piece in pieces]) == "Yes."
    (request,) = [r.body for r in server.requests if r.path.endswith("completions")]
    assert (request.get("max_tokens") or request.get("max_completion_tokens")) == sent


async def test_a_chat_model_has_the_default_profile() -> None:
    assert (await open_model(ScriptedModel("x"))).profile is DEFAULT_PROFILE


def test_defaults_suit_a_hosted_model() -> None:
    assert (
        ModelProfile(
            few_shot=False,
            grammar=None,
            show_failures=True,
            replan_on_failure=False,
            offer_replan_when_all_ok=True,
            max_tokens=None,
            silence=120.0,
            names_end=False,
        )
        == DEFAULT_PROFILE
    )
    assert LOCAL_PROFILE.few_shot
    assert LOCAL_PROFILE.grammar == "llama.cpp"
