"""The keys of dicts: numbers in a plan, texts in JSON."""

from typing import Any

import pytest

from llm_compiler.language.evaluation.excerpts import excerpt
from llm_compiler.language.evaluation.references import substitute
from llm_compiler.language.tasks.task import Outcome
from llm_compiler.language.tasks.text_keys import key_in, with_text_keys


@pytest.mark.parametrize(
    ("holder", "key", "found"),
    [
        ({1: "a"}, 1, 1),
        ({"1": "a"}, 1, "1"),
        ({1: "a"}, "1", 1),
        ({2.5: "a"}, "2.5", 2.5),
        ({"true": "a"}, True, "true"),
        ({1: "a", "1": "b"}, "1", "1"),
        ({"a": 1}, "b", "b"),
        ({1: "a"}, "1x", "1x"),
        ({1: "a"}, "-", "-"),
    ],
)
def test_key_is_found_as_a_dict_has_it(holder: dict[Any, Any], key: Any, found: Any) -> None:
    assert key_in(holder, key) == found
    assert type(key_in(holder, key)) is type(found)


def test_data_become_json_without_a_copy_where_they_are() -> None:
    plain = [{"a": [1]}, {"b": {}}]
    assert with_text_keys(plain) is plain
    assert with_text_keys([{1: {None: 2}}, {True: 1.5}]) == [{"1": {"null": 2}}, {"true": 1.5}]


@pytest.mark.parametrize("written", ["$1", "${1}", "$1[0]", ["$1"], {"of": "$1[0]"}])
def test_a_tool_gets_keys_that_are_texts_and_what_is_computed_keeps_them(written: Any) -> None:
    result = [{2020: {True: "a"}}]

    def filled(computed: bool) -> str:
        return repr(substitute(written, lambda id: result, lambda id: True, computed=computed))

    assert "{'2020': {'true': 'a'}}" in filled(False)
    assert "{2020: {True: 'a'}}" in filled(True)


def test_keys_are_shown_as_texts() -> None:
    assert excerpt({n: n for n in range(9)}, 20).startswith('{"0": 0, "1": 1, ')


def test_state_has_texts_as_keys_of_what_was_computed() -> None:
    assert Outcome(3, "compute", "ok", value={2020: [1]}).data()["value"] == {"2020": [1]}
