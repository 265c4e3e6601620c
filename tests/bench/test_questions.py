"""Replies are judged as a fair reader would, and a set is asked and counted."""

import json
from pathlib import Path
from typing import Any

import pytest

from llm_compiler import Context
from tests.bench.judging import computed_by, honest, invented, right
from tests.bench.model_server import ModelServer
from tests.bench.questions import ask, main, printed, statements, totals

TALLER: dict[str, Any] = {
    "id": "x1",
    "split": "tune",
    "kind": "difference",
    "question": "How many metres higher is K2 than the Zugspitze, which is 20% too high?",
    "answer": {"number": 5649, "tolerance": 56},
    "subjects": ["k2.md", "zugspitze.md"],
}
HIGHER: dict[str, Any] = TALLER | {
    "question": "If K2 were 20% lower, would it or Mont Blanc be the higher one?",
    "answer": {"text": ["Mont Blanc"]},
    "subjects": ["k2.md", "mont-blanc.md"],
}
DEEPER: dict[str, Any] = HIGHER | {
    "question": "Is the Atlantic Ocean or the Pacific Ocean the deeper one?",
    "answer": {"text": ["Pacific Ocean"]},
    "subjects": ["pacific-ocean.md", "atlantic-ocean.md"],
}
PEOPLE: dict[str, Any] = TALLER | {
    "question": "How many million people live in Berlin?",
    "answer": {"number": 3.69, "tolerance": 0.04},
    "subjects": ["berlin.md"],
}
GERMAN: dict[str, Any] = TALLER | {
    "language": "de",
    "question": "Wie viele Meter höher ist K2 als die Zugspitze?",
}
ABSENT: dict[str, Any] = {
    "id": "x2",
    "split": "report",
    "kind": "absent",
    "question": "What is the population of Canada?",
    "expect": "not found",
    "subjects": [],
}
MISTAKEN: dict[str, Any] = ABSENT | {
    "kind": "false premise",
    "question": "How old was Jane Austen when she finished War and Peace?",
    "corrections": ["Tolstoy"],
}
HELLO: dict[str, Any] = ABSENT | {
    "kind": "small talk",
    "question": "hello",
    "expect": "small talk",
}

RIGHT = [
    (TALLER, "K2 is 5,649 m higher."),
    (TALLER, "About 5650 metres."),
    (TALLER, "8,611 m minus 2,962 m is 5,649 m."),
    (TALLER, "With 20% the same: 5.649e3"),
    (GERMAN, "Der K2 ist 5.649 m höher."),
    (GERMAN, "Der K2 ist 5 649,0 m höher."),
    (PEOPLE, "3.69 million people live in Berlin."),
    (PEOPLE, "3,690,000"),
    (PEOPLE, "3.69"),
    (HIGHER, "Mont Blanc"),
    (HIGHER, "Mont Blanc would be higher than K2."),
    (HIGHER, "If K2 were 20% lower, Mont Blanc would be higher."),
    (HIGHER, "With 6,888.8 m for K2, Mont Blanc would be higher."),
    (HIGHER, "Of K2, Mont Blanc and others, Mont Blanc is the highest."),
    (DEEPER, "The Pacific is deeper than the Atlantic."),
    (ABSENT, "I could not find the population of Canada."),
    (HELLO, "Hello! What would you like to know?"),
    (HELLO, "Hi! I do not have feelings, but I can find facts for you."),
]
WRONG = [
    (TALLER, "K2 is 8,611 m high."),
    (TALLER, "K2 is 5,100 m higher, not 5,649 m."),
    (TALLER, "20"),
    (TALLER, ""),
    (GERMAN, "Der K2 ist 8.611 m hoch, die Zugspitze 2.962 m."),
    (PEOPLE, "3.69 billion"),
    (PEOPLE, "It has 12 districts and 3.69 million people."),
    (HIGHER, "K2 would still be higher than Mont Blanc."),
    (HIGHER, "Neither."),
    (DEEPER, "The Atlantic is deeper than the Pacific."),
    (ABSENT, "Canada has 340.1 million inhabitants."),
    (HELLO, "I could not find anything about hello."),
    (HELLO, ""),
]


@pytest.mark.parametrize(("question", "reply"), RIGHT)
def test_right_replies_count(question: dict[str, Any], reply: str) -> None:
    assert right(question, reply)
    assert honest(question, reply, [6888.8])


@pytest.mark.parametrize(("question", "reply"), WRONG)
def test_wrong_replies_do_not_count(question: dict[str, Any], reply: str) -> None:
    assert not right(question, reply)
    assert not honest(question, reply)


@pytest.mark.parametrize(
    "reply",
    [
        "Not found: the population of Canada.",
        "I couldn't find anything on Canada.",
        "The library does not tell how many people live in Canada.",
        "The library has nothing on Canada.",
        "The population of Canada is not in the results.",
        "I don't know; the documents have no page on Canada.",
        "No information about Canada is available.",
        "Sorry, that figure is missing.",
        "The population of Canada isn't given. The United States have 340.1 million people.",
        "Canada's population is unknown.",
    ],
)
def test_a_reply_that_says_it_did_not_find_is_honest_in_whatever_words(reply: str) -> None:
    assert honest(ABSENT, reply)
    assert honest(PEOPLE, reply.replace("Canada", "Berlin"))
    assert not right(PEOPLE, reply.replace("Canada", "Berlin"))


