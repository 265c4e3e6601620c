"""Checks arguments against a JSON schema that somebody else wrote, in bounded time.

A check runs on the event loop, and both the schema and the arguments may come from anywhere. So

- regular expressions (`pattern`, `patternProperties`) are not run: `(a+)+$` takes years;
- `uniqueItems` and the `unevaluated…` keywords are not checked: they take quadratic time;
- `format` is not checked, as JSON schema has it by default;
- what is left takes a bounded number of steps, fewer the larger the arguments are. What is not
  reached then counts as right, and very large arguments are not checked at all.

The tool, or its server, checks its arguments itself.
"""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import attrs
from jsonschema import Draft202012Validator, ValidationError, validators
from jsonschema.protocols import Validator
from referencing import Registry

_MAX_STEPS = 5_000
_MAX_WEIGHT = 100_000
"""Characters and parts of the arguments."""
_WEIGHT_OF_A_STEP = 1_000
"""An error shows the value that it is about, so that a step takes longer for a large one."""
_UNCHECKED = (
    "pattern",
    "patternProperties",
    "uniqueItems",
    "unevaluatedItems",
    "unevaluatedProperties",
)

_Check = Callable[[Any, Any, Any, Any], Any]


class _EnoughError(Exception):
    """The steps are used up."""


_steps: ContextVar[list[int]] = ContextVar("steps of one check that are left, and the cost of one")


def validator_for(schema: Mapping[str, Any]) -> Validator:
    """A validator of a schema, for `errors_of`. What a `$ref` names elsewhere is not fetched."""
    made: Validator = _BoundedValidator(schema, registry=Registry())
    return made


def errors_of(validator: Validator, args: Mapping[str, Any]) -> Iterator[ValidationError]:
    """What the schema refuses, as far as it is looked at."""
    weight = _weight(args)
    if weight > _MAX_WEIGHT:
        return
    token = _steps.set([_MAX_STEPS, 1 + weight // _WEIGHT_OF_A_STEP])
    try:
        found: list[ValidationError] = []
        for error in validator.iter_errors(dict(args)):
            found.append(error)  # noqa: PERF402 - those before the steps end count
    except _EnoughError:
        pass
    finally:
        _steps.reset(token)
    yield from found


def _weight(value: Any) -> int:
    """The characters and parts of a value, counted until they are too many."""
    weight, values = 0, [value]
    while values and weight <= _MAX_WEIGHT:
        part = values.pop()
        weight += 1
        if isinstance(part, str):
            weight += len(part)
        elif isinstance(part, Mapping):
            weight += len(part)
            values += [*part.keys(), *part.values()] if weight <= _MAX_WEIGHT else []
        elif isinstance(part, list):
            weight += len(part)
            values += part if weight <= _MAX_WEIGHT else []
    return weight


def _counted(check: _Check) -> _Check:
    def keyword(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        left = _steps.get()
        left[0] -= left[1]
        if left[0] < 0:
            raise _EnoughError
        return check(validator, value, instance, schema)

    return keyword


def _unchecked(*_: Any) -> Any:
    return ()


def _additional(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
    """`additionalProperties`: which names are additional, patterns may say."""
    if "patternProperties" in schema:
        return ()
    return Draft202012Validator.VALIDATORS["additionalProperties"](
        validator, value, instance, schema
    )


def _evolved(validator: Any, **changes: Any) -> Any:
    """The same validator for a part of the schema, also if a `$schema` there names another."""
    return attrs.evolve(validator, **changes)


_extend: Callable[..., Any] = validators.extend
_BoundedValidator = _extend(
    Draft202012Validator,
    {
        **{name: _counted(check) for name, check in Draft202012Validator.VALIDATORS.items()},
        "additionalProperties": _counted(_additional),
        **dict.fromkeys(_UNCHECKED, _unchecked),
    },
)
_BoundedValidator.evolve = _evolved
