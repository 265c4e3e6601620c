"""The spans of turns, rounds, model calls and tool calls, as an exporter gets them."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from llm_compiler import Context, build_graph
from llm_compiler.observability.spans import model_call
from tests.support.scripted import Ledger, ScriptedModel

ASK: Any = {"messages": [("user", "How much?")]}
PLAN = 'a = echo("a secret")\nb = add(1, 2)\necho(f"{a} and {b}")'


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """Of the process: OpenTelemetry lets its provider be set once."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator["Spans"]:
    exporter.clear()
    yield Spans(exporter)
    exporter.clear()


class Spans:
    """The spans that have ended, by name."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def __call__(self, name: str) -> list[Any]:
        return [span for span in self.all if span.name == name]

    def one(self, name: str) -> Any:
        (span,) = self(name)
        return span

    @property
    def all(self) -> tuple[Any, ...]:
        return self._exporter.get_finished_spans()

    def tree(self) -> dict[str, list[str]]:
        """The names under each name, in order of their start; "" holds the roots."""
        names = {span.context.span_id: span.name for span in self.all if span.context}
        found: dict[str, list[str]] = {}
        for span in sorted(self.all, key=lambda span: span.start_time or 0):
            parent = names[span.parent.span_id] if span.parent else ""
            found.setdefault(parent, []).append(span.name)
        return found


def graph(ledger: Ledger, *plans: str, joiner: Any = "3", **options: Any) -> Any:
    answers = [joiner] if isinstance(joiner, str) else joiner
    planner, joiner = ScriptedModel(*plans), ScriptedModel(*answers)
    return build_graph(ledger.tools, planner=planner, joiner=joiner, **options)


async def test_a_turn_holds_its_rounds_and_they_their_calls(spans: Spans, ledger: Ledger) -> None:
    joiner = ["REPLAN: one more", "3"]
    await graph(ledger, PLAN, 'echo("b")', joiner=joiner).ainvoke(ASK)
    tree = spans.tree()
    assert tree[""] == ["invoke_agent LLM Compiler"]
    assert tree["invoke_agent LLM Compiler"] == ["round 1", "round 2"]
    calls = ["execute_tool echo", "execute_tool add", "execute_tool echo"]
    assert tree["round 1"] == ["chat ScriptedModel", *calls, "chat ScriptedModel"]
    assert tree["round 2"] == ["chat ScriptedModel", "execute_tool echo", "chat ScriptedModel"]
    verdicts = [span.attributes["llm_compiler.verdict"] for span in spans.all if _round(span)]
    assert verdicts == ["replan", "answer"]


async def test_spans_enclose_what_is_under_them(spans: Spans, ledger: Ledger) -> None:
    await graph(ledger, PLAN).ainvoke(ASK)
    by_id = {span.context.span_id: span for span in spans.all if span.context}
    for span in spans.all:
        if span.parent:
            parent = by_id[span.parent.span_id]
            assert parent.start_time <= span.start_time <= span.end_time <= parent.end_time


async def test_attributes_follow_the_conventions(spans: Spans, ledger: Ledger) -> None:
    config = {"configurable": {"thread_id": "t-1"}}
    await graph(ledger, PLAN, checkpointer=InMemorySaver()).ainvoke(ASK, config)
    assert spans.one("invoke_agent LLM Compiler").attributes == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "LLM Compiler",
        "gen_ai.conversation.id": "t-1",
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 10,
        "llm_compiler.end": "answered",
    }
    chat = spans("chat ScriptedModel")[0]
    assert chat.kind is SpanKind.CLIENT
    assert chat.attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert {k: v for k, v in chat.attributes.items() if "time" not in k} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "ScriptedModel",
        "gen_ai.request.stream": True,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "llm_compiler.role": "planner",
    }
    assert spans.one("execute_tool add").attributes == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "add",
        "gen_ai.tool.call.id": "2",
        "gen_ai.tool.type": "function",
        "llm_compiler.attempts": 1,
    }


async def test_no_text_of_a_person_or_a_tool_is_in_a_span(spans: Spans, ledger: Ledger) -> None:
    await graph(ledger, PLAN, joiner="The secret.").ainvoke(ASK)
    written = "".join(span.to_json() for span in spans.all)
    assert "secret" not in written
    assert "How much" not in written


async def test_a_failed_call_says_so(spans: Spans, ledger: Ledger) -> None:
    await graph(ledger, 'fail("oh")', joiner="It failed.").ainvoke(ASK)
    call = spans.one("execute_tool fail")
    assert call.status.status_code is StatusCode.ERROR
    assert call.status.description == "ValueError: oh"
    assert call.attributes["error.type"] == "ValueError"
    assert spans.one("invoke_agent LLM Compiler").status.status_code is StatusCode.UNSET


async def test_a_failed_model_fails_its_turn(spans: Spans, ledger: Ledger) -> None:
    broken: Any = [ValueError("no such model")]
    with pytest.raises(Exception, match=r"ValueError in scripted\.py, line \d+; try again"):
        await graph(ledger, broken).ainvoke(ASK)
    for name in ("chat ScriptedModel", "invoke_agent LLM Compiler"):
        span = spans.one(name)
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["error.type"] == "ModelError"
    assert spans.one("invoke_agent LLM Compiler").attributes["llm_compiler.end"] == "failed"


async def test_a_turn_that_waits_for_a_person_is_two_spans(spans: Spans, ledger: Ledger) -> None:
    asking = graph(ledger, PLAN, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "t-2"}}
    context = Context(approve=("add",))
    await asking.ainvoke(ASK, config, context=context)
    decision: Any = Command(resume={"decisions": [{"type": "approve"}]})
    await asking.ainvoke(decision, config, context=context)
    runs = spans("invoke_agent LLM Compiler")
    assert [run.attributes["llm_compiler.end"] for run in runs] == ["stopped", "answered"]
    assert {run.attributes["gen_ai.conversation.id"] for run in runs} == {"t-2"}


async def test_a_turn_stands_under_what_is_around_it(spans: Spans, ledger: Ledger) -> None:
    with trace.get_tracer("app").start_as_current_span("request"):
        await graph(ledger, PLAN).ainvoke(ASK)
    assert spans.tree()["request"] == ["invoke_agent LLM Compiler"]


async def test_what_a_tool_traces_stands_under_its_call(spans: Spans) -> None:
    def look(what: str) -> str:
        """Look."""
        with trace.get_tracer("app").start_as_current_span(f"look at {what}"):
            return what

    planner, joiner = ScriptedModel('look("it")'), ScriptedModel("It.")
    await build_graph([look], planner=planner, joiner=joiner).ainvoke(ASK)
    assert spans.tree()["execute_tool look"] == ["look at it"]


async def test_a_run_that_is_abandoned_ends_its_spans(spans: Spans, ledger: Ledger) -> None:
    ledger.gate("held")
    stream = graph(ledger, 'echo("held")').astream(ASK, stream_mode="custom")
    async for event in stream:
        if event["event"] == "task.started":
            break
    await stream.aclose()
    turn = spans.one("invoke_agent LLM Compiler")
    assert turn.attributes["llm_compiler.end"] == "cancelled"
    assert spans.one("execute_tool echo").status.status_code is StatusCode.UNSET
    assert spans.tree()[""] == ["invoke_agent LLM Compiler"]


async def test_a_reader_that_leaves_after_the_answer_has_been_answered(
    spans: Spans, ledger: Ledger
) -> None:
    stream = graph(ledger, PLAN).astream(ASK, stream_mode="updates")
    async for update in stream:
        if "joiner" in update:
            break
    await stream.aclose()
    turn = spans.one("invoke_agent LLM Compiler")
    assert turn.attributes["llm_compiler.end"] == "answered"


async def test_a_question_inside_a_parent_graph_is_not_a_failure(spans: Spans) -> None:
    def ask(what: str) -> str:
        """Ask a person."""
        return str(interrupt(f"May I {what}?"))

    planner, joiner = ScriptedModel('ask("go")'), ScriptedModel("Yes.")
    parent = StateGraph(MessagesState)
    parent.add_node("compiler", build_graph([ask], planner=planner, joiner=joiner))
    parent.add_edge(START, "compiler")
    config: Any = {"configurable": {"thread_id": "t-3"}}
    await parent.compile(InMemorySaver()).ainvoke(ASK, config)
    turn = spans.one("invoke_agent LLM Compiler")
    assert turn.attributes["llm_compiler.end"] == "stopped"
    assert turn.status.status_code is StatusCode.UNSET
    assert "May I" not in "".join(span.to_json() for span in spans.all)
    assert spans.one("round 1")


def test_usage_that_comes_in_several_chunks_is_added_up(spans: Spans) -> None:
    with model_call("some:model", "some", "planner") as call:
        for input, output in ((100, 0), (0, 7), (-1, -1)):
            usage = UsageMetadata(input_tokens=input, output_tokens=output, total_tokens=0)
            call.take(AIMessageChunk(content="", usage_metadata=usage))
    attributes = spans.one("chat model").attributes
    assert attributes["gen_ai.usage.input_tokens"] == 100
    assert attributes["gen_ai.usage.output_tokens"] == 7


def _round(span: ReadableSpan) -> bool:
    return span.name.startswith("round ")
