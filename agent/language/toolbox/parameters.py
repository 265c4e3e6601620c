"""What a LangChain tool takes: its parameters as JSON schema, and how arguments are checked.

A tool describes its arguments by a Pydantic model (version 2 or 1) or by a JSON schema. All three
are read to one form here. The planner's names are those of the fields, which the tool's function
has too; an alias is another name for the same parameter.
"""

import inspect
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args, get_origin

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.callbacks.manager import BaseRunManager
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg, create_schema_from_function
from langchain_core.tools.base import get_all_basemodel_annotations
from langchain_core.utils.pydantic import get_fields
from pydantic import BaseModel, ValidationError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.v1 import BaseModel as BaseModelV1
from pydantic.v1 import ValidationError as ValidationErrorV1

from llm_compiler.errors import SetupError
from llm_compiler.language.toolbox.conversions import JsonSchema

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_SINGLE_INPUT: JsonSchema = {
    "type": "object",
    "properties": {"tool_input": {"type": "string"}},
    "required": ["tool_input"],
}
_PYDANTICS_OWN = "v__"
"""Pydantic's own fields in the model of a function begin like this."""
_CALLBACKS = (BaseCallbackHandler, BaseCallbackManager, BaseRunManager)


@dataclass(frozen=True)
class Parameters:
    """What a tool takes."""

    shown: Mapping[str, JsonSchema]
    """JSON schema by parameter name, in the order of positional arguments."""
    required: frozenset[str]
    schema: JsonSchema
    """The whole JSON schema of the arguments, with its `$defs`."""
    injected: frozenset[str] = frozenset()
    """Those that the planner does not see."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of parameters."""
    others: str = ""
    """What arguments of any other name are called together (`**filters`), if they are taken."""
    model: type[BaseModel] | type[BaseModelV1] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Of the model."""
    validator: "Validator | None" = None
    """Of what has no model, or one that loses parts of values."""

    @cached_property
    def defs(self) -> JsonSchema:
        """The parts of the schema that `$ref`s name."""
        found: JsonSchema = self.schema.get("$defs") or self.schema.get("definitions") or {}
        return found

    @classmethod
    def of(cls, base: BaseTool) -> "Parameters":
        """Read them. A schema that nobody can use raises whatever it makes Pydantic raise."""
        # LangChain's `Tool` takes one string, but its schema shows a wrapper's arguments.
        if base.args_schema is None and base.args == _SINGLE_INPUT["properties"]:
            return cls._of_schema(_SINGLE_INPUT)
        if isinstance(base.args_schema, dict):
            return cls._of_schema(base.args_schema)
        if base.args_schema is None and _is_described_by_arun(base):
            schema_of_arun = create_schema_from_function(base.name, base._arun)
            base = base.model_copy(update={"args_schema": schema_of_arun})
        model: Any = base.get_input_schema()
        v1 = issubclass(model, BaseModelV1)
        if not v1 and not model.__pydantic_complete__:
            model.model_rebuild()
        fields: Mapping[str, Any] = get_fields(model)
        others = _variadic(base, fields)
        shown = {
            name: it
            for name, it in fields.items()
            if name != others and not name.startswith(_PYDANTICS_OWN)
        }
        visible = _visible(base, model, shown)
        schema = _schema_v1(model) if v1 else _schema(model, visible)
        properties = schema.get("properties", {})
        if lost := sorted(visible.keys() - properties.keys()):
            raise TypeError(f"no schema for {', '.join(lost)}")
        aliases = {alias: name for name, it in shown.items() for alias in _aliases(it)}
        if not others and (schema.get("additionalProperties") or False) is not False:
            others = "more"
        required = frozenset(schema.get("required", ())) & visible.keys()
        return cls(
            shown={name: _mapping(properties[name]) for name in visible},
            required=required,
            schema=schema,
            injected=frozenset(shown.keys() - visible.keys()),
            aliases={alias: name for alias, name in aliases.items() if alias not in shown},
            others=others,
            model=model,
            fields=fields,
            # Pydantic 1 makes 5 of 5.5.
            validator=_validator({**schema, "required": required}) if v1 else None,
        )

    @classmethod
    def _of_schema(cls, schema: JsonSchema) -> "Parameters":
        properties = schema.get("properties") or {}
        if not isinstance(properties, Mapping):
            raise TypeError("its properties are not an object")
        return cls(
            shown={name: _mapping(it) for name, it in properties.items()},
            required=frozenset(schema.get("required") or ()),
            schema=schema,
            others="more" if schema.get("additionalProperties") else "",
            validator=_validator(schema),
        )

    def validated(self, args: Mapping[str, Any], injected: Mapping[str, Any]) -> dict[str, Any]:
        """What a tool's model makes of its arguments, by field and with defaults, if it has one.

        Raises:
            ValidationError: the model refuses them, or its equal of Pydantic 1.
        """
        if self.model is None:
            return {**args, **injected}
        shown, fields, given = self.shown, self.fields, {**args, **injected}
        if args.keys() <= shown.keys() and injected.keys() <= fields.keys():
            return self._values(given)
        extra = {name: given.pop(name) for name in args if name not in shown}
        beside = {name: given.pop(name) for name in injected if name not in fields}
        # A function's model has all of `**filters` in one field.
        if not extra or self.others not in fields:
            return beside | self._values(given | extra) | extra
        values = self._values(given | {self.others: extra}, self.others)
        filters: dict[str, Any] = values.pop(self.others)
        return beside | values | filters

    def _values(self, given: dict[str, Any], *others: str) -> dict[str, Any]:
        """What the model makes of the fields of the planner and the run, and of others."""
        model: Any = self.model
        if issubclass(model, BaseModel):
            made: Any = model.model_validate(given, by_alias=True, by_name=True)
        else:
            fields = self.fields
            made = model.parse_obj(
                {fields[name].alias if name in fields else name: it for name, it in given.items()}
            )
        return {name: getattr(made, name) for name in (*self.shown, *self.injected, *others)}

    def refused(self, args: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What the validator refuses, if there is one: the parameter, or "", and why."""
        if self.validator is not None:
            from llm_compiler.language.toolbox.schema_checks import errors_of

            for error in errors_of(self.validator, args):
                yield str(error.path[0]) if error.path else "", error.message

    def name_of(self, given: str) -> str:
        """The parameter that an alias means."""
        return self.aliases.get(given, given)


