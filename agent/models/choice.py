"""Which model a role uses, and why.

It imports nothing of LangChain: the command line starts the local model by this rule while Python
still imports that.
"""

import os
from collections.abc import Callable
from typing import Literal, TypeVar

Role = Literal["planner", "joiner"]
ROLES: tuple[Role, ...] = ("planner", "joiner")
LOCAL = "local"
DEFAULT = "openai:gpt-4.1-mini"

_Model = TypeVar("_Model")


def chosen(role: Role, named: Callable[[str], _Model | str | None]) -> tuple[_Model | str, str]:
    """The model that a role uses, and why.

    What is chosen for the role beats what is chosen for both. If only the other role has a model,
    it serves this one too.

    Args:
        role: The role.
        named: The model under the name of a setting, such as `planner_model`, if there is one.
    """
    other: Role = "joiner" if role == "planner" else "planner"
    for setting in (f"{role}_model", "model", f"{other}_model"):
        if model := named(setting):
            return model, f"{setting} is set"
    if os.environ.get("OPENAI_API_KEY"):
        return DEFAULT, "OPENAI_API_KEY is set"
    return LOCAL, "no model is chosen and OPENAI_API_KEY is not set"
