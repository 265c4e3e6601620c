"""Agents of others around ours, all with one scripted model server."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_openai import ChatOpenAI

from tests.bench.model_server import ModelServer, Reply, by_role


def calling(*calls: tuple[str, dict[str, Any]]) -> Reply:
    """A model's reply that calls tools."""
    return Reply(tool_calls=calls)


@contextmanager
def served(plans: Iterable[str], others: Iterable[Reply | str]) -> Iterator[ChatOpenAI]:
    """A model for our planner, which writes these plans, and for others, who reply with these."""
    script = by_role({"write a plan": plans, "answer the question": "Done."}, others)
    with ModelServer(script, first_token=0, rate=None) as server:
        yield ChatOpenAI(base_url=server.base_url, api_key="x", model="m", max_retries=0)


def said(messages: Iterable[BaseMessage]) -> list[tuple[str | None, str]]:
    """Who said what, without the calls."""
    return [
        (it.name, it.text)
        for it in messages
        if isinstance(it, AIMessage) and it.text and not it.tool_calls
    ]
