"""Events show the start of a result, however long it is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_compiler.language.references import as_text
from llm_compiler.language.task import Outcome
from llm_compiler.observability.stream_events import Events
from tests.support.cost import cost

TEXTS = st.text(max_size=500)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


def shown(value: Any) -> str:
    """What `task.finished` shows of a result."""
    written: list[Any] = []
    Events(written.append, 1, lambda: 0.0).task_finished(Outcome(1, "echo", "ok", value=value))
    return str(written[0]["result"])


@given(DATA)
def test_a_result_is_shown_as_text_and_cut(value: Any) -> None:
    text = " ".join(as_text(value)[:400].split())
    assert shown(value) == (text if len(text) <= 200 else text[:199].rstrip() + "…")


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000_000, ["x" * 10_000_000], {"x" * 10_000_000: 1}, [[1, "x"]] * 1_000_000],
    ids=["text", "text in a list", "key", "list"],
)
def test_showing_a_long_result_takes_no_longer(value: Any) -> None:
    assert cost(lambda: shown(value)) < 0.01
