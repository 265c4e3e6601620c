"""The settings of a run. A value that is passed overrides the environment, then the default."""

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from llm_compiler.errors import SetupError
from llm_compiler.prompting.overrides import apart, checked_program, checked_prompt
from llm_compiler.prompting.templates import JOINER, MISSING, PLANNER, TOOLS
from llm_compiler.text import quoted, shortened

PREFIX = "LLM_COMPILER_"
DOCUMENTS_ROOT = "LLM_COMPILER_DOCUMENTS_ROOT"
_MAX_PROMPT_CHARS = 20_000
_MAX_EXAMPLE_CHARS = 4000
_MAX_EXAMPLES = 100
_MAX_QUOTED_CHARS = 200
_MAX_NAME_CHARS = 60
_SLIP = 0.8
"""How alike a name is, from 0 to 1, that is taken for a misspelt setting."""
_OTHERS = "auth debug documents_root keep local_log local_model mcp threads".split()
"""What other variables set."""

if TYPE_CHECKING:  # the types that callers may pass; validation converts them to those below
    _Names = Sequence[str]
    _Texts = Sequence[str]
    _Folder = Path | str
else:
    _Names = tuple[str, ...]
    _Texts = tuple[Annotated[str, Field(max_length=_MAX_EXAMPLE_CHARS)], ...]
    _Folder = Path


def _model(description: str, *nodes: str) -> Any:
    return Field(
        default=None, description=description, json_schema_extra={"langgraph_nodes": [*nodes]}
    )


def _prompt(default: str, description: str, node: str) -> Any:
    shown: dict[str, Any] = {"langgraph_nodes": [node], "langgraph_type": "prompt"}
    return Field(
        default=default,
        max_length=_MAX_PROMPT_CHARS,
        description=description,
        json_schema_extra=shown,
    )


