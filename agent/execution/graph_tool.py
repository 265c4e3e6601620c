"""A graph with `messages`, an agent say, as a tool of one question, whose result is the answer.

LangChain's `as_tool` of such a graph takes messages and returns the whole state: no planner can
write the one or use the other.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel

from llm_compiler.execution.injected import parts


def graph_tool(
    name: str,
    description: str,
    invoke: Callable[[Any], Any],
    ainvoke: Callable[[Any], Awaitable[Any]],
    **options: Any,
) -> BaseTool:
    """A tool that asks a graph.

    Args:
        name: The tool's name.
        description: What can be asked.
        invoke: Runs the graph on `{"messages": […]}`, and returns its state.
        ainvoke: The same, async.
        options: Further fields of the tool.
    """

    def ask(question: str) -> str:
        return _answer(invoke(_input(question)))

    async def aask(question: str) -> str:
        return _answer(await ainvoke(_input(question)))

    return StructuredTool.from_function(ask, aask, name=name, description=description, **options)


def asked_in_words(tool: BaseTool) -> BaseTool:
    """The tool itself, or, if LangChain made it of a graph with `messages`, the graph's tool."""
    function, coroutine = getattr(tool, "func", None), getattr(tool, "coroutine", None)
    if function is None or coroutine is None or not _takes_messages(tool.args_schema):
        return tool
    # Past its schema, which takes no messages as JSON.
    return graph_tool(
        tool.name,
        tool.description,
        lambda given: function(**given),
        lambda given: coroutine(**given),
        metadata=tool.metadata,
        tags=tool.tags,
        callbacks=tool.callbacks,
        return_direct=tool.return_direct,
    )


def _takes_messages(schema: Any) -> bool:
    """Whether a model of arguments has the `messages` of a chat."""
    if not isinstance(schema, type) or not issubclass(schema, BaseModel):
        return False
    field = schema.model_fields.get("messages")
    return field is not None and AIMessage in [*parts(field.annotation)]


def _input(question: str) -> dict[str, Any]:
    return {"messages": [{"type": "human", "content": question}]}


def _answer(state: Any) -> str:
    """The text of the last message of a graph's state."""
    messages = state.get("messages") if isinstance(state, Mapping) else None
    last = messages[-1] if isinstance(messages, list) and messages else None
    return last.text if isinstance(last, BaseMessage) else str(state)
