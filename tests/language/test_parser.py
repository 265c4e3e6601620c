"""The plan parser: which calls are found, in any chunking, in linear time."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langchain_core.tools import tool

from llm_compiler.language.compiler import Compiler
from llm_compiler.language.parser import Call, PlanParser
from tests.support.cost import grows_linearly
from tests.support.functions import toolbox
from tests.support.strategies import FEW, MANY, PLAN_TEXTS, cut


def parse(*pieces: str) -> list[Call]:
    parser = PlanParser()
    calls = [call for piece in pieces for call in parser.feed(piece)]
    return calls + parser.close()


def heads(text: str) -> list[tuple[int, str, str]]:
    return [(call.id, call.tool, call.arguments) for call in parse(text)]


PLAN = """Thought: I need both heights first.
1. search("height of Mount Everest")
2. search("height of K2")
3. number("height in metres", $1)
4. number("height in metres", text=$2)
5. math("$3 - $4")
6. after 5: save_note(text="Everest is $5 m taller")
7. join()
8. search("not read")
"""


def test_plan_of_the_design() -> None:
    assert parse(PLAN) == [
        Call(1, "search", '"height of Mount Everest"', (), "I need both heights first."),
        Call(2, "search", '"height of K2"'),
        Call(3, "number", '"height in metres", $1'),
        Call(4, "number", '"height in metres", text=$2'),
        Call(5, "math", '"$3 - $4"'),
        Call(6, "save_note", 'text="Everest is $5 m taller"', (5,)),
    ]


# ── when a call is emitted ────────────────────────────────────────────────────────────────────


def test_call_is_emitted_when_its_bracket_arrives_not_at_the_end_of_its_line() -> None:
    parser = PlanParser()
    assert parser.feed('1. search("K2"') == []
    assert parser.feed(")") == [Call(1, "search", '"K2"')]


def test_several_calls_in_one_chunk_all_come_at_once() -> None:
    assert [call.id for call in PlanParser().feed("1. a()\n  2. b()\n\n3. c()")] == [1, 2, 3]


@pytest.mark.parametrize("end", ["join()", "9. join()", "<END_OF_PLAN>", "9. join ()", "9) join("])
def test_what_follows_the_end_is_not_read(end: str) -> None:
    parser = PlanParser()
    assert [call.id for call in parser.feed(f"1. a()\n{end}\n2. b()")] == [1]
    assert parser.ended
    assert parser.feed("3. c()") == parser.close() == []


def test_join_without_brackets_at_the_end_is_an_end() -> None:
    assert parse("1. a()\n2. join") == [Call(1, "a")]


def test_join_is_found_behind_a_number_that_began_no_task() -> None:
    assert heads("There are 10\njoin()\n1. a()") == []


def test_join_in_prose_is_prose() -> None:
    assert heads("I will join() at the end.\n1. a()") == [(1, "a", "")]


# ── answers ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ['1. answer("Hello (you)!\n")', 'answer("Hello (you)!\n")'])
def test_direct_answer_ends_the_plan_whole(text: str) -> None:
    parser = PlanParser()
    [call] = parser.feed(text)
    assert (call.tool, call.arguments, parser.ended) == ("answer", '"Hello (you)!\n"', True)


def test_answer_behind_other_tasks_means_join() -> None:
    assert heads('1. a()\n2. answer("$1")\n3. b()') == [(1, "a", "")]


# ── calls that are cut off ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "cut_off"),
    [
        ('1. search("K2', Call(1, "search", '"K2', whole=False)),
        ('1. search("K2"', Call(1, "search", '"K2"', whole=False)),
        ("1. sea", Call(1, "sea", whole=False)),
        ("1. after 3, 4: sea", Call(1, "sea", after=(3, 4), whole=False)),
        ("1. after 3:", Call(1, "after", after=(3,), whole=False)),
        ("1. after 3", Call(1, "after", after=(3,), whole=False)),
        ('1. search("""K2"', Call(1, "search", '"""K2"', whole=False)),
        ('answer("Hel', Call(0, "answer", '"Hel', whole=False)),
    ],
)
def test_cut_off_call_is_reported_as_not_whole(text: str, cut_off: Call) -> None:
    assert parse(text) == [cut_off]


