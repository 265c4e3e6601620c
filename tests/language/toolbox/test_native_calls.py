"""Calls that a model writes in its own way become a program, whatever the chunks."""

import json
from typing import Any

import pytest

from llm_compiler.language.toolbox.native_calls import NativeCalls, as_statement

TOOLS = ("search", "add")
K2 = {"query": "K2"}
PROGRAM = "\n```python\nsearch(query='K2')\nadd(a=1, b=2)\n```\n"
TWO: list[dict[str, Any]] = [
    {"name": "search", "arguments": K2},
    {"name": "add", "arguments": {"a": 1, "b": 2}},
]
ONE, SUM = (json.dumps(call["arguments"]) for call in TWO)
OPENAI = [
    {
        "id": "1",
        "type": "function",
        "function": {**call, "arguments": json.dumps(call["arguments"])},
    }
    for call in TWO
]
HERMES = "\n".join(f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in TWO)

FORMS = {
    "a list": json.dumps(TWO),
    "an indented list": json.dumps(TWO, indent=2),
    "objects in lines": "\n".join(map(json.dumps, TWO)),
    "a fence": f"```json\n{json.dumps(TWO)}\n```",
    "a fence of calls": f"```tool_call\n{json.dumps(TWO)}\n```",
    "tool_calls": json.dumps({"tool_calls": TWO}),
    "OpenAI's": json.dumps({"tool_calls": OPENAI}),
    "parameters": json.dumps([{"name": it["name"], "parameters": it["arguments"]} for it in TWO]),
    "tool and args": json.dumps([{"tool": it["name"], "args": it["arguments"]} for it in TWO]),
    "actions": json.dumps([{"action": it["name"], "action_input": it["arguments"]} for it in TWO]),
    "Hermes": HERMES,
    "Mistral": f"[TOOL_CALLS]{json.dumps(TWO)}",
    "Mistral, names apart": f"[TOOL_CALLS]search{ONE}[TOOL_CALLS]add{SUM}",
    "Mistral, with marks": f"[TOOL_CALLS]search[ARGS]{ONE}[TOOL_CALLS]add[ARGS]{SUM}",
    "Llama": f"<|python_tag|>{json.dumps(TWO[0])}; {json.dumps(TWO[1])}",
    "Llama's functions": f"<function=search>{ONE}</function><function=add>{SUM}</function>",
    "Qwen's coder": "<tool_call>\n<function=search>\n<parameter=query>\nK2\n</parameter>\n"
    "</function>\n</tool_call>\n<tool_call><function=add><parameter=a>1</parameter>"
    "<parameter=b>2</parameter></function></tool_call>",
    "DeepSeek": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>search\n```json\n"
    f"{ONE}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n"
    f"{SUM}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "names with a prefix": json.dumps(
        [{**call, "name": f"functions.{call['name']}:0"} for call in TWO]
    ),
}  # fmt: skip
NOT_CALLS = [
    'x = search("K2")\nanswer(f"{x}")\n',
    '```python\nsearch("K2")\n```\n',
    '[search("K2"), add(1, 2)]',
    '{"name": "Everest", "arguments": {"height": 8849}}',
    '{"a": 1}',
    "[{",
    "if a < b and c <tool:\n",
    "plain words",
    "",
]


def read(text: str, size: int) -> str:
    calls = NativeCalls(TOOLS)
    fed = [calls.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join([*fed, calls.close()])


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize("form", FORMS)
def test_calls_become_a_program_in_every_form(form: str, size: int) -> None:
    assert read(FORMS[form], size) == PROGRAM


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize("text", NOT_CALLS)
def test_what_is_no_call_stays_as_it_is(text: str, size: int) -> None:
    assert read(text, size) == text


def test_words_before_a_mark_are_kept() -> None:
    assert read(f"I look it up.\n{HERMES}", 7) == f"I look it up.\n{PROGRAM}"


def test_a_program_is_passed_on_as_it_comes() -> None:
    calls = NativeCalls(TOOLS)
    assert calls.feed('search("K2")') == 'search("K2")'
    assert calls.feed("\nx = 1 <") + calls.feed(" 2") == "\nx = 1 < 2"


@pytest.mark.parametrize(
    ("args", "statement"),
    [
        ('{"from": "a", "due-date": null}', "search(from_='a', due_date=None)"),
        ('["K2", true]', "search('K2', True)"),
        ('"K2"', "search('K2')"),
        ("", "search()"),
        ('{"query": "K', 'search({"query": "K)'),
    ],
)
def test_a_call_is_written_as_python(args: str, statement: str) -> None:
    assert as_statement("functions.search", args) == statement


def test_many_brackets_are_read_in_no_time() -> None:
    for text in ("{" * 150_000, "[{" * 80_000, "<tool_call>" * 10_000, '{"a":' * 20_000):
        assert read(text, 100_000).startswith(text[:5])
