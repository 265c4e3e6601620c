"""The settings that a run is given: what is none is refused before anything runs."""

from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph

from llm_compiler import Context, build_graph
from llm_compiler.errors import SetupError
from llm_compiler.state import State
from tests.support.scripted import ScriptedModel

ASK: Any = {"messages": [("user", "?")]}
MISSPELT = "max_round is not a setting; did you mean max_rounds?"


def colour(config: RunnableConfig) -> str:
    """The colour that the run was given."""
    return str(config["configurable"]["colour"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"context": {"max_round": 2}}, MISSPELT),
        ({"context": {"max_rounds": "many"}}, "max_rounds='many': Input should be a valid integer"),
        ({"context": {"colour": "red"}}, "colour is not a setting; the settings are model, "),
        ({"context": {1: 2, "modele": "x"}}, "modele is not a setting; did you mean model?"),
        ({"config": {"configurable": {"max_round": 2}}}, MISSPELT),
        ({"config": {"configurable": {"max_rounds": 2}}}, "pass context={'max_rounds': …}"),
        ({"config": {"configurable": {"model": "x"}}}, "model is a setting; pass context="),
        ({"context": 5}, "context: give Context(…) or a dict, not a int"),
    ],
)
async def test_what_is_no_setting_is_refused_before_anything_runs(
    given: dict[str, Any], said: str
) -> None:
    model = ScriptedModel('answer("x")')
    graph = build_graph([colour], model=model)
    with pytest.raises(SetupError) as refused:
        await graph.ainvoke(ASK, **given)
    assert said in str(refused.value)
    with pytest.raises(SetupError):
        graph.invoke(ASK, **given)
    assert not model.seen


def test_context_says_which_setting_is_meant() -> None:
    unchecked: Any = Context
    with pytest.raises(ValueError, match=MISSPELT.replace("?", r"\?")):
        unchecked(max_round=2)


async def test_tools_may_be_given_more_than_settings() -> None:
    graph = build_graph([colour], model=ScriptedModel("colour()", "Red."))
    config: Any = {"configurable": {"colour": "red", "mode": "x", "thread_id": "1"}}
    state = await graph.ainvoke(ASK, config, context=Context(max_rounds=1))
    assert state["outcomes"]["1"]["value"] == "red"


async def test_a_graph_around_may_have_settings_of_its_own_of_that_name() -> None:
    graph = build_graph([colour], model=ScriptedModel("colour()", "Red."))
    around = StateGraph(State).add_node("inner", graph)
    around.add_edge(START, "inner").add_edge("inner", END)
    config: Any = {"configurable": {"colour": "red", "model": "theirs"}}
    state = await around.compile().ainvoke(ASK, config)
    assert state["outcomes"]["1"]["value"] == "red"
