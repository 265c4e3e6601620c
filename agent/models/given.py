"""Models as callers give them: a name, a chat model, or any Runnable around one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Self, get_origin

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable
from langgraph.pregel import Pregel

from llm_compiler.context import Context
from llm_compiler.errors import SetupError
from llm_compiler.models.choice import LOCAL, Role, chosen
from llm_compiler.models.model import Model
from llm_compiler.models.profiles import DEFAULT_PROFILE, profile_of, with_inputs

_INSIDE = ("bound", "runnable", "default")
"""Where LangChain's wrappers have what they wrap: bindings, fallbacks, configurable ones."""
_REMEDY = "give a chat model, a Runnable that answers with a message or a string, or a name"


@dataclass(frozen=True, kw_only=True)
class GivenModels:
    """The models that `build_graph` was given; a name is opened when a run needs it."""

    model: Model | str | None = None
    planner: Model | str | None = None
    joiner: Model | str | None = None

    @classmethod
    def checked(cls, **given: object) -> Self:
        """What `build_graph` was given, by argument.

        Raises:
            SetupError: one of them cannot be used as a model.
        """
        return cls(**{name: given_model(value, name) for name, value in given.items()})

    def of(self, context: Context, role: Role) -> Model | str:
        """The model of a role. What `build_graph` was given beats the context's."""

        def named(setting: str) -> Any:
            return getattr(self, setting.removesuffix("_model")) or getattr(context, setting)

        model: Model | str = chosen(role, named)[0]
        return model


def given_model(value: object, argument: str) -> Model | str | None:
    """What `build_graph` was given as an argument, ready to use.

    Raises:
        SetupError: it cannot be used as a model.
    """
    if value is None:
        return None
    if isinstance(value, str):
        check_name(value)
        return value
    kind = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    if not isinstance(value, Runnable):
        raise SetupError(f"{argument}: {kind} is no model; {_REMEDY}")
    # It imports a YAML parser, and most callers give a name.
    from langchain_core.prompts import BasePromptTemplate

    first = getattr(value, "first", None)
    if isinstance(value, Pregel):
        raise SetupError(f"{argument}: {kind} is a graph; {_REMEDY}")
    if isinstance(value, BasePromptTemplate) or isinstance(first, BasePromptTemplate):
        raise SetupError(
            f"{argument}: {kind} begins with a prompt of its own; give the model alone, and pass"
            " `instructions`"
        )
    if (answers := _wrong_output(value)) is not None:
        raise SetupError(f"{argument}: {kind} answers with {answers}; {_REMEDY}")
    return model_of(value)


def check_name(name: str) -> None:
    """Check that a model's name has a provider.

    Raises:
        SetupError: it has none.
    """
    provider, colon, rest = name.partition(":")
    if name != LOCAL and not (provider and colon and rest):
        raise SetupError(f"the model {name!r} has no provider; write 'openai:{name}' or 'local'")


def model_of(chat: Runnable[Any, Any]) -> Model:
    """A Runnable as a model, with what is known by the name of the chat model in it."""
    inner = next((it for it in _inside(chat) if isinstance(it, BaseChatModel)), None)
    name = getattr(inner, "model_name", None) or getattr(inner, "model", None)
    name = str(name or (type(inner).__name__ if inner else chat.get_name()))
    kind = inner._llm_type if inner else type(chat).__name__
    profile = with_inputs(profile_of(name, DEFAULT_PROFILE), getattr(inner, "profile", None))
    return Model(name, chat, profile, kind=kind)


def _inside(runnable: object, depth: int = 0) -> Iterator[object]:
    """A Runnable, and those that it wraps."""
    yield runnable
    wrapped = [vars(runnable).get(name) for name in _INSIDE if hasattr(runnable, "__dict__")]
    for inner in (*wrapped, *getattr(runnable, "steps", ())):
        if isinstance(inner, Runnable) and depth < 16:
            yield from _inside(inner, depth + 1)


def _wrong_output(runnable: Runnable[Any, Any]) -> str | None:
    """What a Runnable declares to answer with, if that is no message and no text."""
    try:
        declared = runnable.OutputType
    except (TypeError, AttributeError):
        return None
    kind = get_origin(declared) or declared
    if not isinstance(kind, type) or kind in (Annotated, Any, object):
        return None
    if issubclass(kind, str | BaseMessage):
        return None
    return f"a {kind.__name__}"
