"""Models as callers give them: any chat model, any Runnable around one, or a name."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, Runnable, RunnableGenerator, RunnableLambda
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel, SecretStr

from llm_compiler import Context, build_graph
from llm_compiler.errors import ModelError, SetupError
from llm_compiler.models.given import GivenModels, model_of
from llm_compiler.models.reply_chunks import as_chunk
from tests.bench.model_server import Body, ModelServer, Reply
from tests.support.dialects import refusal, sent, whole
from tests.support.scripted import Ledger, ScriptedModel

ASK: Any = {"messages": [HumanMessage("Which?")]}
PLAN = 'x = echo("one")\nanswer(f"Got {x}.")'


def chain(*runnables: Any) -> Any:
    """`a | b | …`, whose types are not known."""
    first, *others = runnables
    for other in others:
        first = first | other
    return first


async def generated(parts: AsyncIterator[Any]) -> AsyncIterator[str]:
    async for _ in parts:
        for piece in PLAN:
            yield piece


RUNNABLES: dict[str, Any] = {
    "a chat model": lambda: ScriptedModel(PLAN),
    "with_fallbacks": lambda: ScriptedModel([ConnectionError()]).with_fallbacks(
        [ScriptedModel(PLAN)]
    ),
    "with_config": lambda: ScriptedModel(PLAN).with_config(tags=["mine"]),
    "with_retry": lambda: ScriptedModel(PLAN).with_retry(),
    "bind": lambda: ScriptedModel(PLAN).bind(stop=["x"]),
    "configurable_fields": lambda: ScriptedModel(PLAN).configurable_fields(
        at=ConfigurableField(id="at")
    ),
    "an async function that gives a text": lambda: RunnableLambda(said),
    "a function that gives a message": lambda: RunnableLambda(lambda _: AIMessage(PLAN)),
    "a function that gives a model": lambda: RunnableLambda(lambda _: ScriptedModel(PLAN)),
    "a generator": lambda: RunnableGenerator(generated),
    "a chain that ends in a text": lambda: chain(ScriptedModel(PLAN), StrOutputParser()),
    "a model that does not stream": lambda: GenericFakeChatModel(
        messages=iter([AIMessage(PLAN)]), disable_streaming=True
    ),
    "a message with parts": lambda: RunnableLambda(
        lambda _: AIMessage([{"type": "text", "text": PLAN}])
    ),
}


async def said(_: Any) -> str:
    return PLAN


@pytest.mark.parametrize("kind", RUNNABLES)
async def test_any_runnable_is_a_model(kind: str) -> None:
    graph = build_graph(Ledger().tools, model=RUNNABLES[kind]())
    state = await graph.ainvoke(ASK)
    assert state["messages"][-1].text == "Got one."
    assert state["usage"]["planner"]["calls"] == 1


class Form(BaseModel):
    answer: str


def graph_of_another() -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("echo", lambda state: state)
    builder.add_edge(START, "echo")
    return builder.compile()


REFUSED: dict[str, tuple[Any, str]] = {
    "a number": (7, "int is no model"),
    "a function": (lambda messages: "x", "function is no model"),
    "a class": (ChatOpenAI, "the class ChatOpenAI is no model"),
    "a name without provider": ("gpt-4.1", "write 'openai:gpt-4.1'"),
    "an empty name": ("", "has no provider"),
    "a provider without a name": ("openai:", "has no provider"),
    "a graph": (graph_of_another(), "is a graph"),
    "a prompt": (ChatPromptTemplate.from_messages([("user", "{x}")]), "pass `instructions`"),
    "a chain with a prompt": (
        chain(ChatPromptTemplate.from_messages([("user", "{x}")]), ScriptedModel()),
        "pass `instructions`",
    ),
    "a chain that gives a form": (
        chain(ScriptedModel(), PydanticOutputParser(pydantic_object=Form)),
        "answers with a Form",
    ),
}


@pytest.mark.parametrize("argument", ["model", "planner", "joiner"])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_model_is_refused_when_the_graph_is_built(kind: str, argument: str) -> None:
    value, why = REFUSED[kind]
    with pytest.raises(SetupError, match=why):
        build_graph(Ledger().tools, **{argument: value})


async def test_a_runnable_that_turns_out_to_give_no_text_is_reported() -> None:
    model = chain(ScriptedModel('{"a": 1}'), JsonOutputParser())
    with pytest.raises(ModelError, match="it answered with a dict; it must answer with a message"):
        await build_graph(Ledger().tools, model=model).ainvoke(ASK)


def test_a_runnable_goes_by_the_name_of_the_model_in_it() -> None:
    model = ChatOpenAI(model="deepseek-r1", api_key=SecretStr("x"))
    others: list[Runnable[Any, Any]] = [
        model.with_fallbacks([ScriptedModel()]),
        model.bind(stop="x").with_config(tags=["x"]),
        chain(RunnableLambda(lambda it: it), model),
    ]
    for runnable in (model, *others):
        known = model_of(runnable)
        assert (known.name, known.provider) == ("deepseek-r1", "openai-chat")
        assert known.profile.thinks


# ── which model serves which role ─────────────────────────────────────────────────────────────

ROLES: dict[str, tuple[dict[str, str], dict[str, str], tuple[str, str]]] = {
    "nothing": ({}, {}, ("local", "local")),
    "one for both": ({"model": "x:a"}, {}, ("x:a", "x:a")),
    "the planner's serves both": ({"planner": "x:a"}, {}, ("x:a", "x:a")),
    "the joiner's serves both": ({"joiner": "x:a"}, {}, ("x:a", "x:a")),
    "each its own": ({"planner": "x:a", "joiner": "x:b"}, {}, ("x:a", "x:b")),
    "its own beats both's": ({"model": "x:a", "joiner": "x:b"}, {}, ("x:a", "x:b")),
    "given beats context": ({"model": "x:a"}, {"model": "x:b"}, ("x:a", "x:a")),
    "given role beats context": ({"joiner": "x:a"}, {"joiner_model": "x:b"}, ("x:a", "x:a")),
    "a role's beats both's": ({"model": "x:a"}, {"joiner_model": "x:b"}, ("x:a", "x:b")),
    "both's beats the other's": ({"planner": "x:a"}, {"model": "x:b"}, ("x:a", "x:b")),
    "the context's planner serves both": ({}, {"planner_model": "x:a"}, ("x:a", "x:a")),
}


@pytest.mark.parametrize("row", ROLES)
def test_which_model_serves_which_role(row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    given, context, roles = ROLES[row]
    models = GivenModels.checked(**given)
    assert (models.of(Context(**context), "planner"), models.of(Context(**context), "joiner")) == (
        roles
    )


async def test_a_planner_alone_also_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    model = ScriptedModel('echo("one")', "It is one.")
    state = await build_graph(Ledger().tools, planner=model).ainvoke(ASK)
    assert state["messages"][-1].text == "It is one."


# ── a caller's own client, behind a server that does not stream ───────────────────────────────


def client(server: ModelServer) -> ChatOpenAI:
    return ChatOpenAI(
        model="scripted", base_url=server.base_url, api_key=SecretStr("x"), max_retries=0
    )


GATEWAYS = {
    "says so": lambda body: refusal(message="streaming is not supported"),
    "sends the whole reply": lambda body: whole({"role": "assistant", "content": PLAN}),
}


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_model_whose_server_does_not_stream_is_asked_at_once(
    gateway: str, wrapped: bool
) -> None:
    def script(body: Body) -> Reply:
        return (
            GATEWAYS[gateway](body)
            if body.get("stream")
            else whole({"role": "assistant", "content": PLAN})
        )

    with ModelServer(script, first_token=0, rate=None) as server:
        chat: Runnable[Any, Any] = client(server)
        model = chat.with_fallbacks([chat]) if wrapped else chat
        graph = build_graph(Ledger().tools, model=model)
        for _ in range(2):
            chunks = [part async for part in graph.astream(ASK, stream_mode=["messages", "values"])]
            assert chunks[-1][1]["messages"][-1].text == "Got one."
        streamed = [bool(body.get("stream")) for body in sent(server)]
    # A server that does not stream is not asked to again.
    assert streamed == ([True, True, False, False] if wrapped else [True, False, False])


async def test_calls_in_a_whole_message_are_kept() -> None:
    call = {"name": "echo", "args": {"value": "one"}, "id": "1"}
    chunk = as_chunk(AIMessage("", tool_calls=[call]))
    assert isinstance(chunk, AIMessageChunk)
    assert [it["args"] for it in chunk.tool_call_chunks] == [json.dumps(call["args"])]


async def test_an_error_in_the_users_own_model_names_its_place_and_not_its_text() -> None:
    def broken(messages: Any) -> str:
        raise ValueError(f"canary {messages}")

    line = broken.__code__.co_firstlineno + 1
    with pytest.raises(ModelError) as raised:
        await build_graph(Ledger().tools, model=RunnableLambda(broken)).ainvoke(ASK)
    assert f"ValueError in test_given_models.py, line {line}; try again" in str(raised.value)
    assert "canary" not in str(raised.value)
