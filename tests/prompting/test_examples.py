"""The worked programs that are sent to a planner."""

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from llm_compiler import build_graph
from llm_compiler.language.lowering.lowered import Refused
from llm_compiler.language.program import Program
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.prompting.examples import NEAREST, worked_programs
from llm_compiler.prompting.overrides import called_tools, question_and_program
from llm_compiler.prompts import examples
from llm_compiler.tools import SHIPPED
from llm_compiler.tools.search import LIBRARY
from tests.bench.questions import SETS, question_set
from tests.support.scripted import ScriptedModel

ALL = Toolbox.of(SHIPPED)
TEXTS = [text for *_, text in examples()]


@pytest.mark.parametrize("text", TEXTS)
def test_each_compiles_without_a_diagnostic_and_ends_in_its_own_words(text: str) -> None:
    _, program = question_and_program(text)
    reader = Program(ALL)
    tasks = [*reader.feed(f"```python\n{program}\n```"), *reader.close()]
    assert [task for task in tasks if isinstance(task, Refused)] == []
    assert reader.ended
    assert reader.answer.in_words


@pytest.mark.parametrize("text", TEXTS)
async def test_each_answers_without_a_joiner_from_what_its_tools_find(text: str) -> None:
    question, program = question_and_program(text)
    joiner = ScriptedModel("asked")
    graph = build_graph([search, number, read], planner=ScriptedModel(program), joiner=joiner)
    state = await graph.ainvoke({"messages": [("user", question)]})
    assert {outcome["status"] for outcome in state["outcomes"].values()} == {"ok"}
    assert joiner.prompts == []
    assert len(state["messages"][-1].text) > 10


def search(query: str) -> str:
    """Find."""
    return f"about {query}"


def number(what: str, text: str) -> int:
    """Read a number."""
    return len(what) * len(text)


def read(question: str, text: str) -> str:
    """Read a name."""
    return text.removeprefix("about ")


def test_they_are_turns_of_a_chat() -> None:
    turns = worked_programs(ALL, question="If the Po were 5% longer, which river is longest?")
    assert len(turns) == 2 * (len(worked_programs(ALL)) // 2 + NEAREST) <= 2 * 6
    assert {type(turn) for turn in turns[::2]} == {HumanMessage}
    assert {type(turn) for turn in turns[1::2]} == {AIMessage}
    assert all(turn.text.startswith("```python\n") for turn in turns[1::2])
    assert all(turn.text.endswith(")\n```") for turn in turns[1::2])


@pytest.mark.parametrize(
    ("question", "nearest"),
    [
        ("Which of Rome, Oslo and Bern has the fewest trams per inhabitant?", "per carriage"),
        ("If Oslo grew by 5% and Bern by 9%, which would be larger?", "be the longest?"),
        ("If Oslo grew by 5%, by how many people would it differ from Bern?", "would they differ?"),
        ("What is the average height of Oslo, Bern and Rome?", "on average?"),
        ("By what percentage is Rome larger than Oslo?", "By what percentage"),
        ("How old was the author of Dracula when she died?", "How old was"),
        ("How many trams do Oslo and Bern have together?", "together"),
        ("Which of these was founded first: Oslo or Bern?", "the eldest"),
        ("Of Rome, Oslo and Bern, what is the smallest gap in height?", "smallest difference"),
        (
            "If Oslo and Bern became one city, and Rome and Bonn, which would be larger?",
            "and Haiti",
        ),
        ("If Rome had 5% more trams, how many people would each tram have?", "for each of them"),
        ("By how much does the mean height of Oslo and Bern exceed that of Rome?", "exceed that"),
    ],
)
def test_the_nearest_is_the_last(question: str, nearest: str) -> None:
    *_, asked, _program = worked_programs(ALL, question=question)
    assert nearest in asked.text


def test_a_question_that_says_no_more_than_one_for_every_question_gets_no_others() -> None:
    plain = worked_programs(ALL, question="How much taller is Oslo than Bern?")
    assert plain == worked_programs(ALL)
    other = worked_programs(ALL, question="How many times as tall as Bern is Oslo?")
    assert len(other) > len(plain)


def test_a_question_in_another_language_gets_one_that_is_answered_in_one() -> None:
    for question, said in (("Wie hoch ist Bern?", "Genf"), ("¿Quién es más alto?", "nació")):
        assert said in worked_programs(ALL, question=question)[-1].text


def test_a_question_like_none_gets_those_for_every_question() -> None:
    assert worked_programs(ALL, question="Hello!") == worked_programs(ALL)


def test_only_those_are_sent_whose_tools_are_all_offered() -> None:
    fewer = worked_programs(ALL.offered(("search", "number"), ()))
    assert fewer
    assert len(fewer) < len(worked_programs(ALL))
    assert not any("read(" in turn.text for turn in fewer)
    assert all(
        not called_tools(question_and_program(text)[1]) for text in TEXTS
    ) or worked_programs(()) != worked_programs(ALL)


def test_added_ones_come_behind_the_shipped_ones() -> None:
    added = 'Question: What is your favourite colour?\nanswer("Blue.")'
    *shipped, question, program = worked_programs(ALL, (added,))
    assert shipped == worked_programs(ALL)
    assert question.text == "What is your favourite colour?"
    assert program.text == '```python\nanswer("Blue.")\n```'
    assert worked_programs(ALL, (added,), shipped=False) == [question, program]


def test_their_subjects_are_neither_in_the_library_nor_in_the_questions() -> None:
    asked = "\n".join(it["question"] for name in SETS for it in question_set(name))
    subjects = {name for text in TEXTS for name in _subjects(question_and_program(text)[1])}
    assert subjects
    files = {path.stem for path in LIBRARY.glob("*.md")}
    assert not {it.casefold().replace(" ", "-") for it in subjects} & files
    assert not [subject for subject in subjects if subject in asked]


def _subjects(program: str) -> set[str]:
    reader = Program(ALL)
    tasks = [*reader.feed(program), *reader.close()]
    queries = (
        task.args["query"]
        for task in tasks
        if not isinstance(task, Refused) and task.tool == "search"
    )
    return {query for query in queries if not query.startswith("$")}
