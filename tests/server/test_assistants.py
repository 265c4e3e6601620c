"""Assistants: what Studio shows of them, and that two of them do not mix."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import UnprocessableEntityError

from llm_compiler.context import Context
from tests.bench.model_server import Body, ModelServer, Reply, text_of
from tests.server import process
from tests.server.gates import Gates
from tests.server.talk import PROBES, answer, asking, probing, scripted

pytestmark = pytest.mark.server

BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "maxLength", "maxItems", "enum"}
TEXTS = {
    "model",
    "planner_model",
    "joiner_model",
    "approve",
    "trusted_writes",
    "allow",
    "documents",
}
"""Fields of free text, which nothing but their description bounds."""
VERSE = "Answer the question from the results alone, in verse. {missing}"
TERSE = "Write a plan, the shortest that will do.\nTools:\n{tools}\nEnd with answer(…)."
PROGRAM = 'seen = knock("gate")\nanswer(f"At the gate is {seen}.")'
WORKED = f"Question: What is at the gate?\n{PROGRAM}"


def signed(body: Body) -> Reply:
    """An answer that says which model gave it."""
    return Reply(f"{body['model']} says so.")


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with scripted(signed) as models:
        yield models


@pytest.fixture(scope="module")
def server(models: ModelServer, gates: Gates) -> Iterator[process.Server]:
    with probing(models, gates) as running:
        yield running


async def schemas(client: LangGraphClient) -> Any:
    [assistant] = await client.assistants.search(graph_id="llm_compiler")
    return await client.assistants.get_schemas(assistant["assistant_id"])


async def settings(client: LangGraphClient) -> dict[str, Any]:
    properties: dict[str, Any] = (await schemas(client))["context_schema"]["properties"]
    return properties


def shown(field: dict[str, Any]) -> set[str]:
    """The bounds and choices of a field, also of one that may be null or a list."""
    parts = [field, *field.get("anyOf", ()), field.get("items", {})]
    return {key for part in parts for key in part} & BOUNDS


# ── what Studio shows ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", Context.model_fields)
async def test_every_setting_shows_its_description_and_bounds(
    client: LangGraphClient, name: str
) -> None:
    field = (await settings(client))[name]
    described = Context.model_fields[name]
    assert field["description"] == described.description
    assert name in TEXTS or shown(field)
    default = described.get_default()
    assert field["default"] == (list(default) if isinstance(default, tuple) else default)
    extra = described.json_schema_extra
    assert not isinstance(extra, dict) or extra.items() <= field.items()


async def test_settings_show_their_choices_and_prompts_as_prompts(client: LangGraphClient) -> None:
    fields = await settings(client)
    assert list(fields) == list(Context.model_fields)
    assert fields["examples"]["enum"] == ["auto", "always", "never"]
    assert (fields["max_rounds"]["minimum"], fields["max_rounds"]["maximum"]) == (1, 100)
    for node in ("planner", "joiner"):
        prompt = fields[f"{node}_prompt"]
        assert (prompt["langgraph_type"], prompt["langgraph_nodes"]) == ("prompt", [node])


async def test_the_input_is_messages_and_the_state_is_open(client: LangGraphClient) -> None:
    found = await schemas(client)
    assert list(found["input_schema"]["properties"]) == ["messages"]
    state = found["state_schema"]["properties"]
    assert {"messages", "plan", "outcomes", "round", "feedback", "usage"} <= set(state)


async def test_the_graph_has_the_papers_shape(client: LangGraphClient) -> None:
    [assistant] = await client.assistants.search(graph_id="llm_compiler")
    picture: Any = await client.assistants.get_graph(assistant["assistant_id"])
    assert [node["id"] for node in picture["nodes"]] == [
        "__start__", "planner", "scheduler", "joiner", "__end__",
    ]  # fmt: skip
    edges = {(e["source"], e["target"], bool(e.get("conditional"))) for e in picture["edges"]}
    assert edges == {
        ("__start__", "planner", False),
        ("planner", "scheduler", False),
        ("scheduler", "joiner", False),
        ("joiner", "planner", True),
        ("joiner", "__end__", True),
    }


async def test_every_value_of_the_state_is_read_and_edited(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, PROBES, input=asking('knock("open")'))
    values: Any = (await client.threads.get_state(thread))["values"]
    task = {"id": 1, "name": "", "tool": "knock", "args": {"name": "open"}, "needs": []}
    task |= {"line": 1, "source": 'knock("open")'}
    del values["plan"][0]["key"]
    assert values["plan"] == [{**task, "round": 1, "taint": ""}]
    assert values["turn"] == values["messages"][0]["id"]
    assert values["outcomes"]["1"]["value"] == "passed open"
    assert (values["round"], values["feedback"]) == (1, None)
    assert values["usage"]["planner"]["calls"] == 1
    edited = {**values["outcomes"]["1"], "value": "edited"}
    await client.threads.update_state(thread, {"outcomes": {"1": edited}, "round": 2})
    values = (await client.threads.get_state(thread))["values"]
    assert (values["outcomes"]["1"]["value"], values["round"]) == ("edited", 2)


# ── side by side ──────────────────────────────────────────────────────────────────────────────


async def test_two_assistants_run_side_by_side_and_do_not_mix(
    client: LangGraphClient, models: ModelServer, gates: Gates
) -> None:
    gates.hold("left", "right")
    settings: list[Any] = [
        {
            "planner_model": "openai:plan-a", "joiner_model": "openai:join-a",
            "allow": ["knock"], "max_tasks": 1, "joiner_prompt": VERSE,
        },
        {"model": "openai:b", "planner_prompt": TERSE, "more_examples": [WORKED]},
    ]  # fmt: skip
    one = await client.assistants.create(PROBES, context=settings[0], name="a")
    other = await client.assistants.create(PROBES, context=settings[1], name="b")
    plans = {
        one["assistant_id"]: 'knock("left")\nknock("open")',
        other["assistant_id"]: 'knock("right")\nwipe("open")',
    }
    asked = len(models.requests)
    runs = [
        asyncio.create_task(client.runs.wait(None, id, input=asking(plan)))
        for id, plan in plans.items()
    ]
    await gates.seen("begun", "left", "right")
    gates.open("left", "right")
    left, right = [dict[str, Any](await run) for run in runs]  # type: ignore[arg-type]

    assert answer(left) == "join-a says so."
    assert answer(right) == "b says so."
    assert [o["status"] for o in left["outcomes"].values()] == ["ok", "failed"]
    assert "max_tasks" in left["outcomes"]["2"]["error"]
    assert [o["status"] for o in right["outcomes"].values()] == ["ok", "ok"]

    systems: dict[tuple[str, str], str] = {}
    for request in models.requests[asked:]:
        if not request.body:
            continue  # which models there are
        text = "\n".join(map(text_of, request.body["messages"]))
        role = "planner" if "plan" in text.split("\n")[0] else "joiner"
        systems[request.body["model"], role] = text
    assert set(systems) == {
        ("plan-a", "planner"), ("join-a", "joiner"), ("b", "planner"), ("b", "joiner"),
    }  # fmt: skip
    assert "wipe(" not in systems["plan-a", "planner"]
    assert PROGRAM not in systems["plan-a", "planner"]
    assert "in verse" in systems["join-a", "joiner"]
    assert systems["b", "planner"].startswith(TERSE.partition("{tools}")[0])
    assert PROGRAM in systems["b", "planner"]
    assert "in verse" not in systems["b", "joiner"]


async def test_an_assistant_that_is_changed_runs_as_changed(client: LangGraphClient) -> None:
    assistant = await client.assistants.create(PROBES, context={"model": "openai:first"})
    id = assistant["assistant_id"]
    for name in ("first", "second"):
        changed = await client.assistants.update(id, context={"model": f"openai:{name}"})
        assert changed["context"] == {"model": f"openai:{name}"}
        run: Any = await client.runs.wait(None, id, input=asking('knock("open")'))
        assert answer(run) == f"{name} says so."


# ── refused ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"planner_prompt": "Be brief."}, "add the lines 'Tools:' and '{tools}'"),
        ({"joiner_prompt": "Be brief."}, "add the line '{missing}'"),
        (
            {"more_examples": ["Who?"]},
            "a worked program begins with 'Question: …', not with 'Who?'",
        ),
        ({"max_rounds": 0}, "max_rounds"),
        ({"model": "nobody:nothing"}, "nobody"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_a_wrong_setting_says_what_to_do_about_it(
    client: LangGraphClient, context: dict[str, Any], said: str
) -> None:
    run = client.runs.stream(None, PROBES, input=asking('answer("x")'), context=context)
    [error] = [part.data async for part in run if part.event == "error"]
    assert said in error["message"]


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"max_round": 2}, "max_round is not a setting; did you mean max_rounds?"),
        ({"colour": "red"}, "colour is not a setting; the settings are model, "),
    ],
    ids=("misspelt", "unknown"),
)
async def test_what_is_no_setting_is_refused_before_anything_runs(
    client: LangGraphClient, models: ModelServer, context: dict[str, Any], said: str
) -> None:
    with pytest.raises(UnprocessableEntityError, match=re.escape(said)):
        await client.assistants.create(PROBES, context=context)
    sound = await client.assistants.create(PROBES, context={"max_rounds": 2})
    with pytest.raises(UnprocessableEntityError, match=re.escape(said)):
        await client.assistants.update(sound["assistant_id"], graph_id=PROBES, context=context)
    asked = len(models.requests)
    thread = (await client.threads.create())["thread_id"]
    for assistant in (PROBES, sound["assistant_id"]):
        run = client.runs.stream(thread, assistant, input=asking('answer("x")'), context=context)
        [error] = [part.data async for part in run if part.event == "error"]
        assert said in error["message"]
    assert len(models.requests) == asked
    # The thread keeps the context of its runs, which must not spoil those that follow.
    values: Any = await client.runs.wait(thread, PROBES, input=asking('knock("open")'))
    assert values["outcomes"]["1"]["status"] == "ok"


async def test_tools_may_be_given_more_than_settings(client: LangGraphClient) -> None:
    """`config.configurable` is taken for a context too; a graph that calls passes on its own."""
    given: Any = {"configurable": {"colour": "red", "max_rounds": 2, "user_id": "ann"}}
    values: Any = await client.runs.wait(None, PROBES, input=asking('knock("open")'), config=given)
    assert values["outcomes"]["1"]["status"] == "ok"
    given = {"configurable": {"max_round": 2}}
    run = client.runs.stream(None, PROBES, input=asking('answer("x")'), config=given)
    [error] = [part.data async for part in run if part.event == "error"]
    assert "did you mean max_rounds?" in error["message"]
