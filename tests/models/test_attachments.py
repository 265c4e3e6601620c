"""Pictures, recordings and files in a question: for models that take them, else the person is told.

A 1×1 picture goes over real HTTP; what a server refuses is not sent to it again.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from llm_compiler import Context, build_graph
from llm_compiler.models.profiles import LOCAL_PROFILE
from llm_compiler.models.providers import OPEN_MODELS
from llm_compiler.prompting.attachments import KINDS, asking, attachments, kinds_of, without
from tests.bench.model_server import Body, Reply, text_of
from tests.support.dialects import refusal, sent
from tests.support.scripted import Ledger, ScriptedModel
from tests.support.serving import Serve, serving

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+M8AAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
BLOCKS: list[dict[str, Any]] = [
    PICTURE,
    {"type": "image", "base64": PNG, "mime_type": "image/png"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
    {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
    {"type": "file", "base64": "", "mime_type": "application/pdf"},
]
PLAN = 'echo("one")'
NAMES = "How many? 7, says Zebedee."
"""What only the picture holds."""


def ask(*blocks: dict[str, Any], text: str = "How many?") -> Any:
    return {"messages": [HumanMessage([{"type": "text", "text": text}, *blocks])]}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    OPEN_MODELS.reset()
    with serving(monkeypatch, planner=PLAN, joiner=NAMES) as start:
        yield start


async def test_a_picture_goes_to_planner_and_joiner(serve: Serve) -> None:
    server = serve()
    state = await build_graph(Ledger().tools).ainvoke(
        ask(PICTURE), context=Context(model="openai:scripted")
    )
    planner, joiner = [body["messages"][-1]["content"] for body in sent(server)]
    assert planner == [{"type": "text", "text": "How many?"}, PICTURE]
    assert joiner[1:] == [PICTURE]
    # No code can read a picture, so what it may say is not checked.
    assert state["messages"][-1].text == NAMES


@pytest.mark.parametrize("client", ["ours", "the caller's"])
async def test_a_server_that_refuses_pictures_is_asked_without_and_the_person_told(
    serve: Serve, client: str
) -> None:
    def script(body: Body) -> Reply:
        content = body["messages"][-1]["content"]
        if not isinstance(content, str):
            return refusal(message="image_url is only supported by certain models")
        return Reply(PLAN if "Write a plan" in text_of(body["messages"][0]) else "I cannot see it.")

    server = serve(planner=script, joiner=script)
    chat = ChatOpenAI(model="scripted", base_url=server.base_url, api_key=SecretStr("x"))
    graph = build_graph(Ledger().tools, model=None if client == "ours" else chat)
    name = "openai:scripted" if client == "ours" else "scripted"
    for _ in range(2):
        state = await graph.ainvoke(ask(PICTURE), context=Context(model="openai:scripted"))
        assert state["messages"][-1].text == (
            f"I cannot see it.\n\n(Not all of your message was read: {name} takes no pictures.)"
        )
    contents = [body["messages"][-1]["content"] for body in sent(server)]
    assert [isinstance(content, str) for content in contents] == [False, True, True, True, True]
    assert contents[1] == "How many?\n\n[a picture that you cannot read]"


async def test_what_a_model_is_known_not_to_take_is_never_sent() -> None:
    model = ScriptedModel('answer("No idea.")', profile={"image_inputs": False})
    state = await build_graph(Ledger().tools, model=model).ainvoke(ask(PICTURE))
    assert model.seen[0][-1].content == "How many?\n\n[a picture that you cannot read]"
    assert state["messages"][-1].text == (
        "No idea.\n\n(Not all of your message was read: ScriptedModel takes no pictures.)"
    )
    assert LOCAL_PROFILE.refuses == KINDS


async def test_a_picture_of_an_earlier_turn_is_still_seen() -> None:
    model = ScriptedModel('answer("A cat.")')
    messages = [*ask(PICTURE)["messages"], AIMessage("A cat."), HumanMessage("And its colour?")]
    await build_graph(Ledger().tools, model=model).ainvoke({"messages": messages})
    assert kinds_of(model.seen[0]) == ["picture"]


async def test_a_replan_keeps_the_picture_and_is_one_message_of_parts() -> None:
    model = ScriptedModel(PLAN, "REPLAN: more", 'answer("A cat.")')
    await build_graph(Ledger().tools, model=model).ainvoke(ask(PICTURE))
    *_, last = model.seen[-1]
    assert [type(part) for part in last.content] == [dict, dict, dict]
    assert [message.type for message in model.seen[-1]] == ["system", "human"]


async def test_a_question_may_be_a_picture_alone() -> None:
    model = ScriptedModel('answer("A cat.")')
    state = await build_graph(Ledger().tools, model=model).ainvoke(
        {"messages": [HumanMessage([PICTURE])]}
    )
    assert model.seen[0][-1].content == [PICTURE]
    assert state["messages"][-1].text == "A cat."


def test_attachments_are_the_blocks_that_are_no_text() -> None:
    message = HumanMessage([{"type": "text", "text": "a"}, "b", *BLOCKS, {"type": "thinking"}])
    assert attachments(message) == BLOCKS
    assert kinds_of([message]) == ["picture", "recording", "file"]
    assert attachments(HumanMessage("a picture")) == attachments(None) == []
    assert len(attachments(asking("many", [PICTURE] * 100))) == 20


def test_words_stand_for_what_is_left_out() -> None:
    message = asking("Which?", BLOCKS)
    assert without(message, ()) == message
    assert kinds_of([without(message, {"picture"})]) == ["recording", "file"]
    assert isinstance(without(message, KINDS).content, str)
    assert "[a file that you cannot read]" in without(message, KINDS).text
