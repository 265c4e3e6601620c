"""Prompts and worked plans of an assistant's own."""

from typing import Any

import pytest
from pydantic import ValidationError

from llm_compiler.context import Context
from llm_compiler.errors import SetupError
from llm_compiler.language.toolbox import Toolbox
from llm_compiler.prompting.examples import worked_plans
from llm_compiler.prompting.messages import joiner_messages, planner_messages
from llm_compiler.prompts import examples
from llm_compiler.tools import SHIPPED
from tests.support.scripted import ScriptedModel

ALL = Toolbox.of(SHIPPED)
SQUARES = 'Question: Which square is larger?\n1. math("3 ** 2")\n2. math("4 ** 2")\n3. join()'
COLOUR = "Question: What is your favourite colour?\n1. answer('Blue.')"


def refused(**settings: Any) -> str:
    with pytest.raises(ValidationError) as error:
        Context(**settings)
    [refused] = error.value.errors()
    assert "\n" not in refused["msg"]
    return refused["msg"].removeprefix("Value error, ")


# ── prompts ───────────────────────────────────────────────────────────────────────────────────


def test_the_tools_are_where_the_planners_prompt_says() -> None:
    template = 'Plan {"like": "this"}, $1 and {x}:\n{tools}\nNo more.'
    [system, _] = planner_messages(ALL, [], "Who?", with_examples=False, template=template)
    assert system.text.startswith('Plan {"like": "this"}, $1 and {x}:\nsearch(')
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


# ── worked plans ──────────────────────────────────────────────────────────────────────────────


def test_the_shipped_worked_plans_would_be_accepted() -> None:
    for begin in range(0, len(examples()), 100):
        texts = tuple(examples()[begin : begin + 100])
        assert Context(more_examples=tuple(f"\n{text}\n" for text in texts)).more_examples == texts


def test_the_environment_holds_several_in_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    several = f"Question: Is 9 larger than 16?\n{SQUARES}"
    monkeypatch.setenv("LLM_COMPILER_MORE_EXAMPLES", f"{SQUARES}\n\n{COLOUR}\n{several}")
    assert Context().more_examples == (SQUARES, COLOUR, several)


@pytest.mark.parametrize("text", [f"Hello\n\n{SQUARES}", f"{SQUARES}\n\nQuestion: Who?"])
def test_an_invalid_worked_plan_in_the_environment_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_COMPILER_MORE_EXAMPLES", text)
    with pytest.raises(SetupError, match=r"'Hello'|'Who\?'"):
        Context()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a worked plan begins with 'Question: …', not with ''"),
        (
            "1. search('K2')",
            "a worked plan begins with 'Question: …', not with \"1. search('K2')\"",
        ),
        ("Question:\njoin()", "a worked plan begins with 'Question: …', not with 'Question:'"),
        ("Question: Who?", "it has no task; write its tasks below, such as 1."),
        ("Question: Who?\nNobody knows.\njoin()", "it has no task"),
        ("Question: Who?\n1. search('K2')", "it does not end; write join() below its last task"),
        ("Question: Who?\n1. search('K2'", "\"1. search('K2'\" is cut off; close its bracket"),
        ("Question: Who?\n1. search(K2)\njoin()", "'1. search(K2)': K2 is not a literal"),
        ("Question: Who?\n1. a()\n1. b()\njoin()", "the id of '1. b()' is 0 or used twice"),
        ("Question: Who?\n1. a($2)\njoin()", "'1. a($2)' needs $2, but no earlier task has"),
        ("Question: Who?\n1. a($1)\njoin()", "'1. a($1)' needs $1, but no earlier task has"),
        ("Question: Who?\n1. after 7: a()\njoin()", "needs $7"),
    ],
)
def test_an_invalid_worked_plan_is_refused_with_the_reason(text: str, message: str) -> None:
    assert message in refused(more_examples=[text])


def test_the_tools_of_a_worked_plan_need_not_be_offered() -> None:
    text = "Question: Who?\n1. ask_oracle('x')\n2. join()"
    assert Context(more_examples=(text,)).more_examples == (text,)
    assert worked_plans(ALL, "Who?", (text,), shipped=False) == []


def test_added_worked_plans_are_mixed_with_the_shipped_ones() -> None:
    assert worked_plans(ALL, "Which square is larger?", (SQUARES,))[-1] == SQUARES
    assert worked_plans(ALL, "Which square is larger?", (SQUARES, COLOUR), shipped=False) == [
        COLOUR,
        SQUARES,
    ]


@pytest.mark.parametrize(("examples", "sent"), [("auto", True), ("always", True), ("never", False)])
async def test_added_worked_plans_are_sent_to_any_model(examples: Any, sent: bool) -> None:
    from llm_compiler import build_graph

    planner = ScriptedModel('1. answer("Blue.")')
    await build_graph(planner=planner).ainvoke(
        {"messages": [("user", "What is your favourite colour?")]},
        context=Context(more_examples=(COLOUR,), examples=examples),
    )
    assert (COLOUR in planner.prompts[0]) is sent
