"""What other agents have said and found since the user's question, as a supervisor hands it over.

What they said before it is part of the conversation (`state.conversation`).
"""

from collections.abc import Iterator, Sequence

from langchain_core.messages import AIMessage, AnyMessage, ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig

from llm_compiler.langgraph_private import namespace_of
from llm_compiler.prompting.annotated_program import commented, fenced
from llm_compiler.prompting.templates import HEARD, filled
from llm_compiler.round_messages import call_id, call_mark
from llm_compiler.state import State, asked_by, asked_message, is_handoff, question
from llm_compiler.text import clean, shortened, truncated

_MAX_MESSAGES = 20
_MAX_CALL_CHARS = 300


def asked_and_heard(state: State, config: RunnableConfig, rounds: int, max_chars: int) -> str:
    """The question, with what others have said and found since.

    Args:
        state: The state.
        config: That of the node.
        rounds: The rounds of this turn whose messages may be there: they are not of others.
        max_chars: The most of one message.
    """
    lines = [*_lines(_of_others(state, config, rounds), max_chars)]
    if not lines:
        return question(state)
    return filled(HEARD, {"question": question(state), "heard": fenced(lines)}).strip()


def _of_others(state: State, config: RunnableConfig, rounds: int) -> Sequence[AnyMessage]:
    """The messages behind the question, up to the first round of this turn."""
    messages, asking = state["messages"], asked_message(state)
    start = next((at for at, it in enumerate(messages, 1) if it is asking), 0)
    turn, namespace = asked_by(state), namespace_of(config)

    def is_own(at: int, message: AnyMessage) -> bool:
        calls = message.tool_calls[:1] if isinstance(message, AIMessage) else []
        marks = (
            call_mark(turn, number, messages[:at], namespace) for number in range(1, rounds + 1)
        )
        return any((it["id"] or "").startswith(call_id(mark, "")) for it in calls for mark in marks)

    behind = [*enumerate(messages)][start:]
    end = next((at for at, message in behind if is_own(at, message)), len(messages))
    return messages[start:end]


def _lines(messages: Sequence[AnyMessage], max_chars: int) -> Iterator[str]:
    """What was said as comments, and the calls with their results."""
    calls = {it["id"]: it for m in messages if isinstance(m, AIMessage) for it in m.tool_calls}
    for message in messages[-_MAX_MESSAGES:]:
        text = truncated(clean(message.text), max_chars)
        if isinstance(message, ToolMessage):
            called = calls.get(message.tool_call_id)
            call = called or ToolCall(name=message.name or "call", args={}, id=None)
            if not is_handoff(message):
                yield f"{_written(call)}\n{commented(text)}"
            elif call["args"]:
                yield commented(_written(call))
        elif isinstance(message, AIMessage) and text and not is_handoff(message):
            yield commented(f"{message.name}: {text}" if message.name else text)


def _written(call: ToolCall) -> str:
    args = ", ".join(f"{name}={value!r}" for name, value in call["args"].items())
    return shortened(clean(f"{call['name']}({args})"), _MAX_CALL_CHARS)
