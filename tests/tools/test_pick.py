"""`pick`: the name, with all values."""

import pytest
from langchain_core.tools import ToolException
from pydantic import ValidationError

from llm_compiler.tools.pick import pick


def test_largest_comes_with_all_values() -> None:
    values = {"Everest": "8849 * 0.9", "K2": 8611}
    assert pick.invoke({"which": "largest", "values": values}) == {
        "name": "K2",
        "value": 8611,
        "values": {"Everest": 7964.1, "K2": 8611},
    }


def test_smallest_is_the_smallest() -> None:
    found = pick.invoke({"which": "smallest", "values": {"A": "1 / 3", "B": 0.3}})
    assert found["name"] == "B"


def test_tie_names_all_tied() -> None:
    found = pick.invoke({"which": "largest", "values": {"A": 2, "B": 1, "C": "4 / 2"}})
    assert found["name"] == "A and C"


@pytest.mark.parametrize("values", [{}, {"A": 1}])
def test_one_value_is_no_choice(values: dict[str, int]) -> None:
    with pytest.raises(ToolException, match="two or more"):
        pick.invoke({"which": "largest", "values": values})


def test_list_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValidationError, match="a name for each value"):
        pick.invoke({"which": "largest", "values": [1, 2]})


def test_neither_largest_nor_smallest_is_refused() -> None:
    with pytest.raises(ValidationError, match="largest"):
        pick.invoke({"which": "best", "values": {"A": 1, "B": 2}})


def test_comparison_is_no_value() -> None:
    with pytest.raises(ToolException, match="'A' is a comparison"):
        pick.invoke({"which": "largest", "values": {"A": "1 < 2", "B": 2}})


def test_faulty_expression_is_said_as_math_says_it() -> None:
    with pytest.raises(ToolException, match="division by zero"):
        pick.invoke({"which": "largest", "values": {"A": "1 / 0", "B": 2}})
