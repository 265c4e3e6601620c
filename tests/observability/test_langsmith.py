"""What leaves for LangSmith, as a server of it on loopback gets it; the program keeps its data."""

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langsmith.utils import get_env_var

from llm_compiler import build_graph
from llm_compiler.observability.langsmith import _client, _mask
from tests.server.trace_server import TraceServer
from tests.support.scripted import Ledger, ScriptedModel

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
PASSWORD = "correct-horse-battery"
THREAD: Any = {"configurable": {"thread_id": "1"}}


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[TraceServer]:
    """LangSmith is on, and this is where it is."""
    with TraceServer() as traces:
        monkeypatch.setenv("LANGSMITH_TRACING", "true")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", traces.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_pt_of_nobody")
        monkeypatch.setenv("DATABASE_PASSWORD", PASSWORD)
        _forget()
        yield traces
        if (client := _client()) is not None:
            client.cleanup()
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    get_env_var.cache_clear()  # type: ignore[attr-defined]
    _client.cache_clear()


def sent(traces: TraceServer) -> str:
    client = _client()
    assert client is not None
    client.flush()
    return traces.sent


def graph(ledger: Ledger, plan: str, **options: Any) -> Any:
    planner, joiner = ScriptedModel(plan), ScriptedModel(f"It is {PASSWORD}.")
    return build_graph(ledger.tools, planner=planner, joiner=joiner, **options)


async def test_the_program_keeps_what_a_trace_masks(traces: TraceServer, ledger: Ledger) -> None:
    compiled = graph(ledger, f'echo("{KEY}")', checkpointer=InMemorySaver())
    state = await compiled.ainvoke({"messages": [("user", f"Is it {KEY}?")]}, THREAD)
    assert ledger.begun == [KEY]
    assert state["outcomes"]["1"]["value"] == KEY
    texts = [message.text for message in (await compiled.aget_state(THREAD)).values["messages"]]
    assert texts == [f"Is it {KEY}?", "", KEY, f"It is {PASSWORD}."]
    assert "Is it [SECRET_DETECTED]?" in sent(traces)
    assert KEY not in sent(traces)


async def test_what_is_written_to_the_state_is_masked(traces: TraceServer, ledger: Ledger) -> None:
    compiled = graph(ledger, "", checkpointer=InMemorySaver())
    messages = [("user", "A note."), ("ai", f"{KEY} and {PASSWORD}")]
    await compiled.aupdate_state(THREAD, {"messages": messages}, as_node="joiner")
    assert "[SECRET_DETECTED] and ***" in sent(traces)
    assert KEY not in sent(traces)
    assert PASSWORD not in sent(traces)


async def test_a_wrong_langsmith_setting_does_not_fail_the_turn(
    traces: TraceServer,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING_SAMPLING_RATE", "ten")
    _forget()
    with caplog.at_level(logging.ERROR, "llm_compiler.observability.langsmith"):
        state = await graph(ledger, 'echo("x")').ainvoke({"messages": [("user", "?")]})
    assert state["messages"][-1].text == f"It is {PASSWORD}."
    assert "no traces; check LANGSMITH_…" in caplog.text


def test_masks_at_any_depth_and_in_keys() -> None:
    deep: Any = KEY
    for _ in range(50):
        deep = [{"inner": deep}]
    masked = _mask({KEY: 1, "deep": deep, "tuple": (KEY, 2.5, None)})
    assert KEY not in str(masked)
    assert masked["tuple"] == ["[SECRET_DETECTED]", 2.5, None]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("api_key=abcdef123456 is it", "api_key=[SECRET_DETECTED] is it"),
        ("my.service.token: abcdef123456", "my.service.token: [SECRET_DETECTED]"),
        ("postgres://bob:abcdef123456@host/db", "postgres://***@host/db"),
        ("tokens: 123456", "tokens: 123456"),
        ("x" * 20_001, "x" * 20_000 + "… (20001 characters)"),
    ],
)
def test_masks_by_the_rules_of_langsmith_and_ours(text: str, masked: str) -> None:
    assert _mask(text) == masked


@pytest.mark.parametrize("piece", ["1.", "a", "token", "x://", "token_"])
def test_masking_a_long_text_takes_no_quadratic_time(piece: str) -> None:
    _mask("warm")
    began = time.perf_counter()
    _mask(piece * (20_000 // len(piece)))
    assert time.perf_counter() - began < 2  # it was 20 s
