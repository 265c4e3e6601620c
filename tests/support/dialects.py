"""Replies in the dialects of OpenAI's protocol, and how the real client hears them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from llm_compiler.errors import ModelError
from llm_compiler.models.model import Meter, Model
from llm_compiler.models.providers import OpenModels
from llm_compiler.state import RoleUsage
from tests.bench.model_server import Body, ModelServer, Reply, Script, text_of

DONE = "data: [DONE]\n\n"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@dataclass(frozen=True)
class Heard:
    """A reply as the agent's stream has it."""

    text: str
    usage: RoleUsage
    error: ModelError | None = None


def serving(script: Script) -> ModelServer:
    return ModelServer(script, first_token=0, rate=None)


@dataclass
class Rows:
    """Asks a model for each row of a table of replies, over one connection to one server."""

    monkeypatch: pytest.MonkeyPatch

    async def __call__(self, table: Mapping[str, str | Reply]) -> dict[str, Heard]:
        replies = {
            row: it if isinstance(it, Reply) else Reply(body=it) for row, it in table.items()
        }
        with serving(lambda body: replies[text_of(body["messages"][-1])]) as server:
            model = await self.model(server)
            return {row: await self.heard(model, row) for row in table}

    async def model(self, server: ModelServer) -> Model:
        self.monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        self.monkeypatch.setenv("OPENAI_API_KEY", "none")
        return await OpenModels().get("openai:scripted")

    async def heard(self, model: Model, question: str = "Which?") -> Heard:
        meter, text = Meter(), list[str]()
        messages = [SystemMessage("Be brief."), HumanMessage(question)]
        error = None
        try:
            async for piece in model.stream(messages, meter, role="planner", forget=text.clear):
                text.append(piece)
        except ModelError as raised:
            error = raised
        return Heard("".join(text).strip(), meter.usage, error)


def sent(server: ModelServer) -> list[Body]:
    return [request.body for request in server.requests if request.path.endswith("completions")]


def event(document: Any, end: str = "\n\n") -> str:
    return f"data: {json.dumps(document)}{end}"


def chunk(delta: Any, reason: Any = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], **more}


def events(deltas: Iterable[Any], *, end: str = "\n\n", **more: Any) -> str:
    """A stream of deltas, well ended."""
    documents = [*map(chunk, deltas), chunk({}, "stop", **more)]
    return "".join(event(document, end) for document in documents) + DONE


def whole(message: dict[str, Any], **more: Any) -> Reply:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    document = {"object": "chat.completion", "choices": [choice], "usage": USAGE, **more}
    return Reply(body=json.dumps(document, indent=1), content_type="application/json")


def refusal(status: int = 400, **error: Any) -> Reply:
    said = {"message": "the request is not valid", "type": "invalid_request_error", **error}
    return Reply(status=status, body=json.dumps({"error": said}), content_type="application/json")
