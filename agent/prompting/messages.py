"""The messages that are sent to planner and joiner."""

import datetime
from collections.abc import Mapping, Sequence

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    merge_message_runs,
    trim_messages,
)
from langchain_core.messages.utils import count_tokens_approximately

from llm_compiler.language.tasks.task import OutcomeData, TaskData
from llm_compiler.language.toolbox.stubs import stub
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.prompting.annotated_program import annotated_program, commented, fenced
from llm_compiler.prompting.attachments import Block, asking, attachments
from llm_compiler.prompting.examples import worked_programs
from llm_compiler.prompting.templates import (
    JOINER,
    JOINER_RESULTS,
    LAST_ROUND,
    MAY_REPLAN,
    MISSING,
    PLANNER,
    REPLAN,
    UNGROUNDED,
    filled,
)
from llm_compiler.text import clean, truncated

_MAX_CONVERSATION_TOKENS = 2000
"""Of earlier turns."""
_MAX_MESSAGES = 1000
_MAX_MESSAGE_CHARS = 3600
"""Of one message in earlier turns, so that a question and its answer always fit."""


def planner_messages(
    tools: Toolbox,
    conversation: Sequence[BaseMessage],
    question: str,
    *,
    with_examples: bool,
    today: datetime.date,
    more_examples: Sequence[str] = (),
    template: str = PLANNER,
    instructions: str = "",
    attached: Sequence[Block] = (),
    replan: BaseMessage | None = None,
) -> list[BaseMessage]:
    """The planner's prompt. An assistant may replace `template` and `more_examples` (overrides.py).

    It begins the same for all questions of a day, so that servers read that part once: the
    template with the tools, the instructions of whoever built the graph or began the conversation,
    and the worked programs as earlier turns.
    """
    stubs = "\n".join(stub(tool, brief=True) for tool in tools.values())
    system = filled(template, {"tools": stubs, "today": f"{today:%A, %Y-%m-%d}"})
    messages: list[BaseMessage] = [
        SystemMessage(_with(system, instructions)),
        *worked_programs(tools, more_examples, shipped=with_examples, question=question),
        *bounded(conversation),
        asking(question, attached),
    ]
    return alternating([*messages, replan] if replan is not None else messages)


def replan_message(
    plan: Sequence[TaskData],
    outcomes: Mapping[str, OutcomeData],
    feedback: str,
    max_chars: int,
    *,
    names: Mapping[str, str] | None = None,
    with_failures: bool = True,
) -> HumanMessage:
    """The message that tells the planner of a later round about the earlier ones.

    A small model repeats the failed calls that it is shown; without them the feedback still says
    what is missing. The feedback is fenced too: a joiner may have copied it from a result.
    """
    shown = annotated_program(plan, outcomes, max_chars, names=names, with_failures=with_failures)
    missing = commented(f"Still missing: {feedback}")
    return HumanMessage(filled(REPLAN, {"results": fenced([*shown, missing])}))


def joiner_messages(
    question: str,
    conversation: Sequence[BaseMessage],
    results: Sequence[str],
    *,
    may_replan: bool,
    template: str = JOINER,
    instructions: str = "",
    attached: Sequence[Block] = (),
    ungrounded: str = "",
) -> list[BaseMessage]:
    """The joiner's prompt. Without `may_replan`, it must answer from the results so far.

    `ungrounded` is what its last reply said although no result does.
    """
    shown = filled(JOINER_RESULTS, {"question": question, "results": fenced(results)})
    if ungrounded:
        shown = f"{shown}\n{filled(UNGROUNDED, {'what': ungrounded})}"
    system = template.replace(MISSING, MAY_REPLAN if may_replan else LAST_ROUND)
    messages = [SystemMessage(_with(system, instructions)), *bounded(conversation)]
    return alternating([*messages, asking(shown, attached)])


def _with(system: str, instructions: str) -> str:
    return f"{system}\n\n{instructions}" if instructions else system


def alternating(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Messages with neighbours of one role as one: many servers accept no two in a row."""
    merged = merge_message_runs(messages, chunk_separator="\n\n")
    for message in merged:
        if isinstance(message.content, list):
            # LangChain puts the texts of neighbours in as they are, which servers refuse.
            message.content = [
                {"type": "text", "text": part} if isinstance(part, str) else part
                for part in message.content
            ]
    return merged


def bounded(conversation: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The latest part of the conversation that fits, starting with a question."""
    said: list[BaseMessage] = []
    for message in conversation[-_MAX_MESSAGES:]:
        text = truncated(clean(message.text), _MAX_MESSAGE_CHARS)
        if isinstance(message, HumanMessage) and (text or attachments(message)):
            said.append(asking(text, attachments(message)))
        elif text:
            said.append(AIMessage(text))
    return trim_messages(
        said,
        max_tokens=_MAX_CONVERSATION_TOKENS,
        token_counter=count_tokens_approximately,
        start_on="human",
    )
