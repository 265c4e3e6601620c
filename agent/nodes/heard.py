"""What other agents have said and found since the user's question, as a supervisor hands it over.

What they said before it is part of the conversation (`state.conversation`).
"""

from collections.abc import Iterator

from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig

from llm_compiler.langgraph_private import namespace_of
from llm_compiler.prompting.annotated_program import commented, fenced
from llm_compiler.prompting.templates import HEARD, filled
from llm_compiler.round_messages import call_id, call_mark
from llm_compiler.state import State, asked_by, asked_message, is_handoff, question
from llm_compiler.text import clean, shortened, truncated

_MAX_MESSAGES = 20
_MAX_CALL_CHARS = 300
_MAX_ROUNDS = 20
"""Of a turn, whose messages are known as our own."""


def asked_and_heard(state: State, config: RunnableConfig, max_chars: int) -> str:
    """The question, with what others have said and found since, each up to `max_chars`."""
    heard = [*_of_others(state, config)][-_MAX_MESSAGES:]
    lines = [line for message, call in heard for line in _lines(message, call, max_chars)]
    if not lines:
        return question(state)
    return filled(HEARD, {"question": question(state), "heard": fenced(lines)}).strip()


def _of_others(
    state: State, config: RunnableConfig
) -> Iterator[tuple[AIMessage | ToolMessage, ToolCall | None]]:
    """The messages of others behind the question, results with their calls."""
    messages, asking = state["messages"], asked_message(state)
    start = next((at for at, it in enumerate(messages, 1) if it is asking), 0)
    calls: dict[str | None, ToolCall] = {}
    own: set[str | None] = set()
    ours = False  # whose turn it is to speak: calls tell
    for at, message in enumerate(messages[start:], start):
        if isinstance(message, AIMessage):
            calls |= {call["id"]: call for call in message.tool_calls}
            if message.tool_calls:
                ours = _is_own(message.tool_calls[0], state, at, config)
                own |= {call["id"] for call in message.tool_calls if ours}
            if not ours:
                yield message, None
        elif isinstance(message, ToolMessage) and message.tool_call_id not in own:
            yield message, calls.get(message.tool_call_id)


def _is_own(call: ToolCall, state: State, at: int, config: RunnableConfig) -> bool:
    """Whether this graph made a call, in this turn or when it was asked the same before."""
    about, before = asked_by(state), state["messages"][:at]
    marks = (
        call_mark(about, number, before, namespace_of(config))
        for number in range(1, max(state["round"], _MAX_ROUNDS) + 1)
    )
    return any((call["id"] or "").startswith(call_id(mark, "")) for mark in marks)


def _lines(
    message: AIMessage | ToolMessage, call: ToolCall | None, max_chars: int
) -> Iterator[str]:
    """What was said as a comment, or a call with its result."""
    text = truncated(clean(message.text), max_chars)
    if isinstance(message, ToolMessage):
        name = call["name"] if call is not None else message.name or "call"
        args = call["args"] if call is not None else {}
        written = f"{name}({', '.join(f'{key}={value!r}' for key, value in args.items())})"
        written = shortened(clean(written), _MAX_CALL_CHARS)
        if not is_handoff(message, name):
            yield f"{written}\n{commented(text)}"
        elif args:
            yield commented(written)
    elif text and not is_handoff(message):
        yield commented(f"{message.name}: {text}" if message.name else text)