def test_prose_at_the_end_is_no_cut_off_call() -> None:
    assert parse("1. a()\nIt was written in 1953. By") == [Call(1, "a")]
    assert parse("In 1953") == parse("In 1953. He (") == []


# ── where calls stand ─────────────────────────────────────────────────────────────────────────


def test_several_tasks_may_share_a_line() -> None:
    assert heads("1. a() 2. b(1)3. c()") == [(1, "a", ""), (2, "b", "1"), (3, "c", "")]


@pytest.mark.parametrize(
    "text",
    [
        "```python\n1. a(5)\n```",
        "   1.   a(5)",
        "1) a(5)",
        "- 1. a(5)",
        "**1.** prose\n1. a(5)",
        "Here is the plan: 1. a(5)",
        "# 2. b()\n1. a(5) # 3. c()",
        "## Plan\n1. a(5)",
        "1.\na\n(5)",
        "1. a (5)",
        "The year was 1953. He (John) left.\n1. a(5)",
        "$2. b()\n1. a(5)",
        "v3.2. b()\n1. a(5)",
        "１. b()\n1. a(5)",
        "1. after 2\n1. a(5)",
        "2. after 1 and more\n1. a(5)",
        "2. after 1 android said so\n1. a(5)",
    ],
)
def test_what_stands_around_a_task_is_tolerated(text: str) -> None:
    assert heads(text) == [(1, "a", "5")]


def test_task_may_span_lines_and_hold_comments() -> None:
    assert heads("1. a(\n  'x',  # the first )\n  2\n)") == [(1, "a", "\n  'x',  \n  2\n")]


@pytest.mark.parametrize(
    "arguments",
    [
        r'"a quote \" and )"',
        r"'it\'s (here'",
        '"""three "quotes" and )"""',
        "'''it's'''",
        '"a newline\nin it"',
        '"2. b()"',
        '"# no comment"',
        "[1, (2), {'a': ')'}]",
        'text="key=value"',
        '"", \'\', """"""',
        "['a list as the only argument']",
        r'"ends in a backslash \\"',
    ],
)
def test_strings_and_brackets_may_hold_anything(arguments: str) -> None:
    assert heads(f"1. a({arguments})\n2. b()") == [(1, "a", arguments), (2, "b", "")]


def test_inner_bracket_left_open_does_not_swallow_the_plan() -> None:
    assert heads("1. a([1, 2)\n2. b()") == [(1, "a", "[1, 2"), (2, "b", "")]


def test_stray_closing_brackets_are_left_to_the_compiler() -> None:
    assert heads("1. a(x]})\n2. b()") == [(1, "a", "x]}"), (2, "b", "")]


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("4. after 3: a()", (3,)),
        ("4. after 1, 2,3: a()", (1, 2, 3)),
        ("4. after 1 and 2: a()", (1, 2)),
        ("4. after $1, $2: a()", (1, 2)),
        ("4. after 3 a()", (3,)),
        ("4. after(3)", ()),
    ],
)
def test_order_without_data(text: str, after: tuple[int, ...]) -> None:
    [call] = parse(text)
    assert (call.id, call.after) == (4, after)


def test_line_that_only_begins_like_an_order_loses_nothing() -> None:
    assert heads("3. after 2\n4. b()") == [(4, "b", "")]


@pytest.mark.parametrize("quote", ['"', "'", "`"])
def test_quoted_name_is_a_name(quote: str) -> None:
    text = f"1. {quote}search{quote}(3)\n2. after 1: {quote}a.b-c{quote}() 3. d()\n4. join()"
    assert heads(text) == [(1, "search", "3"), (2, "a.b-c", ""), (3, "d", "")]