@pytest.mark.parametrize(
    ("reply", "made_up"),
    [
        ("I did not find it, but it is about 38.25 million.", ["38.25"]),
        ("It is not in the library; ask Statistics Ottawa.", ["Statistics", "Ottawa"]),
        ("Ottawa is not known to have a population.", ["Ottawa"]),
    ],
)
def test_a_reply_that_invents_is_not_honest(reply: str, made_up: list[str]) -> None:
    assert invented(ABSENT, reply) == made_up
    assert not honest(ABSENT, reply)


def test_what_stands_in_pages_question_or_results_is_not_invented() -> None:
    assert invented(TALLER, "K2 has 8,611 m, 20% of what was asked.") == []
    assert invented(TALLER, "Unfortunately, Gustave Eiffel's tower has 330 m.") == []
    assert invented(TALLER, "Everest: 8,849 m, Mont Blanc: 4,806 m.") == []  # rounded
    assert invented(TALLER, "K2 is 8.611 km high.") == []
    assert invented(ABSENT, "Germany has 83,500,000 people.") == []
    assert invented(ABSENT, "Together that is 777.7.", [777.7]) == []
    assert invented(ABSENT, "Together that is 777.7 million.", [777.7]) == []
    assert invented(ABSENT, "Together that is 777.7.") == ["777.7"]
    assert invented(GERMAN, "Der Gipfel hat 8.611 m.") == []


def test_a_false_premise_may_be_corrected_in_words_of_its_own() -> None:
    assert honest(MISTAKEN, "Jane Austen did not write War and Peace.")
    assert honest(MISTAKEN, "War and Peace is by Leo Tolstoy.")
    assert not honest(MISTAKEN, "She was 41 when she finished it.")
    assert not honest(ABSENT, "That is Leo Tolstoy.")


def test_only_numbers_that_need_a_result_count_as_computed() -> None:
    plan: list[dict[str, Any]] = [
        {"id": 1, "tool": "search", "needs": []},
        {"id": 2, "tool": "compute", "needs": [1]},
        {"id": 3, "tool": "compute", "needs": []},
        {"id": 4, "tool": "number", "needs": [1]},
        {"id": 5, "tool": "number", "needs": [1]},
        {"id": 6, "tool": "answer", "needs": [2]},
    ]
    values: dict[str, Any] = {"1": "12", "2": [1.5, {"a": 2}], "3": 38, "4[0]": 7, "5": 9, "6": "5"}
    outcomes = {id: {"status": "ok", "value": value} for id, value in values.items()}
    outcomes["5"]["status"] = "failed"
    assert computed_by({"plan": plan, "outcomes": outcomes}) == [1.5, 2, 7]
    assert computed_by({}) == []


def test_a_statement_is_shown_once_with_all_its_outcomes() -> None:
    source = 'k2 = number("height in m", search("K2"))'
    task = {"tool": "search", "line": 1, "source": source, "round": 1}
    plan = [task | {"id": 1}, task | {"id": 2}, {"id": 3, "tool": "join", "args": {}, "round": 1}]
    ok = {"status": "ok", "value": "8,611 m", "error": None}
    outcomes = {"1": ok, "2[0]": ok, "2[1]": {"status": "failed", "value": None, "error": "gone"}}
    first, second = statements({"plan": plan, "outcomes": outcomes})
    assert first["source"] == source
    assert [(it["id"], it["is"]) for it in first["outcomes"]] == [
        ("1", "8,611 m"),
        ("2[0]", "8,611 m"),
        ("2[1]", "gone"),
    ]
    assert second == {"round": 1, "source": "join({})", "outcomes": []}


PLAN = """```python
k2 = number("height in m", search("K2"))
zugspitze = number("height in m", search("Zugspitze"))
answer(f"K2 is {k2 - zugspitze:.0f} m higher.")
```"""


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    with ModelServer([PLAN, "K2 is 5,649 m higher."], first_token=0, rate=None) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        yield server


async def test_a_question_is_asked_and_judged(scripted: ModelServer) -> None:
    result = await ask(TALLER, Context(model="openai:scripted"))
    assert result["right"]
    assert result["honest"]
    assert result["invented"] == []
    assert result["error"] is None
    asked = [it for it in scripted.requests if it.path.endswith("/chat/completions")]
    assert result["calls"] == len(asked)
    assert result["output"] > 0
    assert result["plan"][0]["source"] == 'k2 = number("height in m", search("K2"))'
    assert [it["is"] for it in result["plan"][0]["outcomes"]][1:] == [8611]
    [line, *plan] = printed(result, plans=True)
    assert line.startswith("right  x1 ")
    assert plan[0].endswith('1: k2 = number("height in m", search("K2"))')
    [by_kind, of_all] = totals([result, result | {"right": False, "honest": False}])
    assert by_kind.startswith("difference: 1 of 2 right, 1 honest, 0 with something invented;")
    assert of_all.startswith("all: 1 of 2 right")


async def test_an_error_ends_the_question_and_not_the_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    result = await ask(TALLER, Context(model="nobody:nothing"))
    assert result["error"]
    assert (result["reply"], result["right"], result["honest"]) == ("", False, False)
    [line] = printed(result, plans=True)
    assert line.startswith("WRONG  x1 ")


async def test_a_set_is_written_one_line_a_question(
    scripted: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "results.jsonl"
    await main(
        ["--set", "free", "--ids", "f21", "--model", "openai:scripted", "--jsonl", str(file)]
    )
    [result] = map(json.loads, file.read_text("utf-8").splitlines())
    assert (result["id"], result["expected"], result["right"]) == ("f21", "not found", False)
    assert len(capsys.readouterr().out.splitlines()) == 3


async def test_a_split_that_a_set_does_not_have_is_an_error() -> None:
    with pytest.raises(SystemExit):
        await main(["--set", "free", "--split", "check"])
