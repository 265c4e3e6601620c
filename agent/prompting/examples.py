"""Worked programs as earlier turns of the chat: a question, and the program that answers it.

Which ones are sent depends on the tools offered and never on the question, so that the prompt
begins the same for every question, and a server reads that part once.
"""

from collections.abc import Collection, Sequence

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from llm_compiler.prompting.overrides import called_tools, question_and_program
from llm_compiler.prompts import examples

_SHIPPED = tuple(examples())


def worked_programs(
    tools: Collection[str], added: Sequence[str] = (), *, shipped: bool = True
) -> list[BaseMessage]:
    """The worked programs that call only these tools: those shipped, if asked for, then `added`."""
    turns: list[BaseMessage] = []
    for text in (*(_SHIPPED if shipped else ()), *added):
        question, program = question_and_program(text)
        if called_tools(program) <= set(tools):
            turns += [HumanMessage(question), AIMessage(f"```python\n{program}\n```")]
    return turns
