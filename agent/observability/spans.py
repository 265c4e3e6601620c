"""OpenTelemetry spans of turns, rounds, model calls and tool calls.

    invoke_agent LLM Compiler        a run of a turn, from its start until it ends or stops
    └── round 1                      from its plan to its verdict
        ├── chat gpt-4.1-mini        one attempt at a model's reply
        └── execute_tool search      a call, its retries included

They have the names and attributes of the GenAI semantic conventions (opentelemetry.io, as of 1.41),
and contain no text of a question, an argument or a result. The application's SDK exports them;
without an SDK they go nowhere. `metrics.py` counts and times the same four things.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from langgraph.errors import GraphBubbleUp
from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from llm_compiler.language.tasks.task_ids import TaskId
from llm_compiler.observability.metrics import count, time_since
from llm_compiler.redaction import one_line

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk

AGENT = "LLM Compiler"
_tracer = trace.get_tracer("llm-compiler")


class Turn:
    """One run of a turn, with one round after another: `with` closes it with how the run ended."""

    def __init__(self, thread: object) -> None:
        named = {} if thread is None else {"gen_ai.conversation.id": str(thread)}
        self._span = _tracer.start_span(
            f"invoke_agent {AGENT}",
            attributes={**_operation("invoke_agent"), "gen_ai.agent.name": AGENT, **named},
        )
        self._round: Span | None = None
        self._began = time.perf_counter()
        self._end = "stopped"

    @contextmanager
    def node(self, name: str, number: int) -> Iterator[None]:
        """Put a node's spans under its round; the planner starts a new round."""
        if self._round is None or name == "planner":
            self._end_round()
            within = trace.set_span_in_context(self._span)
            named = {"llm_compiler.round": number}
            self._round = _tracer.start_span(f"round {number}", within, attributes=named)
        with trace.use_span(self._round, record_exception=False, set_status_on_exception=False):
            yield

    def passed(self, node: str, state: Mapping[str, Any]) -> None:
        """A node has ended, and `state` is the state after it."""
        assert self._round is not None
        if node == "joiner":
            verdict = "answer" if state.get("feedback") is None else "replan"
            self._round.set_attribute("llm_compiler.verdict", verdict)
            count("rounds", verdict)
            self._end_round()
            if verdict == "answer":
                self._end = "answered"
            usage = state["usage"].values()
            self._span.set_attributes(_tokens(*(sum(it[k] for it in usage) for k in _DIRECTIONS)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """The run has ended (answered, failed, cancelled) or stopped for a person."""
        if isinstance(error, GraphBubbleUp):
            pass  # stopped: the parent graph asks the person
        elif isinstance(error, Exception):
            self._end = "failed"
            _fail(self._span, error, one_line(error))
        elif error is not None and self._end != "answered":
            self._end = "cancelled"  # if answered, only the rest of the stream was not read
        self._end_round()
        self._span.set_attribute("llm_compiler.end", self._end)
        self._span.end()
        time_since("turn", self._began, self._end)

    def _end_round(self) -> None:
        if self._round is not None:
            self._round.end()
            self._round = None


class ModelCall:
    """One attempt at a model's reply."""

    def __init__(self, span: Span, role: str) -> None:
        self._span = span
        self._role = role
        self._began = time.perf_counter()
        self._any = False
        self._spent = [0, 0]

    def take(self, chunk: "AIMessageChunk") -> None:
        """A chunk has arrived."""
        if not self._any:
            self._any = True
            first = time.perf_counter() - self._began
            self._span.set_attribute("gen_ai.response.time_to_first_chunk", first)
        if (usage := chunk.usage_metadata) is not None:
            # Some providers report the input in the first chunk and the output in the last.
            for at, direction in enumerate(_DIRECTIONS):
                tokens = max(usage[f"{direction}_tokens"], 0)  # type: ignore[literal-required]
                self._spent[at] += tokens
                count("tokens", self._role, direction, by=tokens)
            self._span.set_attributes(_tokens(*self._spent))

    def ended(self, reason: str) -> None:
        """The reply is complete. `reason` is the provider's word for why it ended, if any."""
        if reason:
            self._span.set_attribute("gen_ai.response.finish_reasons", [reason])


@contextmanager
def model_call(name: str, provider: str, role: str) -> Iterator[ModelCall]:
    """The span of one attempt at a reply. `name` may have the provider as a prefix."""
    name = name.removeprefix(f"{provider}:")
    span = _tracer.start_span(
        f"chat {name}",
        kind=SpanKind.CLIENT,
        attributes={
            **_operation("chat"),
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": name,
            "gen_ai.request.stream": True,
            "llm_compiler.role": role,
        },
    )
    began, status = time.perf_counter(), "cancelled"
    try:
        yield ModelCall(span, role)
        status = "ok"
    except GeneratorExit:  # the rest of the reply is not needed
        status = "ok"
        raise
    except Exception as error:
        status = "failed"
        _fail(span, error, one_line(error))
        raise
    finally:
        span.end()
        time_since("model", began, role, status)


class ToolCall:
    """The span of a task's call; spans that are started inside are its children."""

    def __init__(self, id: TaskId, tool: str) -> None:
        self._tool = tool
        self.status = "cancelled"
        self._began = time.perf_counter()
        self._span = _tracer.start_span(
            f"execute_tool {tool}",
            attributes={
                **_operation("execute_tool"),
                "gen_ai.tool.name": tool,
                "gen_ai.tool.call.id": str(id),
                "gen_ai.tool.type": "function",
            },
        )

    # A class and not a generator, because it costs a quick call a tenth of its time.

    def __enter__(self) -> Self:
        self._around = attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(self, *_: object) -> None:
        detach(self._around)
        self._span.end()
        time_since("call", self._began, self._tool, self.status)

    def failed(self, error: BaseException, why: str) -> None:
        """The call has no result. `why`: one line, without secrets."""
        self.status = "failed"
        _fail(self._span, error, why)

    def ended(self, attempts: int) -> None:
        """The call has its result, or has failed."""
        if self.status != "failed":
            self.status = "ok"
        self._span.set_attribute("llm_compiler.attempts", attempts)


_DIRECTIONS = ("input", "output")


def _operation(name: str) -> dict[str, str]:
    return {"gen_ai.operation.name": name}


def _tokens(input: int, output: int) -> dict[str, int]:
    return {"gen_ai.usage.input_tokens": input, "gen_ai.usage.output_tokens": output}


def _fail(span: Span, error: BaseException, why: str) -> None:
    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(Status(StatusCode.ERROR, why))
