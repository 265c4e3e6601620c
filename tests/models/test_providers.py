"""Which model a role uses, and what a person is told when it cannot be reached."""

import asyncio
import os
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from llm_compiler import Context, build_graph
from llm_compiler.errors import ModelError, SetupError
from llm_compiler.models import providers
from llm_compiler.models.model import Meter
from llm_compiler.models.profiles import ModelProfile
from llm_compiler.models.providers import OpenModels
from tests.bench.model_server import ModelServer, Reply, by_role
from tests.support.models import open_model
from tests.support.scripted import Ledger

SECRET = "sk-very-secret-key"
ASK: Any = {"messages": [HumanMessage("private question")]}
OPENAI = Context(model="openai:scripted")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", *_settings()):
        monkeypatch.delenv(name, raising=False)


def _settings() -> list[str]:
    return [name for name in os.environ if name.startswith("LLM_COMPILER_")]


def point_to(monkeypatch: pytest.MonkeyPatch, server: ModelServer) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("gpt-4.1-mini", "write 'openai:gpt-4.1-mini' or 'local'"),
        ("openai:", "has no provider"),
        ("openai:gpt-4.1-mini", "needs OPENAI_API_KEY"),
        ("anthropic:claude", "langchain-anthropic"),
    ],
)
async def test_a_model_that_cannot_be_opened_says_what_to_do(name: str, remedy: str) -> None:
    with pytest.raises(SetupError) as error:
        await open_model(name)
    assert remedy in str(error.value)


async def test_a_model_is_opened_once_per_loop_and_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ModelServer("x") as first, ModelServer("x") as second:
        point_to(monkeypatch, first)
        one = await open_model("openai:scripted")
        assert await open_model("openai:scripted") is one
        point_to(monkeypatch, second)
        assert await open_model("openai:scripted") is not one


async def test_a_reset_forgets_the_open_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    models = OpenModels()
    one = await models.get("openai:scripted")
    assert await models.get("openai:scripted") is one
    models.reset()
    assert await models.get("openai:scripted") is not one


@pytest.mark.parametrize(
    ("owner", "dialect"), [("llamacpp", "llama.cpp"), ("vllm", "vllm"), ("openai", None)]
)
async def test_a_server_that_decodes_under_a_grammar_is_sent_one(
    monkeypatch: pytest.MonkeyPatch, owner: str, dialect: str | None
) -> None:
    script = by_role({"Write a plan": "add(1, 2)", "Answer": "Three."})
    with ModelServer(script, first_token=0, rate=None, owned_by=owner) as server:
        point_to(monkeypatch, server)
        assert (await open_model("openai:scripted")).profile.grammar == dialect
        state = await build_graph(Ledger().tools).ainvoke(ASK, context=OPENAI)
        assert state["messages"][-1].text == "Three."
        plan, _ = [r.body for r in server.requests if r.path.endswith("completions")]
    sent = plan.get("grammar") or plan.get("structured_outputs", {}).get("grammar") or ""
    assert ("root ::=" in sent) == (dialect is not None)


@pytest.mark.parametrize(
    ("question", "names", "offered"),
    [("Which is lower?", True, False), ("How high is it?", True, True), ("Which?", False, True)],
)
async def test_a_plan_for_a_question_that_asks_which_takes_no_smallest_value(
    monkeypatch: pytest.MonkeyPatch, question: str, names: bool, offered: bool
) -> None:
    monkeypatch.setattr(providers, "OPENAI_PROFILE", ModelProfile(names_which=names))
    with ModelServer('answer("K2.")', first_token=0, rate=None, owned_by="llamacpp") as server:
        point_to(monkeypatch, server)
        asked: Any = {"messages": [HumanMessage(question)]}
        await build_graph(Ledger().tools).ainvoke(asked, context=OPENAI)
        (plan,) = [r.body for r in server.requests if r.path.endswith("completions")]
    assert ('"min("' in plan["grammar"]) == offered


async def test_a_server_that_is_still_starting_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ModelServer("x", owned_by="llamacpp") as server:
        point_to(monkeypatch, server)
        server.loading = True
        before = await open_model("openai:scripted")
        server.loading = False
        after = await open_model("openai:scripted")
        assert (before.profile.grammar, after.profile.grammar) == (None, "llama.cpp")
        assert after.chat is before.chat
        assert await open_model("openai:scripted") is after
    assert [request.path for request in server.requests] == ["/v1/models"] * 2


