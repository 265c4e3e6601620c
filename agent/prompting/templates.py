"""The texts of prompts/ that are sent to planner and joiner, with their placeholders."""

import re
from collections.abc import Mapping

from llm_compiler.prompts import prompt

PLANNER = prompt("planner")
JOINER = prompt("joiner")
MAY_REPLAN = prompt("joiner_may_replan")
LAST_ROUND = prompt("joiner_last")
JOINER_RESULTS = prompt("joiner_results")
UNGROUNDED = prompt("joiner_ungrounded")
REPLAN = prompt("replan")
HEARD = prompt("heard")
STRUCTURED = prompt("structured")
STRUCTURED_ANSWER = prompt("structured_answer")
STRUCTURED_PLAN = prompt("structured_plan")
STRUCTURED_RETRY = prompt("structured_retry")

TOOLS = "{tools}"
"""In the planner's prompt: the tools offered, one per line."""
MISSING = "{missing}"
"""In the joiner's prompt: what to do if the results are not enough, which depends on the round."""


def filled(template: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders in one pass; all other braces, in values too, are plain text."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)
