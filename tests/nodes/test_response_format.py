"""`response_format`: the answer as data too, as `create_agent` has it."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from llm_compiler import Context, build_graph
from llm_compiler.errors import ModelError, SetupError
from llm_compiler.models.providers import OPEN_MODELS
from llm_compiler.models.response_form import ResponseForm
from tests.bench.model_server import Reply
from tests.support.dialects import refusal, sent
from tests.support.scripted import Ledger, ScriptedModel
from tests.support.serving import SYSTEM, Serve, serving

ASK: Any = {"messages": [HumanMessage("How much is one and two?")]}
SUM = "s = add(1, 2)\n"
WORDS = SUM + 'answer(f"It is {s}.")'
DATA = '{"total": 3, "unit": "m"}'


class Total(BaseModel):
    """A total."""

    total: int = Field(ge=0, description="in metres")
    unit: Literal["m", "km"] = "m"


@dataclasses.dataclass
class TotalRecord:
    total: int
    unit: str = "m"


class TotalDict(TypedDict):
    total: int
    unit: str


SCHEMA = {
    "title": "Total",
    "type": "object",
    "properties": {"total": {"type": "integer", "minimum": 0}, "unit": {"enum": ["m", "km"]}},
    "required": ["total", "unit"],
}
FORMS: dict[str, tuple[Any, Any]] = {
    "a Pydantic model": (Total, Total(total=3, unit="m")),
    "a dataclass": (TotalRecord, TotalRecord(3, "m")),
    "a TypedDict": (TotalDict, {"total": 3, "unit": "m"}),
    "a union": (Total | TotalRecord, Total(total=3, unit="m")),
    "a JSON schema": (SCHEMA, {"total": 3, "unit": "m"}),
}


async def turn(form: Any, *replies: str, **context: Any) -> tuple[Any, ScriptedModel]:
    model = ScriptedModel(*replies)
    graph = build_graph(Ledger().tools, model=model, response_format=form)
    context = {"max_rounds": 1, "tool_retries": 0} | context
    return await graph.ainvoke(ASK, context=Context(**context)), model


@pytest.mark.parametrize("kind", FORMS)
async def test_an_answer_in_words_is_put_into_the_form(kind: str) -> None:
    form, data = FORMS[kind]
    state, model = await turn(form, WORDS, DATA)
    assert state["structured_response"] == data
    assert state["messages"][-1].text == "It is 3."
    assert "s = add(1, 2)  # 3" in model.prompts[1]
    assert "It is 3." in model.prompts[1]
    assert '"total"' in model.prompts[1]
    assert state["usage"]["joiner"]["calls"] == 1


@pytest.mark.parametrize("kind", FORMS)
async def test_a_plan_that_ends_in_the_form_asks_no_other_model(kind: str) -> None:
    form, data = FORMS[kind]
    state, model = await turn(form, SUM + 'answer({"total": s, "unit": "m"})')
    assert state["structured_response"] == data
    assert json.loads(state["messages"][-1].text) == json.loads(DATA)
    assert len(model.seen) == 1


async def test_the_planner_is_told_the_form() -> None:
    _, model = await turn(Total, WORDS, DATA)
    form = "{\"total\": int, \"unit\"?: Literal['m', 'km']}"
    assert (
        f"of this form, not with a sentence: {form}\n.total: in metres; at least 0"
        in (model.prompts[0])
    )


async def test_the_joiners_answer_is_put_into_the_form() -> None:
    state, model = await turn(Total, SUM, "It is 3.", f"```json\n{DATA}\n```")
    assert state["structured_response"] == Total(total=3)
    assert state["messages"][-1].text == "It is 3."
    assert len(model.seen) == 3


WRONG = {
    "no JSON": ("It is 3.", "it is no JSON document"),
    "a wrong type": ('{"total": "many"}', "total: Input should be a valid integer"),
    "out of bounds": ('{"total": -1}', "total: Input should be greater than or equal to 0"),
    "a part is missing": ("{}", "total: Field required"),
    "cut off": ('{"total": ', "it is no JSON document"),
}


@pytest.mark.parametrize("fault", WRONG)
async def test_what_does_not_have_the_form_is_asked_for_once_more(fault: str) -> None:
    text, why = WRONG[fault]
    state, model = await turn(Total, WORDS, text, DATA)
    assert state["structured_response"] == Total(total=3)
    assert f"This was not right: {why}" in model.prompts[2]
    with pytest.raises(ModelError, match="did not write the answer as Total: ") as error:
        await turn(Total, WORDS, text, text)
    assert why in str(error.value)


async def test_a_json_schema_is_checked_too() -> None:
    state, model = await turn(SCHEMA, WORDS, '{"total": 3, "unit": "mile"}', DATA)
    assert state["structured_response"] == {"total": 3, "unit": "m"}
    assert "unit: 'mile' is not one of ['m', 'km']" in model.prompts[2]


@pytest.mark.parametrize("plan", ['fail("no")', 'x = fail("no")\nanswer({"total": x})'])
async def test_where_nothing_was_found_there_are_no_data(plan: str) -> None:
    state, model = await turn(Total, plan)
    assert state["structured_response"] is None
    assert state["messages"][-1].text.startswith("I found no answer")
    assert len(model.seen) == 1


async def test_what_is_missing_has_no_data() -> None:
    state, _ = await turn(Total, SUM, "REPLAN: the length")
    assert state["structured_response"] is None
    assert state["messages"][-1].text.startswith("Not found: the length")


async def test_a_figure_that_a_plan_makes_up_is_in_no_data() -> None:
    replies = [SUM + 'answer({"total": 77})', SUM + 'answer({"total": s})']
    state, _ = await turn(Total, *replies, max_rounds=2)
    assert state["structured_response"] == Total(total=3)


async def test_a_figure_that_no_result_has_is_asked_for_once_more() -> None:
    state, model = await turn(Total, WORDS, '{"total": 77}', DATA)
    assert state["structured_response"] == Total(total=3)
    assert 'This was not right: no result has "77"' in model.prompts[2]
    state, _ = await turn(Total, WORDS, '{"total": 77}', '{"total": 77}')
    assert state["structured_response"] == Total(total=77)


async def test_data_are_stored_and_end_with_their_turn() -> None:
    model = ScriptedModel(WORDS, DATA, 'fail("no")')
    saver = InMemorySaver()
    graph = build_graph(Ledger().tools, model=model, response_format=Total, checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "1"}}
    await graph.ainvoke(ASK, config)
    assert (await graph.aget_state(config)).values["structured_response"] == Total(total=3)
    state = await graph.ainvoke(ASK, config, context=Context(max_rounds=1))
    assert state["structured_response"] is None


async def test_without_a_form_the_state_has_no_data() -> None:
    state, _ = await turn(None, WORDS)
    assert "structured_response" not in state
    graph = build_graph(Ledger().tools, response_format=Total)
    assert "structured_response" in graph.get_output_jsonschema()["properties"]
    assert "structured_response" not in graph.get_input_jsonschema()["properties"]


# ── over HTTP ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    OPEN_MODELS.reset()
    monkeypatch.setitem(SYSTEM, "form", "Write the answer as one JSON")
    with serving(monkeypatch, planner=WORDS, form=DATA) as start:
        yield start


@pytest.mark.parametrize("refuses", [False, True])
async def test_a_server_is_given_the_schema_unless_it_refuses(serve: Serve, refuses: bool) -> None:
    def form(body: dict[str, Any]) -> Reply:
        refused = refuses and "response_format" in body
        return refusal(param="response_format") if refused else Reply(DATA)

    server = serve(form=form)
    graph = build_graph(Ledger().tools, response_format=Total)
    state = await graph.ainvoke(ASK, context=Context(model="openai:scripted"))
    assert state["structured_response"] == Total(total=3)
    planner, first, *others = sent(server)
    assert "response_format" not in planner
    assert first["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "Total", "schema": Total.model_json_schema()},
    }
    assert ["response_format" in body for body in others] == ([False] if refuses else [])


# ── what is no form ───────────────────────────────────────────────────────────────────────────

REFUSED: dict[str, tuple[Any, str]] = {
    "a number": (7, "7 is no form; give a Pydantic model"),
    "an instance": (Total(total=3), "is no form"),
    "another class": (Ledger, "is no form"),
    "a bad schema": ({"type": "thing"}, "no valid JSON schema: 'thing' is not valid"),
    "a union with another class": (Total | Ledger, "response_format: "),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_form_is_refused_when_the_graph_is_built(kind: str) -> None:
    form, why = REFUSED[kind]
    with pytest.raises(SetupError, match=why):
        build_graph(Ledger().tools, response_format=form)


def test_langchains_strategies_are_taken_for_their_schema() -> None:
    kind = type("ToolStrategy", (), {"__module__": "langchain.agents.structured_output"})
    strategy = kind()
    strategy.schema = Total
    assert ResponseForm(strategy).schema == Total.model_json_schema()
