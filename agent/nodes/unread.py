"""Tells the person which attachments of a message no model has read."""

from llm_compiler.models.model import Model
from llm_compiler.prompting.attachments import kinds_of
from llm_compiler.state import State, asked_message


def has_attachments(state: State) -> bool:
    """Whether the user's message has any."""
    message = asked_message(state)
    return message is not None and bool(kinds_of([message]))


def unread(state: State, *models: Model | None) -> str:
    """A note on what the models that were asked do not take; empty if they take all."""
    message = asked_message(state)
    kinds = kinds_of([message]) if message is not None else []
    why = [
        f"{model.name} takes no {kind}s"
        for model in models
        if model is not None
        for kind in kinds
        if kind in model.refuses
    ]
    return (
        f"\n\n(Not all of your message was read: {', '.join(dict.fromkeys(why))}.)" if why else ""
    )