async def test_a_server_that_was_down_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer("x") as gone:
        point_to(monkeypatch, gone)
    assert (await open_model("openai:scripted")).profile.grammar is None
    port = int(gone.base_url.rpartition(":")[2].partition("/")[0])
    with ModelServer("x", port=port, owned_by="vllm"):
        assert (await open_model("openai:scripted")).profile.grammar == "vllm"


async def test_a_server_without_a_list_of_models_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ModelServer("x") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.base_url}/elsewhere")
        for _ in range(2):
            assert (await open_model("openai:scripted")).profile.grammar is None
    assert len(server.requests) == 1


async def test_an_invalid_address_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:password@[::1")
    with pytest.raises(SetupError, match="OPENAI_BASE_URL is not a URL; write http") as error:
        await open_model("openai:scripted")
    assert "password" not in str(error.value)


async def test_usage_is_metered_by_role(monkeypatch: pytest.MonkeyPatch) -> None:
    script = by_role({"Write a plan": "add(1, 2)", "Answer": "Three."})
    with ModelServer(script, first_token=0, rate=None) as server:
        point_to(monkeypatch, server)
        state = await build_graph(Ledger().tools).ainvoke(ASK, context=OPENAI)
    for role in ("planner", "joiner"):
        usage = state["usage"][role]
        assert usage["calls"] == 1
        assert usage["input"] > 10
        assert usage["output"] > 0


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "HTTP 401: the key was refused"),
        (404, "HTTP 404: the server has no such model"),
        (400, "HTTP 400"),
    ],
)
async def test_a_refusal_names_role_model_and_remedy_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, status: int, remedy: str
) -> None:
    with ModelServer(Reply(status=status)) as server:
        point_to(monkeypatch, server)
        with pytest.raises(ModelError) as error:
            await build_graph(Ledger().tools).ainvoke(ASK, context=OPENAI)
    text = str(error.value)
    assert text.startswith("the planner's model openai:scripted: ")
    assert remedy in text
    assert SECRET not in text
    assert "private" not in text


async def test_a_server_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer("x") as server:
        point_to(monkeypatch, server)
    model = await open_model("openai:scripted")
    with pytest.raises(ModelError, match="no connection"):
        async for _ in model.stream([HumanMessage("x")], Meter(), role="planner"):
            pass


@pytest.mark.slow
async def test_too_many_requests_are_retried_after_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    plan: Any = [Reply(status=429, retry_after=0.01), Reply(status=500), "add(1, 2)"]
    script = by_role({"Write a plan": plan, "Answer": "Three."})
    with ModelServer(script, first_token=0, rate=None) as server:
        point_to(monkeypatch, server)
        state = await build_graph(Ledger().tools).ainvoke(ASK, context=OPENAI)
    assert state["messages"][-1].text == "Three."


async def test_a_stream_that_breaks_off_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = "echo('one')\nadd(1, 2)"
    script = by_role({"Write a plan": [Reply(plan, cut_after=20), plan], "Answer": "Three."})
    ledger = Ledger()
    with ModelServer(script, first_token=0, rate=None) as server:
        point_to(monkeypatch, server)
        state = await build_graph(ledger.tools).ainvoke(ASK, context=OPENAI)
    assert state["outcomes"]["2"]["value"] == 3
    assert ledger.begun.count("one") == 1
    assert state["usage"]["planner"]["calls"] == 2


def test_one_graph_serves_many_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pooled connections die with their loop: each loop has its own."""
    script = by_role({"Write a plan": "add(1, 2)", "Answer": "Three."})
    graph = build_graph(Ledger().tools)
    with ModelServer(script, first_token=0, rate=None) as server:
        point_to(monkeypatch, server)
        for _ in range(3):
            state = asyncio.run(graph.ainvoke(ASK, context=OPENAI))
            assert state["messages"][-1].text == "Three."
        assert graph.invoke(ASK, context=OPENAI)["messages"][-1].text == "Three."
