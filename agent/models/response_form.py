"""The form that a caller wants the answer in, as data: `response_format` of `build_graph`."""

import dataclasses
import json
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_origin

from pydantic import BaseModel, PydanticUserError, TypeAdapter, ValidationError
from typing_extensions import is_typeddict

from llm_compiler.errors import SetupError
from llm_compiler.text import shortened

_MAX_ERROR_CHARS = 300
_MAX_ERRORS = 5
_REMEDY = "give a Pydantic model, a dataclass, a TypedDict or a JSON schema"
_DECODER = json.JSONDecoder()


class ResponseForm:
    """A form: its JSON schema, and how data are made into it.

    Args:
        given: A Pydantic model, a dataclass, a TypedDict, a union of them, a JSON schema, or one of
            LangChain's strategies around one of these.

    Raises:
        SetupError: it is none of these, or no valid schema.
    """

    def __init__(self, given: Any) -> None:
        if type(given).__module__.startswith("langchain.agents"):
            given = given.schema  # which strategy suits depends on the joiner's model
        self.kind: Any = dict[str, Any] if isinstance(given, Mapping) else given
        """The type of the data."""
        self._adapter: TypeAdapter[Any] | None = None
        if isinstance(given, Mapping):
            # It takes long to import, and few callers give a schema.
            import jsonschema

            self.schema = dict(given)
            try:
                jsonschema.validators.validator_for(self.schema).check_schema(self.schema)
            except jsonschema.SchemaError as error:
                why = shortened(error.message, _MAX_ERROR_CHARS)
                raise SetupError(f"response_format: no valid JSON schema: {why}") from None
        elif _is_form(given):
            try:
                self._adapter = TypeAdapter(given)
                self.schema = self._adapter.json_schema()
            except PydanticUserError as error:
                why = shortened(str(error), _MAX_ERROR_CHARS)
                raise SetupError(f"response_format: {why}; {_REMEDY}") from None
        else:
            raise SetupError(f"response_format: {shortened(repr(given), 80)} is no form; {_REMEDY}")
        self.name = _name(str(self.schema.get("title") or getattr(given, "__name__", "")))

    @property
    def of_openai(self) -> dict[str, Any]:
        """The form as OpenAI's `response_format`. Not strict: few schemas may be."""
        schema = {"name": self.name, "schema": self.schema}
        return {"type": "json_schema", "json_schema": schema}

    def of_text(self, text: str) -> Any:
        """The data in a reply: a JSON document, which may stand in a fence or behind words.

        Raises:
            ValueError: there is none, or it does not have the form.
        """
        starts = [at for mark in "{[" if (at := text.find(mark)) >= 0]
        try:
            data, _ = _DECODER.raw_decode(text, min(starts, default=0))
        except (ValueError, RecursionError):
            raise ValueError("it is no JSON document") from None
        return self.of_data(data)

    def of_data(self, data: Any) -> Any:
        """JSON data in the form.

        Raises:
            ValueError: they do not have it; says where.
        """
        if self._adapter is None:
            import jsonschema

            validator = jsonschema.validators.validator_for(self.schema)(self.schema)
            error = jsonschema.exceptions.best_match(validator.iter_errors(data))
            if error is not None:
                where = ".".join(map(str, error.absolute_path))
                raise ValueError(shortened(f"{where or 'all'}: {error.message}", _MAX_ERROR_CHARS))
            return data
        try:
            # As JSON: a date is a text there, a tuple a list.
            return self._adapter.validate_json(json.dumps(data))
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[:_MAX_ERRORS]
            said = (f"{'.'.join(map(str, it['loc'])) or 'all'}: {it['msg']}" for it in found)
            raise ValueError(shortened("; ".join(said), _MAX_ERROR_CHARS)) from None


def _is_form(given: Any) -> bool:
    if get_origin(given) in (Union, UnionType):
        return True
    if not isinstance(given, type) and not is_typeddict(given):
        return False
    return is_typeddict(given) or dataclasses.is_dataclass(given) or issubclass(given, BaseModel)


def _name(title: str) -> str:
    """A name as OpenAI takes it: letters, digits, dashes."""
    name = "".join(it if it.isascii() and (it.isalnum() or it in "_-") else "_" for it in title)
    return name[:64] or "answer"
