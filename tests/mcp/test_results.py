"""What a server's tool returned, as the value of a plan."""

import json
from typing import Any

import pytest
from mcp.types import CallToolResult, ImageContent, ResourceLink, TextContent

from llm_compiler.errors import ToolError
from llm_compiler.mcp.results import value_of


def result(*texts: str, held: Any = None, is_error: bool = False) -> CallToolResult:
    content: list[Any] = [TextContent(text=text) for text in texts]
    return CallToolResult(content=content, structured_content=held, is_error=is_error)


PERSON = {"name": "Ada", "born": 1815}


@pytest.mark.parametrize(
    ("texts", "held", "value"),
    [
        (["8611"], None, "8611"),
        (["a", "b"], None, "a\nb"),
        ([], PERSON, PERSON),
        ([json.dumps(PERSON, indent=2)], PERSON, PERSON),
        ([str(PERSON)], PERSON, PERSON),
        (["  "], PERSON, PERSON),
        (["Ada"], {"name": "Ada"}, {"name": "Ada"}),
        (["[1, 2]"], {"found": [1, 2], "more": False}, {"found": [1, 2], "more": False}),
        (["8611.0"], {"result": 8611}, 8611),
        (["K2 is high."], {"result": "K2 is high."}, "K2 is high."),
        (['{"result": [1, 2]}'], {"result": [1, 2]}, [1, 2]),
        (["1", "2"], {"result": [1, 2]}, [1, 2]),
        (["a", "b"], {"result": ["a", "b"]}, ["a", "b"]),
        (["a"], {"result": ["a"]}, ["a"]),
        (['{"a": 1}'], {"result": [{"a": 1}]}, [{"a": 1}]),
        (["a", "b", "c"], {"result": [["a", "b"], ["c"]]}, [["a", "b"], ["c"]]),
        (["a"], {"result": [None, "a", []]}, [None, "a", []]),
        (["[]"], {"result": []}, []),
        (["null"], {"result": None}, None),
        (["1" * 5000], {"result": 5}, {"text": "1" * 5000, "result": 5}),
    ],
)
def test_structured_content_is_the_value_if_the_text_repeats_it(
    texts: list[str], held: Any, value: Any
) -> None:
    assert value_of(result(*texts, held=held)) == value


def test_text_that_says_something_else_stands_beside_structured_content() -> None:
    both = value_of(result("Ada wrote the first program.", held=PERSON))
    assert both == {"text": "Ada wrote the first program.", **PERSON}
    both = value_of(result("More.", held={"text": "Less."}))
    assert both == {"content": "More.", "text": "Less."}
    both = value_of(result("Ten found.", held={"result": [1, 2]}))
    assert both == {"text": "Ten found.", "result": [1, 2]}


def test_a_value_has_the_form_that_its_servers_schema_declares() -> None:
    number = {"properties": {"result": {"type": "integer"}}}
    assert value_of(result("five", held={"result": 5}), number) == 5
    array = {"type": "array", "items": {"type": "integer"}}
    assert value_of(result("one and two", held=[1, 2]), array) == [1, 2]
    more = {"properties": {"result": {"type": "integer"}, "unit": {"type": "string"}}}
    assert value_of(result("5", held={"result": 5}), more) == {"result": 5}
    assert value_of(result("five", held={"result": 5}), more) == {"text": "five", "result": 5}


def test_what_is_no_text_is_a_short_note() -> None:
    content: list[Any] = [
        ImageContent(data="AAAA", mime_type="image/png"),
        ResourceLink(name="log", uri="file:///log"),
    ]
    value = value_of(CallToolResult(content=content))
    assert value == "[image: image/png, 3 bytes]\n[resource log: file:///log]"


def test_an_error_says_what_the_server_said() -> None:
    with pytest.raises(ToolError, match=r"^no such file$"):
        value_of(result("no such file", is_error=True))
    with pytest.raises(ToolError, match=r'{"code": 5}'):
        value_of(result(held={"code": 5}, is_error=True))
    with pytest.raises(ToolError, match="gave no reason"):
        value_of(result(is_error=True))
