"""The settings that a run is given. What is none is refused before anything runs.

LangGraph Server leaves out of a context, without a word, what the schema does not have. What a
client gives as `config.configurable` it takes for a context too, and passes it on in both places:
there, tools may be given more. A run in a graph of someone else's has the `configurable` of that.
"""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from pydantic import ValidationError

from llm_compiler.context import Context, meant, unknown_settings
from llm_compiler.errors import SetupError
from llm_compiler.langgraph_private import in_node
from llm_compiler.text import shortened

_LEFT_OUT: ContextVar[tuple[str, ...]] = ContextVar("left_out", default=())
_MAX_QUOTED_CHARS = 60
_SERVERS_OWN = "assistant_id"
"""A key of `configurable` that a run has on LangGraph Server, and nowhere else."""


class _Noting(dict[str, Any]):
    """The properties of a schema, which note what LangGraph Server does not find in them."""

    def __contains__(self, key: object) -> bool:
        found = super().__contains__(key)
        if not found:
            _LEFT_OUT.set((*_LEFT_OUT.get(), str(key)))
        return found


def noting(schema: dict[str, Any] | None, context: Context | None) -> dict[str, Any] | None:
    """The schema of the context, by which a server chooses what it passes on to a run. The defaults
    that it shows are those of `context`.

    What it leaves out is known to the run that begins next in the same task: `settings_of`.
    """
    if schema is None:
        return None
    _LEFT_OUT.set(())
    properties = _Noting(schema["properties"])
    if context is not None:
        for name, default in context.model_dump(mode="json", exclude_unset=True).items():
            properties[name] = {**properties[name], "default": default}
    return {**schema, "properties": properties}


def settings_of(context: Any, config: RunnableConfig) -> Any:
    """The context of a run, as `Context` if it is a dict.

    Raises:
        SetupError: it is no context, a name in it is no setting, a value in it is invalid, or
            `configurable` has a setting that should be in it.
    """
    configurable = config.get("configurable", {})
    unknown: list[str] = []
    if _SERVERS_OWN in configurable:
        left_out = _LEFT_OUT.get()
        _LEFT_OUT.set(())
        unknown = [name for name in left_out if name not in configurable or _misplaced(name)]
    elif var_child_runnable_config.get() is None and not in_node(config):
        _check_configurable(configurable)
        if not isinstance(context, Context | Mapping | None):
            raise SetupError(f"context: give Context(…) or a dict, not a {type(context).__name__}")
    if isinstance(context, Mapping):
        unknown += [str(name) for name in context]
    if message := unknown_settings(unknown):
        raise SetupError(message)
    if not isinstance(context, Mapping):
        return context
    try:
        return Context(**context)
    except ValidationError as error:
        refused = error.errors(include_url=False, include_context=False)[0]
        name = ".".join(map(str, refused["loc"])) or "the context"
        shown = shortened(repr(refused["input"]), _MAX_QUOTED_CHARS)
        raise SetupError(f"{name}={shown}: {refused['msg']}") from None


def _check_configurable(names: Iterable[object]) -> None:
    for name in names:
        if setting := _misplaced(name):
            what = (
                "is a setting;" if name == setting else f"is not a setting; did you mean {setting}?"
            )
            raise SetupError(
                f"{name} {what} pass context={{{setting!r}: …}}, because config['configurable']"
                " sets nothing; a value for a tool needs another name there"
            )


def _misplaced(name: object) -> str | None:
    """The setting that a name in `configurable` is taken for: the one of that name, or one of
    several words that is misspelt. One word, such as `mode`, is a tool's own."""
    setting = meant(name)
    return setting if name == setting or "_" in str(name) else None
