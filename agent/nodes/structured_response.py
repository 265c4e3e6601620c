"""The answer as data in the caller's form (`response_format`), beside the answer in words.

the plan's own value ─has the form─► it is the data, and no model is asked
else: the results and the answer ─joiner's model─► JSON ─has the form─► it is the data
                                        ▲            └─does not, once──┐
                                        └──────────────────────────────┘
"""

import asyncio
import json
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from llm_compiler.context import Context
from llm_compiler.errors import ModelError
from llm_compiler.language.tasks.task import ANSWER
from llm_compiler.models.errors import CutOffError
from llm_compiler.models.model import Meter, Model, retrying
from llm_compiler.models.response_form import ResponseForm
from llm_compiler.nodes.reply_facts import results, violation
from llm_compiler.prompting.annotated_program import fenced
from llm_compiler.prompting.templates import (
    STRUCTURED,
    STRUCTURED_ANSWER,
    STRUCTURED_RETRY,
    filled,
)
from llm_compiler.state import State, outcome_of, question, tasks_of_round

_MAX_CHARS = 200_000
_ATTEMPTS = 2


def planned_data(state: State, form: ResponseForm) -> tuple[str, Any] | None:
    """What the round's plan ends with, as JSON and in the form; None if it does not have it."""
    answers = [task for task in tasks_of_round(state) if task["tool"] == ANSWER]
    if not answers:
        return None
    outcome = outcome_of(state, answers[-1])
    if outcome["status"] != "ok":
        return None
    try:
        data = form.of_data(outcome["value"])
    except ValueError:
        return None
    return json.dumps(outcome["value"], ensure_ascii=False), data


async def structured_response(
    form: ResponseForm, model: Model, state: State, context: Context, answer: str, meter: Meter
) -> Any:
    """The answer in the form, made by a model.

    Raises:
        ModelError: the model did not write it, though it was asked twice.
    """
    shown, facts = await asyncio.to_thread(results, state, context, json.dumps(form.schema))
    said = {"question": question(state), "results": fenced(shown), "answer": answer}
    messages: list[BaseMessage] = [
        SystemMessage(filled(STRUCTURED, {"schema": json.dumps(form.schema)})),
        HumanMessage(filled(STRUCTURED_ANSWER, said)),
    ]
    data, wrong = None, ""
    for _ in range(_ATTEMPTS):
        text: str = await retrying()(_written, model, messages, meter, form)
        try:
            data = form.of_text(text)
            if not (invented := violation(text, facts)):
                return data
            wrong = f'no result has "{invented}"'
        except ValueError as error:
            wrong = str(error)
        messages += [AIMessage(text), HumanMessage(filled(STRUCTURED_RETRY, {"error": wrong}))]
    if data is not None:
        return data
    raise ModelError(
        f"the joiner's model {model.name} did not write the answer as {form.name}: {wrong};"
        " use another model, or a form with fewer requirements"
    )


async def _written(
    model: Model, messages: list[BaseMessage], meter: Meter, form: ResponseForm
) -> str:
    text: list[str] = []
    characters = 0
    try:
        async for piece in model.stream(
            messages, meter, role="joiner", form=form, forget=text.clear
        ):
            text.append(piece)
            characters += len(piece)
            if characters > _MAX_CHARS:
                break
    except CutOffError:
        pass  # it is no whole document then, and says so
    return "".join(text)