class Context(BaseModel):
    """The graph's `context_schema`. Frozen; each field may be set as `LLM_COMPILER_` + NAME.

    Raises:
        SetupError: an environment variable has an invalid value.
        pydantic.ValidationError: an argument has an invalid value.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = _model(
        'Model for planner, joiner and tools that read text: "openai:NAME", "provider:NAME" or'
        ' "local". None: openai:gpt-4.1-mini if OPENAI_API_KEY is set, else local.',
        "planner",
        "scheduler",
        "joiner",
    )
    planner_model: str | None = _model("Model for the planner; overrides `model`.", "planner")
    joiner_model: str | None = _model("Model for the joiner; overrides `model`.", "joiner")
    max_rounds: int = Field(default=3, ge=1, le=100, description="Maximum plans per turn.")
    max_tasks: int = Field(default=50, ge=1, le=100_000, description="Maximum tasks per plan.")
    max_parallel: int = Field(default=16, ge=1, le=10_000, description="Maximum calls at once.")
    tool_timeout: float = Field(
        default=60.0, gt=0, le=86_400, description="Maximum seconds per attempt of a call."
    )
    tool_retries: int = Field(
        default=2, ge=0, le=20, description="Maximum attempts of a call after the first."
    )
    model_timeout: float | None = Field(
        default=None,
        gt=0,
        le=86_400,
        description="Seconds that a model may be silent. None: 120; for the local model, 600.",
    )
    deadline: float | None = Field(
        default=None, gt=0, le=86_400, description="Maximum seconds per turn. None: no limit."
    )
    answer: Literal["auto", "plan", "joiner"] = Field(
        default="auto",
        description='Who writes the reply where the plan ends in words of its own: "plan" takes'
        ' them; "joiner" always asks the joiner; "auto": as suits the planner\'s model.',
        json_schema_extra={"langgraph_nodes": ["joiner"]},
    )
    approve: _Names = Field(default=(), description="Tools whose calls a person must approve.")
    trusted_writes: _Names = Field(
        default=(),
        description="Tools that write and that untrusted results may reach without a person.",
    )
    allow: _Names | None = Field(default=None, description="Names of the tools offered. None: all.")
    documents: _Folder | None = Field(
        default=None, description="Folder of Markdown files that `search` reads instead of the web."
    )
    examples: Literal["auto", "always", "never"] = Field(
        default="auto",
        description='When worked programs are sent to the planner. "auto": to the local model.',
    )
    planner_prompt: str = _prompt(
        PLANNER,
        "Instructions for the planner. {tools} is replaced by the tools' signatures, {today} by"
        " the date. Worked programs follow as earlier turns of the chat.",
        "planner",
    )
    joiner_prompt: str = _prompt(
        JOINER,
        "Instructions for the joiner. {missing} is replaced by what to do if the results are not"
        " enough: ask for another plan or, in the last round, say what is missing."
        " The question and the results follow the instructions.",
        "joiner",
    )
    more_examples: _Texts = Field(
        default=(),
        max_length=_MAX_EXAMPLES,
        description='Your own worked programs: a line "Question: …", then the program. Those whose'
        ' tools are all offered are sent to any model, unless `examples` is "never".',
        json_schema_extra={"langgraph_nodes": ["planner"]},
    )
    max_result_chars: int = Field(
        default=4000,
        ge=50,
        le=10_000_000,
        description="Maximum characters of one result that a model is shown. References get all.",
    )

    @field_validator("approve", "trusted_writes", "allow", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """Split a string at its commas: environment variables hold lists like that."""
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("planner_prompt")
    @classmethod
    def _lists_tools(cls, text: str) -> str:
        return checked_prompt(text, TOOLS)

    @field_validator("joiner_prompt")
    @classmethod
    def _says_what_is_missing(cls, text: str) -> str:
        return checked_prompt(text, MISSING)

    @field_validator("more_examples", mode="before")
    @classmethod
    def _apart(cls, value: Any) -> Any:
        """Split a string into worked programs: an environment variable may hold several."""
        return apart(value) if isinstance(value, str) else value

    @field_validator("more_examples")
    @classmethod
    def _plans(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(checked_program, texts))

    @model_validator(mode="wrap")
    @classmethod
    def _over_environment(
        cls, passed: Any, handler: "ModelWrapValidatorHandler[Context]"
    ) -> "Context":
        if not isinstance(passed, dict):
            return handler(passed)
        if message := unknown_settings(passed):
            raise PydanticCustomError("unknown_setting", "{message}", {"message": message})
        if message := _misspelt(os.environ):
            raise SetupError(message)
        found = {
            name: os.environ[PREFIX + name.upper()]
            for name in cls.model_fields
            if name not in passed and os.environ.get(PREFIX + name.upper())
        }
        try:
            context = handler({**found, **passed})
        except ValidationError as error:
            for refused in error.errors(include_url=False):
                name = refused["loc"][0] if refused["loc"] else ""
                if name in found:
                    variable, value = PREFIX + str(name).upper(), found[str(name)]
                    shown = quoted(value, _MAX_QUOTED_CHARS)
                    raise SetupError(f"{variable}={shown}: {refused['msg']}") from None
            raise
        # What was passed is known from what was not: `of` needs it.
        context.model_fields_set.difference_update(found)
        return context

    @classmethod
    def of(cls, given: object, graph: "Context | None" = None) -> "Context":
        """The context of a run; made from the environment if neither it nor its graph has one.

        Args:
            given: The run's context. That of a parent graph may be of another class: it is not
                ours.
            graph: What the graph was built with, which holds where the run passes nothing else.
        """
        if not isinstance(given, cls):
            return graph or cls()
        if graph is None:
            return given
        passed = {name: getattr(given, name) for name in given.model_fields_set}
        return graph.model_copy(update=passed)

    def folder(self, *, on_server: bool) -> Path | None:
        """The documents folder, if the run may read it.

        Raises:
            SetupError: on a server it is not below the folder in LLM_COMPILER_DOCUMENTS_ROOT.
        """
        root = os.environ.get(DOCUMENTS_ROOT)
        if self.documents is None:
            return None
        if root is None and not on_server:
            return Path(self.documents)
        if root is None:
            raise SetupError(f"set {DOCUMENTS_ROOT} to the folder that must contain the documents")
        folder = Path(root, self.documents).resolve()
        if not folder.is_relative_to(Path(root).resolve()):
            raise SetupError(
                f"the documents folder {str(self.documents)!r} is not below {DOCUMENTS_ROOT}"
            )
        return folder


def meant(name: object) -> str | None:
    """The setting that a name is, or is a misspelling of."""
    near = difflib.get_close_matches(str(name).casefold(), Context.model_fields, 1, _SLIP)
    return near[0] if near else None


def _misspelt(variables: Iterable[str]) -> str:
    """What is wrong with the first variable that sets nothing but nearly has the name of one that
    does; empty if there is none."""
    known = [name.upper() for name in (*Context.model_fields, *_OTHERS)]
    for name in variables:
        if name.upper().startswith(PREFIX) and name.removeprefix(PREFIX) not in known:
            own = name.upper().removeprefix(PREFIX)
            if near := difflib.get_close_matches(own, known, 1, _SLIP):
                return f"{name} sets nothing; did you mean {PREFIX}{near[0]}?"
    return ""


def unknown_settings(names: Iterable[object]) -> str:
    """What is wrong with those that name no setting, on one line; empty if all do."""
    known = Context.model_fields
    told = []
    for name in names:
        if name not in known:
            near, shown = meant(name), shortened(str(name), _MAX_NAME_CHARS)
            told.append(f"{shown} is not a setting" + (f"; did you mean {near}?" if near else ""))
    if not told:
        return ""
    listed = "" if told[-1].endswith("?") else f"; the settings are {', '.join(known)}"
    return "; ".join(told) + listed
