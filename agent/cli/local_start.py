"""Starts the local model while Python still imports what a question needs."""

import os
from collections.abc import Mapping
from typing import Any

from llm_compiler.models.choice import LOCAL, chosen


def start_local_model(settings: Mapping[str, Any], keep: float) -> None:
    """Start the planner's model in a thread, if it is the local one and its weights are at hand.

    It takes about as long as importing LangGraph. If it cannot start, the question finds that out
    when it needs the model, and says why.
    """

    def named(setting: str) -> str | None:
        return settings.get(setting) or os.environ.get(f"LLM_COMPILER_{setting.upper()}")

    if chosen("planner", named)[0] == LOCAL:
        from llm_compiler.models.local.server import LOCAL_SERVER, LOCAL_SERVERS

        LOCAL_SERVERS.keep(keep)
        LOCAL_SERVER.begin()