Invalid = (ValidationError, ValidationErrorV1)


def _validator(schema: JsonSchema) -> "Validator":
    # Most tools are checked by Pydantic alone, and jsonschema takes long to import.
    from llm_compiler.language.toolbox.schema_checks import validator_for

    return validator_for(schema)


def _visible(base: BaseTool, model: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are the planner's: neither LangChain nor LangGraph fills them in."""
    annotations = get_all_basemodel_annotations(model)
    if issubclass(model, BaseModelV1):
        # LangChain's `tool_call_schema` fails on bounds of Pydantic 1.
        hidden = {name for name, it in annotations.items() if any(map(_is_mark, get_args(it)))}
    else:
        theirs: Any = base.tool_call_schema
        hidden = annotations.keys() - get_fields(theirs).keys()
    hidden |= {name for name, it in annotations.items() if is_of_the_run(it)}
    return {name: it for name, it in fields.items() if name not in hidden}


def _is_mark(part: Any) -> bool:
    kind = part if isinstance(part, type) else type(part)
    return issubclass(kind, InjectedToolArg)


def is_of_the_run(annotation: Any) -> bool:
    """Whether this type is that of a config or of callbacks, which LangChain fills in."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return issubclass(annotation, _CALLBACKS) or annotation is RunnableConfig
    return any(map(is_of_the_run, get_args(annotation)))


def _schema(model: type[BaseModel], visible: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of the visible fields: others may have no schema."""
    if visible.keys() != model.model_fields.keys():
        fields: Any = {name: (it.annotation, copy(it)) for name, it in visible.items()}
        model = create_model(model.__name__, __config__=model.model_config, **fields)
    try:
        return model.model_json_schema(by_alias=False)
    except PydanticInvalidForJsonSchema:
        if len(visible) > 1:  # which of them is it?
            for name, it in visible.items():
                _schema(model, {name: it})
            raise
        name, it = next(iter(visible.items()))
        kind = getattr(it.annotation, "__name__", it.annotation)
        raise SetupError(f"{name} is of type {kind}") from None


def _schema_v1(model: type[BaseModelV1]) -> dict[str, Any]:
    """With the names of its fields; in nested models the aliases, which alone are taken there."""
    schema = model.schema()
    names = {it.alias: name for name, it in model.__fields__.items()}
    properties = schema.get("properties", {}).items()
    required = [names[alias] for alias in schema.get("required", ())]
    return {
        **schema,
        "properties": {names[alias]: it for alias, it in properties},
        "required": required,
    }


def _aliases(field: Any) -> list[str]:
    """The other names of a field."""
    named = getattr(field, "validation_alias", None) or getattr(field, "alias", None)
    choices = getattr(named, "choices", [named])  # of Pydantic's AliasChoices
    return [it for it in choices if isinstance(it, str)]


def _is_described_by_arun(base: BaseTool) -> bool:
    """Whether a tool's `_run`, whose parameters LangChain reads, only says that it is async."""
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    of_run = inspect.signature(base._run).parameters.values()
    is_async = type(base)._arun is not BaseTool._arun
    return is_async and bool(of_run) and all(it.kind in variadic for it in of_run)


def _variadic(tool: BaseTool, fields: Mapping[str, Any]) -> str:
    """The field that stands for `**kwargs` of a tool's function, if it has them."""
    function = getattr(tool, "coroutine", None) or getattr(tool, "func", None)
    if function is None and tool.args_schema is None:
        function = tool._run
    try:
        parameters = inspect.signature(function).parameters.values() if function else ()
    except (TypeError, ValueError):
        return ""
    variadic = (it.name for it in parameters if it.kind is it.VAR_KEYWORD and it.name in fields)
    return next(variadic, "")


def _mapping(schema: Any) -> JsonSchema:
    # In JSON schema, `true` is a schema that allows everything.
    return schema if isinstance(schema, Mapping) else {}
