"""`pick`: which of several things has the largest or the smallest value."""

from typing import Annotated, Any, Literal

from langchain_core.tools import ToolException, tool
from pydantic import BeforeValidator, WithJsonSchema

from .arithmetic import VALUE_SCHEMA, evaluate


def _named(values: Any) -> Any:
    """Refuse bare lists with the remedy, where pydantic would only say "not a dictionary"."""
    if isinstance(values, list | tuple):
        raise ValueError('pick needs a name for each value: {"A": 1, "B": 2}; for numbers use math')
    return values


_SCHEMA = {"type": "object", "additionalProperties": VALUE_SCHEMA, "minProperties": 2}
Values = Annotated[dict[str, str | int | float], BeforeValidator(_named), WithJsonSchema(_SCHEMA)]


@tool
def pick(which: Literal["largest", "smallest"], values: Values) -> dict[str, Any]:
    """The name whose value is largest or smallest. For questions that ask which one.

    `values` maps each name to a number or an expression for `math`.
    """
    if len(values) < 2:
        raise ToolException(f"pick has {len(values)} value to choose from; give two or more")
    computed: dict[str, int | float] = {}
    for name, expression in values.items():
        value = evaluate(expression)
        if isinstance(value, bool):
            raise ToolException(f"the value of {name!r} is a comparison; give a number")
        computed[name] = value
    best = max(computed.values()) if which == "largest" else min(computed.values())
    # A tie is an answer too: naming one of the tied alone would be false.
    names = [name for name, value in computed.items() if value == best]
    return {"name": " and ".join(names), "value": best, "values": computed}


pick.metadata = {"readOnlyHint": True}