@pytest.mark.parametrize(
    "line", ['1. "search" (3)', '1. "K2" is high', '1. "search', '1. ""(3)', "1. \"a'(3)"]
)
def test_other_quoted_words_are_prose(line: str) -> None:
    assert heads(f"{line}\n2. b()") == [(2, "b", "")]


def test_thought_goes_with_the_next_task() -> None:
    calls = parse("Thought: first this.\n1. a()\nprose\nThought: then that.\n2. b()\n3. c()")
    assert [call.thought for call in calls] == ["first this.", "then that.", ""]


def test_long_thought_keeps_its_end() -> None:
    [call] = parse("Thought: " + "x" * 10_000 + " the end\n1. a()")
    assert call.thought == ""
    [call] = parse("Thought: " + "x" * 1900 + "\n1. a()")
    assert call.thought == "x" * 1900


@pytest.mark.parametrize("id", ["1234567890", "9" * 200])
def test_huge_id_is_none(id: str) -> None:
    assert all(call.id == 0 for call in parse(f"{id}. a()"))


def test_call_can_be_written_again() -> None:
    texts = ['4. after 3, 5: a("x", [1])', "1. a()", '2. a("x']
    assert [parse(text)[0].text for text in texts] == texts


# ── any chunking ──────────────────────────────────────────────────────────────────────────────


@MANY
@given(PLAN_TEXTS, st.lists(st.integers(0), max_size=6))
@example("1" * 140 + ". a()", [130])
@example("1. " + "a" * 140 + "()", [131])
@example("1. after 2 and3: a()", [15])
@example('1. "search"(3)', [4, 10])
@example('1. "' + "a" * 128 + '"() 2. "' + "a" * 129 + '"()', [131, 132, 133])
@example("1. after 2 android(1)\n2. b()", [14])
def test_calls_are_the_same_for_every_chunking(text: str, places: list[int]) -> None:
    whole = parse(text)
    assert parse(*cut(text, places)) == whole
    assert parse(*text) == whole


@FEW
@given(PLAN_TEXTS)
def test_every_prefix_gives_the_first_of_the_calls(text: str) -> None:
    calls = [call for call in parse(text) if call.whole]
    for end in range(len(text)):
        prefix = [call for call in parse(text[:end]) if call.whole]
        assert prefix == calls[: len(prefix)]


@FEW
@given(st.text(), st.lists(st.integers(0), max_size=4))
def test_any_text_is_taken_without_a_crash(text: str, places: list[int]) -> None:
    assert parse(*cut(text, places)) == parse(text)


# ── linear time ───────────────────────────────────────────────────────────────────────────────


@tool
def search(query: str, most: int = 5) -> str:
    """Search."""
    return query


TOOLS = toolbox(search)


def compile_plan(text: str, size: int) -> object:
    parser, compiler = PlanParser(), Compiler(TOOLS, taken=(), max_tasks=100_000)
    calls = []
    for start in range(0, len(text), size):
        calls += parser.feed(text[start : start + size])
    tasks = [task for call in calls for task in compiler.compile(call)]
    assert len(tasks) == text.count("\n")
    return tasks


@pytest.mark.parametrize("size", [4, 1_000_000])
@pytest.mark.alone
@pytest.mark.slow
def test_parsing_and_compiling_is_linear(size: int) -> None:
    texts = {
        n: "".join(f'{i}. search("height of {i}, $ {i}", most={i})\n' for i in range(1, n + 1))
        for n in (1000, 10_000)
    }
    assert grows_linearly(lambda n: compile_plan(texts[n], size))


@pytest.mark.alone
@pytest.mark.parametrize(
    "line", ["prose, and 1. more\n", '"""', "1. after 2 andy\n", "((((", "12", '1. "a']
)
def test_text_without_calls_is_linear_too(line: str) -> None:
    def feed(n: int) -> None:
        parser = PlanParser()
        for _ in range(n):
            parser.feed(line)
        parser.close()

    assert grows_linearly(feed)
