"""What a reply may take its figures and names from, and whether it has others."""

from llm_compiler.context import Context
from llm_compiler.language.tasks.task import ANSWER, TaskData
from llm_compiler.nodes.facts import Facts
from llm_compiler.nodes.grounding import Grounding
from llm_compiler.nodes.language_of import language_of
from llm_compiler.prompting.annotated_program import annotated_program
from llm_compiler.prompting.attachments import kinds_of
from llm_compiler.state import State, question

_CAPITALIZES = "German"
"""The language that capitalizes all nouns."""
_MIN_FACT_CHARS = 20_000
"""Of each result, from which a reply may take its figures and names; more if more is shown."""


def results(state: State, context: Context, told: str) -> tuple[list[str], Facts]:
    """The program with its results, and what a reply may take from all that was said and found."""
    plan, outcomes = state["plan"], state["outcomes"]
    shown = annotated_program(plan, outcomes, context.max_result_chars, names=state["names"])
    return shown, _facts(state, context, plan, context.joiner_prompt, told)


def made_up(said: str, state: State, context: Context, told: str) -> str:
    """A figure or a name in a plan's own words that stands in no result or message; "" if none."""
    plan = [task for task in state["plan"] if task["tool"] != ANSWER]
    names = _CAPITALIZES not in (language_of(said), language_of(question(state)))
    return violation(said, _facts(state, context, plan, told), names=names)


def violation(said: str, facts: Facts, *, names: bool = False) -> str:
    """A figure or a name in a text that stands in none of the facts; "" if none.

    Args:
        names: Whether its capitalized words are names for sure.
    """
    grounding = Grounding(facts, english=names)
    grounding.feed(said)
    grounding.close()
    return grounding.violation


def grounded(missing: str, facts: Facts) -> str:
    """What a joiner found missing, up to what stands nowhere."""
    grounding = Grounding(facts)
    said = grounding.feed(missing) + grounding.close()
    return f"{said}…" if grounding.violation else said


def _facts(state: State, context: Context, plan: list[TaskData], *said: str) -> Facts:
    """Those in the messages, in what else was `said`, and in the results of a plan."""
    heard = (*said, *(message.text for message in state["messages"]))
    most = max(context.max_result_chars, _MIN_FACT_CHARS)
    facts = Facts.of(heard, plan, state["outcomes"], most)
    facts.has_attachments = bool(kinds_of(state["messages"]))
    return facts
