"""`read`: a few words from a text."""

import pytest
from langchain_core.tools import ToolException

from llm_compiler.tools.read import MAX_TEXT, read
from tests.tools.scripted_reader import ScriptedReader, with_resources

TEXT = "microsoft.md: Microsoft\nBill Gates and Paul Allen founded it."


async def test_answer_is_the_first_line_of_the_reply() -> None:
    reader = ScriptedReader([" Bill Gates and Paul Allen \nIn 1975."], grammars=False)
    config = with_resources(reader=reader)
    said = await read.ainvoke({"question": "Who founded it?", "text": TEXT}, config)
    assert said == "Bill Gates and Paul Allen"


async def test_question_stands_after_the_text_and_few_tokens_are_asked_for() -> None:
    reader = ScriptedReader(["Bill Gates"])
    config = with_resources(reader=reader)
    await read.ainvoke({"question": "Who founded it?", "text": TEXT}, config)
    shown = reader.questions[0].user
    mark = shown.partition("<")[2].partition(">")[0]
    assert shown == f"Text: <{mark}>\n{TEXT}\n</{mark}>\nQuestion: Who founded it?"
    assert reader.questions[0].max_tokens == 32


@pytest.mark.parametrize("grammars", [True, False])
async def test_grammar_is_sent_only_where_the_server_takes_one(grammars: bool) -> None:
    reader = ScriptedReader(["Bill Gates"], grammars=grammars)
    config = with_resources(reader=reader)
    await read.ainvoke({"question": "Who founded it?", "text": TEXT}, config)
    assert (reader.questions[0].grammar is not None) is grammars


@pytest.mark.parametrize("reply", ["not in the text", "Not in the text.", "", " \n "])
async def test_no_answer_is_an_error(reply: str) -> None:
    reader = ScriptedReader([reply])
    with pytest.raises(ToolException, match="the text does not answer 'Who founded it\\?'"):
        await read.ainvoke(
            {"question": "Who founded it?", "text": TEXT}, with_resources(reader=reader)
        )


@pytest.mark.parametrize("reply", ["Steve Jobs", "Bill Jobs", "in 1975", "Microsoft of Redmond"])
async def test_answer_that_does_not_stand_in_the_text_is_an_error(reply: str) -> None:
    with pytest.raises(ToolException, match="not in the text"):
        await read.ainvoke(
            {"question": "Who founded it?", "text": TEXT},
            with_resources(reader=ScriptedReader([reply])),
        )


@pytest.mark.parametrize("reply", ["Yes", "The founder is Bill Gates.", "two people"])
async def test_words_around_a_name_need_not_stand_in_the_text(reply: str) -> None:
    config = with_resources(reader=ScriptedReader([reply]))
    assert await read.ainvoke({"question": "Who founded it?", "text": TEXT}, config) == reply


@pytest.mark.parametrize("question", ["Who founded Apple?", "Who is the president of France?"])
async def test_text_about_something_else_is_not_shown_to_a_model(question: str) -> None:
    with pytest.raises(ToolException, match="not in the text"):
        await read.ainvoke(
            {"question": question, "text": TEXT}, with_resources(reader=ScriptedReader([]))
        )


async def test_object_is_read_as_json() -> None:
    reader = ScriptedReader(["K2"])
    config = with_resources(reader=reader)
    await read.ainvoke({"question": "Which?", "text": {"name": "K2"}}, config)
    assert '"name": "K2"' in reader.questions[0].user


async def test_long_text_is_cut_to_what_is_most_like_the_question() -> None:
    text = "\n".join([f"Line {place} of nothing." for place in range(2000)] + ["Gates founded it."])
    reader = ScriptedReader(["Gates"])
    config = with_resources(reader=reader)
    await read.ainvoke({"question": "Who founded it?", "text": text}, config)
    assert "Gates founded it." in reader.questions[0].user
    assert len(reader.questions[0].user) < MAX_TEXT + 100


async def test_empty_text_is_an_error() -> None:
    with pytest.raises(ToolException, match="empty"):
        await read.ainvoke(
            {"question": "Who?", "text": " "}, with_resources(reader=ScriptedReader([]))
        )


async def test_without_a_reader_it_fails_with_the_remedy() -> None:
    with pytest.raises(ToolException, match="read needs a model"):
        await read.ainvoke({"question": "Who?", "text": TEXT}, {})


async def test_network_error_of_the_reader_keeps_its_type() -> None:
    reader = ScriptedReader([TimeoutError("slow")])
    with pytest.raises(TimeoutError):
        await read.ainvoke({"question": "Who?", "text": TEXT}, with_resources(reader=reader))
