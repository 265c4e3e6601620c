"""Threads into which clients write anything: the next message is answered all the same.

Each try brings a thread to a stop, writes values for some keys of its state, lets the run go on in
half of the tries, and sends a message. What is written is either taken, and mended, or refused
with an error that says what is wrong; the state is then as it was.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import EmptyInputError, InvalidUpdateError
from langgraph.types import Command

from llm_compiler import Context, build_graph
from llm_compiler.errors import SetupError
from llm_compiler.run.compiled_graph import LLMCompiler
from llm_compiler.run.stored_state import mended, repairs
from tests.campaigns.report import Progress, Report, Say
from tests.support.protocol import follows_protocol
from tests.support.stored import STATES
from tests.support.streamed_model import StreamedModel

PATIENCE = 10.0
"""Seconds of one step."""
PLAN = "a = echo('x')\nb = echo(a)\nask(b)"
ENDED = {"1": ("ok", "x"), "2": ("ok", "x"), "3": ("ok", "x")}
ANSWER = "That is all."
ASK: Any = {"messages": [HumanMessage("What?")]}
APPROVE = Context(approve=("ask",))
APPROVED: Any = Command(resume={"decisions": ["approve"]})
NODES = (None, "planner", "scheduler", "joiner", "__start__", "__end__")
WAYS = ("update_state", "aupdate_state", "Command")

Values = dict[str, Any]


async def campaign(number: int, tries: int, say: Say) -> Report:
    """Write `tries` times; `number` is the seed."""
    random, report = Random(number), Report()
    stops, taken, refused = Counter[str](), 0, Counter[str]()
    progress = Progress(say, tries)
    for done, values in enumerate(states(number, tries)):
        tried = Try(
            values,
            stop=random.choice([*STOPS]),
            way=random.choice(WAYS),
            node=random.choice(NODES),
            goes_on=random.random() < 0.5,
        )
        try:
            broken = [fault async for fault in tried.faults()]
        except Exception as error:
            broken = [f"{tried.step} raised {error!r:.300}"]
        report.broken += [f"try {done} ({tried}): {it}" for it in broken]
        stops[tried.stop] += 1
        taken += tried.refused is None
        refused.update([tried.refused] if tried.refused else [])
        progress.at(done + 1, "writes")
    report.figures = {
        "writes": stops.total(),
        "at each stop": dict(stops),
        "taken": taken,
        "refused": dict(refused),
        "broken": len(report.broken),
    }
    return report


def states(number: int, tries: int) -> Iterator[Values]:
    """What is written, of a seed."""
    found: list[Values] = []

    @seed(number)
    @settings(
        max_examples=tries,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(STATES)
    def draw(values: Values) -> None:
        found.append(values)

    draw()
    # Hypothesis counts what it draws as it likes.
    yield from found[:tries]


class Steady(StreamedModel):
    """A model that writes its replies in turn, and the last one for ever."""

    replies: list[str]

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        yield ChatGenerationChunk(message=AIMessageChunk(content=reply))


async def echo(value: Any) -> Any:
    """Give the value back."""
    return value


async def ask(value: Any) -> Any:
    """Needs a person."""
    return value


@dataclass(frozen=True)
class Stop:
    """Where a thread is when a client writes."""

    options: dict[str, Any]
    joiner: tuple[str, ...] = (ANSWER,)
    approved: bool = False


STOPS = {
    "fresh": None,
    "planned": Stop({"interrupt_before": ["scheduler"]}),
    "asked": Stop({"context": APPROVE}),
    "ran": Stop({"interrupt_before": ["joiner"]}),
    "before a replan": Stop({"interrupt_after": ["joiner"]}, ("REPLAN: more", ANSWER)),
    "answered": Stop({}),
}


class Try:
    """One write into a thread of its own."""

    def __init__(
        self, values: Values, *, stop: str, way: str, node: str | None, goes_on: bool
    ) -> None:
        self.values, self.stop, self.way, self.node = values, stop, way, node
        self.goes_on = goes_on
        self.refused: str | None = None
        """Why the write was refused."""
        self.step = "a run"
        self._thread: Any = {"configurable": {"thread_id": "1"}}
        self._graph: LLMCompiler = build_graph(
            [echo, ask],
            planner=Steady(replies=[PLAN]),
            joiner=Steady(replies=[*(it.joiner if (it := STOPS[stop]) else (ANSWER,))]),
            checkpointer=InMemorySaver(),
        )

    def __str__(self) -> str:
        return f"{self.stop}, {self.way} as {self.node}: {self.values!r:.400}"

    async def faults(self) -> AsyncIterator[str]:
        """What is wrong with how it went."""
        if (stop := STOPS[self.stop]) is not None:
            await self._run(ASK, **stop.options)
        async for fault in self._write():
            yield fault
        if self.goes_on:
            async for fault in self._go_on():
                yield fault
        self.step = "the next message"
        next: Any = {"messages": [HumanMessage("And now?", id="next")]}
        state = await self._run(next)
        messages, outcomes = state["messages"], state["outcomes"]
        for fault in answered_wrongly(messages, outcomes, answer=ANSWER, ended=ENDED):
            yield fault
        if "messages" not in self.values and not follows_protocol(messages):
            yield "the thread does not follow the chat protocol"
        async for fault in self._unsound():
            yield fault

    async def _write(self) -> AsyncIterator[str]:
        self.step = "the write"
        before = (await self._graph.aget_state(self._thread)).values
        try:
            match self.way:
                case "Command":
                    await self._run(Command(update=self.values))
                case "update_state":
                    self._graph.update_state(self._thread, self.values, self.node)
                case _:
                    await self._graph.aupdate_state(self._thread, self.values, self.node)
        except (InvalidUpdateError, ValueError) as error:  # a server's 400
            self.refused = " ".join(str(error).split())[:40] or repr(error)
            if (await self._graph.aget_state(self._thread)).values != before:
                yield f"it was refused ({error!r:.100}), and the state is another"
        except SetupError as error:  # it left no question, and the run says so
            self.refused = str(error)[:40]

    async def _go_on(self) -> AsyncIterator[str]:
        self.step = "the run that went on"
        stopped = await self._graph.aget_state(self._thread)
        try:
            given = APPROVED if stopped.interrupts else None
            state = await self._run(given, context=APPROVE)
        except (EmptyInputError, SetupError):
            return  # nothing was asked yet, or no question is left
        if stopped.next and "__interrupt__" not in state:
            async for fault in self._unsound():
                yield fault

    async def _unsound(self) -> AsyncIterator[str]:
        stored = (await self._graph.aget_state(self._thread)).values
        if wrong := repairs(stored, mended(stored)) if stored else None:
            yield f"after {self.step} the state is not sound: {wrong!r:.200}"

    async def _run(self, given: Any, **options: Any) -> Any:
        async with asyncio.timeout(PATIENCE):
            return await self._graph.ainvoke(given, self._thread, **options)


def answered_wrongly(
    messages: list[Any], outcomes: Any, *, answer: str, ended: Mapping[str, tuple[str, Any]]
) -> Iterator[str]:
    """What is wrong with the turn of the message whose id is "next"."""
    at = next((i for i, message in enumerate(messages) if message.id == "next"), None)
    if at is None:
        yield "the message is not in the thread"
        return
    if not isinstance(messages[-1], AIMessage) or messages[-1].text != answer:
        yield f"the answer is {messages[-1]!r:.200}"
    if not follows_protocol(messages[at:]):
        yield "its turn does not follow the chat protocol"
    found = {id: (it["status"], it["value"]) for id, it in outcomes.items()}
    if found != ended:
        yield f"its outcomes are {found!r:.200}"
