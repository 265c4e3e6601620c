"""The question sets are sound: what is expected follows from the pages of the library."""

import re
from collections import Counter
from typing import Any

import pytest

from llm_compiler.tools.arithmetic import evaluate
from tests.bench.judging import LIBRARY, library_text, right, title_of
from tests.bench.questions import SETS, question_set
from tests.bench.reply_figures import figures

# What a question says in words (a third, half, per kilometre, million), or how many there are.
SMALL = {*range(12), 100, 1000, 1_000_000, 1_000_000_000}


def answered(name: str) -> list[dict[str, Any]]:
    """The questions of a set that have an answer."""
    return [it for it in question_set(name) if "answer" in it]


def names_in(answer: dict[str, Any]) -> list[str]:
    text = answer["text"]
    return text if isinstance(text, list) else [text]


def page(file: str) -> str:
    return (LIBRARY / file).read_text(encoding="utf-8")


def candidates(working: str) -> dict[str, str]:
    """Name → expression, of `max(K2: 8611, Denali: 6190) = K2`; empty for a number's working."""
    found = re.fullmatch(r"(?:max|min)\((.*: .*)\) = .*", working)
    parts = re.split(", (?=[^:=]+: )", found[1]) if found else []
    named = [part.split(": ", 1) for part in parts]
    return {name: expression.split(" = ")[0] for name, expression in named}


def winner(working: str, named: dict[str, str]) -> str:
    values = {name: float(evaluate(expression)) for name, expression in named.items()}
    choose = max if working.startswith("max") else min
    best = choose(values, key=lambda name: values[name])
    assert list(values.values()).count(values[best]) == 1
    return best


def expression(working: str) -> str:
    """The expression of a number's working: `Austria, Vienna: 2 * 3 = 6`, `Norway: 5`, `7`."""
    return re.sub(r"^.*: ", "", working).split(" = ")[0]


@pytest.mark.parametrize("name", SETS)
def test_ids_and_questions_are_unique(name: str) -> None:
    questions = question_set(name)
    assert len({it["id"] for it in questions}) == len(questions)
    if name != "questions":
        assert len({it["question"] for it in questions}) == len(questions)


@pytest.mark.parametrize(("name", "half"), [("hypothetical", 20), ("free", 30)])
def test_both_splits_have_half_of_each_kind(name: str, half: int) -> None:
    questions = question_set(name)
    assert Counter(it["split"] for it in questions) == {"tune": half, "report": half}
    for kind in {it["kind"] for it in questions}:
        splits = Counter(it["split"] for it in questions if it["kind"] == kind)
        assert splits["tune"] == splits["report"]


def test_the_free_set_has_what_it_promises() -> None:
    questions = question_set("free")
    asked_for = Counter(it.get("expect", "answer") for it in questions)
    assert asked_for == {"answer": 30, "not found": 20, "small talk": 10}
    languages = [it["language"] for it in questions if it["kind"] == "other language"]
    assert len(languages) == len(set(languages)) == 10
    assert "en" not in languages
    assert all(it["language"] == "en" for it in questions if it["kind"] != "other language")
    assert all(("answer" in it) != ("expect" in it) for it in questions)


@pytest.mark.parametrize("name", SETS)
def test_the_subjects_are_in_the_library(name: str) -> None:
    for question in question_set(name):
        assert [file for file in question["subjects"] if not (LIBRARY / file).is_file()] == []
        assert 1 <= len(question["subjects"]) <= 6 or "expect" in question, question["id"]


@pytest.mark.parametrize("name", SETS)
def test_every_working_evaluates_to_the_answer(name: str) -> None:
    for question in answered(name):
        working, answer = question["working"], question["answer"]
        if "number" in answer:
            value = float(evaluate(expression(working)))
            assert value == pytest.approx(answer["number"], rel=5e-5), question["id"]
        elif named := candidates(working):
            expected = winner(working, named)
            assert working.endswith(f" = {expected}"), question["id"]
            assert expected in names_in(answer) or expected.split(" and ") == names_in(answer)
        else:
            subject, fact = working.split(": ", 1)
            assert subject == title_of(question["subjects"][0])
            assert fact in page(question["subjects"][0])


@pytest.mark.parametrize("name", ["hypothetical", "compare", "free"])
def test_every_figure_of_a_working_is_a_page_s_or_the_question_s(name: str) -> None:
    for question in answered(name):
        language = question.get("language", "en")
        known = {it.number for one in figures(question["question"], language) for it in one}
        for file in question["subjects"]:
            known |= {it.number for one in figures(page(file)) for it in one}
        named = candidates(question["working"])
        for text in named.values() if named else [expression(question["working"])]:
            used = {it.number for one in figures(text) for it in one}
            assert used <= known | SMALL, question["id"]


def test_a_hypothetical_answer_cannot_be_read_off() -> None:
    """The figures as they stand in the pages give another name, and no page has the number."""
    for question in question_set("hypothetical"):
        answer, working = question["answer"], question["working"]
        if "number" in answer:
            read = [it.number for file in question["subjects"] for [it] in figures(page(file))]
            close = [it for it in read if abs(it - answer["number"]) <= answer["tolerance"]]
            assert close == [], question["id"]
            continue
        named = candidates(working)
        first = {name: re.findall(r"\d[\d.]*", its)[0] for name, its in named.items()}
        assert winner(working, first) != winner(working, named), question["id"]
        values = sorted(float(evaluate(its)) for its in named.values())
        best, next_best = values[:2] if working.startswith("min") else values[:-3:-1]
        assert abs(best / next_best - 1) > 0.03, question["id"]


def test_a_hypothetical_question_is_of_one_to_five_subjects() -> None:
    assert {len(it["subjects"]) for it in question_set("hypothetical")} <= {1, 2, 3, 4, 5}


def test_what_is_absent_has_no_page() -> None:
    titles = {title_of(file.name).casefold() for file in LIBRARY.glob("*.md")}
    for question in question_set("free"):
        if question["kind"] == "absent":
            assert question["subjects"] == []
            words = question["question"].rstrip("?").casefold()
            assert [title for title in titles if re.search(rf"\b{title}\b", words)] in (
                [],
                ["tokyo"],
            )


@pytest.mark.parametrize("name", SETS)
def test_the_expected_answers_are_judged_right(name: str) -> None:
    for question in answered(name):
        answer = question["answer"]
        if "number" in answer:
            assert right(question, f"{answer['number']:.10g}"), question["id"]
        else:
            assert all(right(question, f"It is {it}.") for it in names_in(answer)), question["id"]
        assert not right(question, "I do not know."), question["id"]


def test_the_library_is_read_whole() -> None:
    assert library_text().count("\n# ") == len(list(LIBRARY.glob("*.md")))
