"""Prompts and worked programs of an assistant's own."""

import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from llm_compiler.context import Context
from llm_compiler.errors import SetupError
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.prompting.examples import worked_programs
from llm_compiler.prompting.messages import joiner_messages, planner_messages
from llm_compiler.prompting.overrides import question_and_program
from llm_compiler.prompts import examples
from llm_compiler.tools import SHIPPED
from tests.support.scripted import ScriptedModel

ALL = Toolbox.of(SHIPPED)
SQUARES = 'Question: Which square is larger?\nanswer(f"{max(3 ** 2, 4 ** 2)} is larger.")'
COLOUR = 'Question: What is your favourite colour?\nanswer("Blue.")'


def refused(**settings: Any) -> str:
    with pytest.raises(ValidationError) as error:
        Context(**settings)
    [refused] = error.value.errors()
    assert "\n" not in refused["msg"]
    return refused["msg"].removeprefix("Value error, ")


# ── prompts ───────────────────────────────────────────────────────────────────────────────────


def test_the_tools_are_where_the_planners_prompt_says() -> None:
    template = 'Plan {"like": "this"}, $1 and {x}:\n{tools}\nNo more.'
    today = datetime.date(2026, 11, 27)
    [system, _] = planner_messages(
        ALL, [], "Who?", with_examples=False, template=template, today=today
    )
    assert system.text.startswith('Plan {"like": "this"}, $1 and {x}:\ndef search(')
    assert system.text.endswith("\nNo more.")


def test_the_joiners_prompt_is_told_what_to_do_in_the_last_round() -> None:
    for may_replan, said in ((True, "write only REPLAN:"), (False, "say what")):
        messages = joiner_messages(
            "Who?", [], [], may_replan=may_replan, template="In verse. {missing}"
        )
        assert messages[0].text.startswith("In verse. If ")
        assert said in messages[0].text


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (
            "planner_prompt",
            "the prompt lacks {tools}, where the tools are listed;"
            " add the lines 'Tools:' and '{tools}'",
        ),
        (
            "joiner_prompt",
            "the prompt lacks {missing}, which says what to do if the results are not"
            " enough; add the line '{missing}'",
        ),
    ],
)
def test_a_prompt_without_its_placeholder_is_told_what_to_add(field: str, message: str) -> None:
    assert refused(**{field: "Be brief."}) == message


def test_a_prompt_from_the_environment_is_named_and_truncated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLM_COMPILER_PLANNER_PROMPT", "Plan well. " * 100)
    with pytest.raises(SetupError, match=r"^LLM_COMPILER_PLANNER_PROMPT='Plan .*…': .*lacks") as it:
        Context()
    assert len(str(it.value)) < 400


# ── worked programs ──────────────────────────────────────────────────────────────────────────────


def test_the_shipped_worked_programs_would_be_accepted() -> None:
    texts = tuple(text for *_, text in examples())
    assert Context(more_examples=tuple(f"\n{text}\n" for text in texts)).more_examples == texts


def test_a_fence_around_a_worked_program_is_no_part_of_it() -> None:
    question, program = COLOUR.split("\n")
    fenced = f"{question}\n```python\n{program}\n```"
    assert Context(more_examples=(fenced,)).more_examples == (fenced,)
    assert question_and_program(fenced) == question_and_program(COLOUR)


def test_the_environment_holds_several_in_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_COMPILER_MORE_EXAMPLES", f"{SQUARES}\n\n{COLOUR}\n{SQUARES}")
    assert Context().more_examples == (SQUARES, COLOUR, SQUARES)


@pytest.mark.parametrize("text", [f"Hello\n\n{SQUARES}", f"{SQUARES}\n\nQuestion: Who?"])
def test_an_invalid_worked_program_in_the_environment_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_COMPILER_MORE_EXAMPLES", text)
    with pytest.raises(SetupError, match=r"'Hello'|'Who\?'"):
        Context()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a worked program begins with 'Question: …', not with ''"),
        ("answer('x')", "a worked program begins with 'Question: …', not with \"answer('x')\""),
        ("Question:\nanswer('x')", "begins with 'Question: …', not with 'Question:'"),
        ("Question: Who?", 'it does not end; write answer(f"…") below its last line'),
        ("Question: Who?\nx = search('K2')", "it does not end; write answer"),
        ("Question: Who?\nNobody knows.\nanswer('x')", "line 1: invalid syntax; write one"),
        ("Question: Who?\nsearch('K2'", "was cut off inside this statement"),
        ("Question: Who?\nanswer(k2)", 'no name "k2"'),
        ("Question: Who?\nwhile True:\n    search('K2')\nanswer('x')", "while is not in the plan"),
        ("Question: Who?\nx = round(1, 2, 3)\nanswer(x)", "round takes 1 to 2 arguments, not 3"),
    ],
)
def test_an_invalid_worked_program_is_refused_with_the_reason(text: str, message: str) -> None:
    assert message in refused(more_examples=[text])


def test_the_tools_of_a_worked_program_need_not_be_offered() -> None:
    text = "Question: Who?\nanswer(ask_oracle('x', politely=True))"
    assert Context(more_examples=(text,)).more_examples == (text,)
    assert worked_programs(ALL, (text,), shipped=False) == []


@pytest.mark.parametrize(("examples", "sent"), [("auto", True), ("always", True), ("never", False)])
async def test_added_worked_programs_are_sent_to_any_model(examples: Any, sent: bool) -> None:
    from llm_compiler import build_graph

    planner = ScriptedModel('answer("Blue.")')
    await build_graph(planner=planner).ainvoke(
        {"messages": [("user", "What is your favourite colour?")]},
        context=Context(more_examples=(COLOUR,), examples=examples),
    )
    assert ("Blue." in planner.prompts[0]) is sent
