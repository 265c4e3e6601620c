"""What the planner's prompts of a day begin with, whatever is asked."""

import datetime
import os
from collections.abc import Callable
from typing import Any, cast

from langchain_core.messages import BaseMessage

from llm_compiler.context import Context
from llm_compiler.language.toolbox.stubs import schema_type
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.mcp.config import VARIABLE
from llm_compiler.models.choice import LOCAL
from llm_compiler.models.model import as_sent
from llm_compiler.models.profiles import LOCAL_PROFILE, ModelProfile
from llm_compiler.nodes.open_round import Setup
from llm_compiler.prompting.messages import planner_messages
from llm_compiler.prompting.templates import STRUCTURED_PLAN, filled
from llm_compiler.state import State


def starter(setup: Setup) -> Callable[[Context, datetime.date], None]:
    """What starts the local model, if it is the planner's, and has it read the beginning.

    It returns at once, and does nothing if the weights must be fetched: the first question does.
    The tools of MCP servers are not known yet, so with them the model is only started.
    """

    def start(context: Context, today: datetime.date) -> None:
        if setup.models.of(context, "planner") != LOCAL:
            return
        from llm_compiler.models.local.server import LOCAL_SERVER

        told = instructions(setup, cast(State, {"messages": []}))
        tools = setup.toolbox.offered(context.allow, context.approve, context.trusted_writes)
        known = beginning(tools, context, LOCAL_PROFILE, told, today)
        LOCAL_SERVER.begin(() if os.environ.get(VARIABLE) else as_sent(known))

    return start


def beginning(
    tools: Toolbox, context: Context, profile: ModelProfile, told: str, today: datetime.date
) -> list[BaseMessage]:
    """The messages before the question and before what is chosen by it."""
    return planner_messages(tools, (), "", **constant(context, profile, told, today))[:-1]


def constant(
    context: Context, profile: ModelProfile, told: str, today: datetime.date
) -> dict[str, Any]:
    """The options of a prompt that no question changes.

    Args:
        told: The instructions.
    """
    return {
        "with_examples": context.examples == "always"
        or (context.examples == "auto" and profile.few_shot),
        "today": today,
        "more_examples": () if context.examples == "never" else context.more_examples,
        "template": context.planner_prompt,
        "instructions": told,
    }


def instructions(setup: Setup, state: State) -> str:
    """The planner's instructions, and the form that the answer is wanted in."""
    form = setup.form
    if form is None:
        return setup.told(state)
    wanted = filled(STRUCTURED_PLAN, {"form": schema_type(form.schema)})
    return "\n\n".join(filter(None, (wanted, setup.told(state))))
