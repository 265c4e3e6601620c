"""`number`: the model chooses among the numbers in the text, and does not convert them."""

from typing import Any

import pytest
from langchain_core.tools import ToolException

from llm_compiler.tools.number import MAX_TEXT, number
from tests.tools.scripted_reader import ScriptedReader, with_resources

EVEREST = """mount-everest.md: Mount Everest
Mount Everest was first climbed by 2 people.

- Elevation: 8,848.86 m (29,031.7 ft, 2020)
- Base camp: 5,364 m
- Deaths: 340"""
SUMMIT = EVEREST.replace("Elevation", "Summit")
"""Where no label is of the kind that is asked for."""


async def read_number(
    what: str, text: Any, *replies: str | Exception, grammars: bool = True
) -> tuple[int | float, ScriptedReader]:
    reader = ScriptedReader(list(replies), grammars=grammars)
    value = await number.ainvoke({"what": what, "text": text}, with_resources(reader=reader))
    return value, reader


async def test_grammar_offers_just_the_numbers_of_the_unit_asked_for() -> None:
    value, reader = await read_number("height in metres", SUMMIT, "8,848.86 m")
    assert value == 8848.86
    assert reader.questions[0].grammar == 'root ::= "8,848.86 m" | "29,031.7 ft" | "5,364 m"'


async def test_prompt_holds_only_titles_and_lines_with_those_numbers() -> None:
    _, reader = await read_number("height in metres", SUMMIT, "8,848.86 m")
    shown = reader.questions[0].user
    mark = shown.partition("<")[2].partition(">")[0]
    assert shown == (
        f"Text: <{mark}>\n"
        "mount-everest.md: Mount Everest\n"
        "- Summit: 8,848.86 m (29,031.7 ft, 2020)\n"
        "- Base camp: 5,364 m\n"
        f"</{mark}>\n"
        "Asked: height in metres"
    )


async def test_chosen_number_is_converted_to_the_unit_asked_for() -> None:
    value, _ = await read_number("height in m", SUMMIT, "29,031.7 ft")
    assert value == pytest.approx(8848.86216)


async def test_without_grammars_the_reply_is_the_number_of_a_choice() -> None:
    value, reader = await read_number("height in m", SUMMIT, "3", grammars=False)
    assert value == 5364
    assert reader.questions[0].grammar is None
    assert reader.questions[0].user.endswith(
        "Choices:\n1. 8,848.86 m\n2. 29,031.7 ft\n3. 5,364 m\n"
        "Reply with the number of the choice alone."
    )


@pytest.mark.parametrize("reply", ["8848", "0", "4", "", "the first", "1 or 2", "²"])
async def test_reply_that_is_no_choice_is_refused(reply: str) -> None:
    with pytest.raises(ToolException, match="none of the 3 numbers"):
        await read_number("height in m", SUMMIT, reply, grammars=False)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("**2**", 29031.7),
        ("2.", 29031.7),
        ("2. 29,031.7 ft", 29031.7),
        ("2) 29031.7 ft", 29031.7),
        ("Choice 2", 29031.7),
        ("2: the height in feet", 29031.7),
        ("`29,031.7 ft`", 29031.7),
        ("5364 m", 5364 / 0.3048),
        ("Answer: 2", 29031.7),
        ("The answer: **2**", 29031.7),
        ("#2", 29031.7),
        ("\\boxed{2}", 29031.7),
        ("It is 5364 m high.", 5364 / 0.3048),
        ("The height is **5,364 m**.", 5364 / 0.3048),
    ],
)
async def test_place_with_words_around_and_the_text_of_a_choice_count(
    reply: str, value: float
) -> None:
    read, _ = await read_number("height in feet", SUMMIT, reply, grammars=False)
    assert read == pytest.approx(value)


@pytest.mark.parametrize(
    "reply",
    [
        *("2. 5,364 m", "2 m", "2 or 3", "2,5", "2.5 m", "about 2 m", "Answer: 2 m"),
        *("It is 5,364 m, not 2.", "It is 15,364 m.", "It is 5,364.5 m.", "It is 5,364."),
    ],
)
async def test_reply_that_says_two_things_is_refused(reply: str) -> None:
    with pytest.raises(ToolException, match="none of the 3 numbers"):
        await read_number("height in m", SUMMIT, reply, grammars=False)


async def test_figure_of_a_choice_is_not_taken_for_a_place() -> None:
    text = "Pool: 9 m, 3 m, 2 m deep"
    assert (await read_number("length in m", text, "3 m", grammars=False))[0] == 3


async def test_model_may_say_that_no_choice_is_it() -> None:
    with pytest.raises(ToolException, match="not in the text: 'height in m'"):
        await read_number("height in m", SUMMIT, "Not in the text.", grammars=False)


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("elevation of K2 in m", EVEREST),
        ("population of Austria", "japan.md: Japan\nIn Asia.\n- Population: 124 million"),
        ("population of Austria", "Japan has 124 million people."),
        ("population of Canada", "bear.md: Polar bear\nIt is in Canada.\n- Population: 26,000"),
        ("Canada's population", "bear.md: Polar bear\nIt is in Canada.\n- Population: 26,000"),
        ("height of Everest in m", "k2.md: K2\nAfter Mount Everest the highest.\n- Height: 8611 m"),
        ("depth in m", EVEREST),
        ("birth year", "eiffel.md: Gustave Eiffel\nAn engineer.\n- Died: 1923"),
    ],
)
async def test_text_about_something_else_does_not_tell(what: str, text: str) -> None:
    with pytest.raises(ToolException, match="not in the text"):
        await read_number(what, text)


@pytest.mark.parametrize(
    ("what", "text", "value"),
    [
        (
            "height of Chomolungma in m",
            "e.md: Everest\nEverest, called Chomolungma.\nHeight: 5 m",
            5,
        ),
        ("Höhe des Mount Everest in m", "e.md: Mount Everest\nHeight: 5 m", 5),
        ("height of Kilimandscharo in m", "k.md: Kilimanjaro\nHeight: 5 m", 5),
        ("population of Canada", {"code": "CA", "population": 38}, 38),
        ("population of Canada", "Population: 38", 38),
        (
            "birth year of the founder of Microsoft",
            "g.md: Gates\nHe founded Microsoft.\nBorn: 1955",
            1955,
        ),
        (
            "height of Mount Fuji in m",
            "a.md: Alps\nHeight: 4 m\n\nf.md: Mount Fuji\nHeight: 5 m",
            5,
        ),
        ("population of Austria", "p.md: Populations\n- Austria: 9\n- Japan: 124", 9),
    ],
)
async def test_number_of_what_is_named_is_read(what: str, text: Any, value: float) -> None:
    read, reader = await read_number(what, text)
    assert (read, reader.questions) == (value, [])


async def test_server_that_ignores_the_grammar_cannot_invent_a_number() -> None:
    with pytest.raises(ToolException, match="none of the 3 numbers"):
        await read_number("height in m", SUMMIT, "8,849 m")


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("elevation in m", 8848.86),
        ("elevation of Mount Everest in km", 8.84886),
        ("height in m", 8848.86),
        ("the total number of deaths", 340),
        ("height in 2020 in m", 8848.86),
        ("the base camp in feet", 5364 / 0.3048),
    ],
)
async def test_number_behind_the_label_that_is_named_is_not_asked_for(
    what: str, value: float
) -> None:
    read, reader = await read_number(what, EVEREST)
    assert read == pytest.approx(value)
    assert reader.questions == []


@pytest.mark.parametrize("what", ["elevation of the base camp in m", "its top elevation in m"])
async def test_label_that_says_less_than_is_asked_for_decides_nothing(what: str) -> None:
    value, reader = await read_number(what, EVEREST, "5,364 m")
    assert (value, len(reader.questions)) == (5364, 1)


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("mass in kg", 115),
        ("weight of an adult male in kg", 115),
        ("egg mass in kg", 1.4),
        ("number of residents", 9_000),
    ],
)
async def test_label_may_say_more_in_brackets_and_in_another_word(what: str, value: float) -> None:
    text = """bird.md: Bird
- Mass (typical adult male): 115 kg
- Egg mass: 1.4 kg
- Population: 9,000
- Feathers: 800"""
    read, reader = await read_number(what, text)
    assert (read, reader.questions) == (value, [])


@pytest.mark.parametrize("what", ["share price in euros", "height in m", "pages per euro in km"])
async def test_number_without_a_unit_under_another_label_is_not_it(what: str) -> None:
    text = "a.md: Shop\n- Revenue: 5 million dollars\n- Employees: 125,665\n- Founded: 1975"
    with pytest.raises(ToolException, match=r"no number for .* told: Revenue, Employees, Founded"):
        await read_number(what, text)


async def test_error_says_what_the_text_tells_instead() -> None:
    text = "a.md: Shop\n- Revenue: 5 million euros\n- Founded: 1975"
    with pytest.raises(ToolException, match="here is told: Revenue, Founded"):
        await read_number("profit in million euros", text)


async def test_label_under_two_titles_decides_only_if_one_is_named() -> None:
    both = f"{EVEREST}\n\nk2.md: K2\n- Elevation: 8,611 m"
    value, reader = await read_number("elevation of K2 in m", both)
    assert (value, reader.questions) == (8611, [])
    value, reader = await read_number("elevation in m", both, "8,611 m")
    assert (value, len(reader.questions)) == (8611, 1)


async def test_only_number_is_not_asked_for() -> None:
    value, reader = await read_number("deaths", "Deaths: 1,340")
    assert (value, reader.questions) == (1340, [])


async def test_only_number_of_the_dimension_is_not_asked_for() -> None:
    value, reader = await read_number("mass in kg", "Mass: 10,100 tonnes; height 330 m; 1889")
    assert (value, reader.questions) == (10_100_000, [])


async def test_same_number_written_twice_is_not_asked_for() -> None:
    value, reader = await read_number("height in m", "8,611 m, that is 8611 m")
    assert (value, reader.questions) == (8611, [])


@pytest.mark.parametrize("text", [5, 2.5, "5", "2.5"])
async def test_bare_number_is_returned(text: float | str) -> None:
    value, reader = await read_number("anything in km", text)
    assert (value, reader.questions) == (float(text), [])


async def test_result_of_pick_can_be_read() -> None:
    result = {"name": "K2", "value": 8611, "values": {"K2": 8611, "Everest": 8849}}
    value, reader = await read_number("value of Everest", result, "8849")
    assert value == 8849
    assert reader.questions[0].grammar == 'root ::= "8611" | "8849"'


async def test_list_can_be_read() -> None:
    value, _ = await read_number("height in m", ["8,611 m", {"b": "8,849 m"}], "8,849 m")
    assert value == 8849


@pytest.mark.parametrize(
    ("what", "text", "value"),
    [
        ("population in millions", "Population: 8,336,817 (2020)", 8.336817),
        ("population in millions", "8.3 million people", 8.3),
        ("population", "8.3 million people", 8_300_000),
        ("population in millions", "Population (millions): 8.3", 8.3),
        ("market value in billions of dollars", "3.1 trillion US dollars", 3100),
        ("market value in US dollars", "$3.09 trillion", 3_090_000_000_000),
        ("revenue in million euros", "€5bn", 5000),
        ("area in km2", "100 sq mi", 258.9988110336),
        ("area in square kilometres", "5 km²", 5),
        ("volume in cubic metres", "5 km³", 5_000_000_000),
        ("volume in litres", "2 m³", 2000),
        ("mass in kg", "5.972 × 10^24 kg", 5.972e24),
        ("mass in kg", "5.972×10²⁴ kg", 5.972e24),
        ("mass in tonnes", "5e3 kg", 5),
        ("time in days", "2 weeks", 14),
        ("age in years", "4.54 billion years", 4_540_000_000),
        ("speed in km/h", "100 mph", 160.9344),
        ("speed in m/s", "36 kilometres per hour", 10),
        ("temperature in °C", "-40 °F", -40),
        ("temperature in kelvin", "0 °C", 273.15),
        ("share in percent", "23.5 %", 23.5),
        ("percentage of water", "71 percent", 71),
        ("length in km", "8 848 m", 8.848),
        ("length in m", "3,5 km", 3500),
        ("height in m", "Height (ft): 29032", 8848.9536),
        ("height in m", "Height: 8848", 8848),
        ("people per km²", "15.7 people per km²", 15.7),
        ("count", "10^24", 1e24),
        ("balance", "it is −5.5", -5.5),
        ("year of founding", "Founded: 4 April 1975", 1975),
        ("floors", "with 66 floors", 66),
    ],
)
async def test_number_is_read_in_the_unit_asked_for(what: str, text: str, value: float) -> None:
    read, reader = await read_number(what, text)
    assert read == pytest.approx(value, rel=1e-12)
    assert isinstance(read, int) == isinstance(value, int)
    assert not reader.questions


DATED = """denali.md: Denali
- Height: 6,190 m (20,310 ft, 2015)
- Visitors: 600 thousand people (end of 2023)
- First ascent: 1913
- Park: founded 1917"""


@pytest.mark.parametrize(
    ("what", "offered"),
    [
        ("year Denali was climbed", "1913 1917"),
        ("year the height was measured", "2015 1913 1917"),
        ("year the visitors were counted", "2023 1913 1917"),
    ],
)
async def test_year_behind_a_figure_is_offered_only_where_that_figure_is_asked_for(
    what: str, offered: str
) -> None:
    _, reader = await read_number(what, DATED, "1913")
    grammar = " | ".join(f'"{year}"' for year in offered.split())
    assert reader.questions[0].grammar == f"root ::= {grammar}"


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("Moby-Dick (1851) has 135 chapters", 1851),
        ("In 1820 Melville (1819) had not been born long", 1819),
        ("3 books: Omoo (1847)", 1847),
        ("The Boeing 747 (1969)", 1969),
        ("Fahrenheit 451 (1953)", 1953),
        ("born on 1 March (1810)", 1810),
    ],
)
async def test_year_in_brackets_behind_a_name_is_offered(text: str, year: int) -> None:
    value, _ = await read_number("year", text, str(year))
    assert value == year


@pytest.mark.parametrize(
    "text",
    [
        "- Population: 5.6 million (2024)",
        "- Moons: 97 (2024)",
        "It was measured at 6,190 m (2015)",
        "8,849 m (29,032 ft) (2020)",
        "330 floors (2010)",
    ],
)
async def test_year_that_only_dates_another_figure_is_an_error(text: str) -> None:
    with pytest.raises(ToolException, match="no number for 'year it was first climbed' among the"):
        await read_number("year it was first climbed", text)


@pytest.mark.parametrize(
    "text",
    ["COVID-19", "K2 and F-150", "at 10:30 on 2020-05-01", "the 4th", "1990s", "v1.2.3", "words"],
)
async def test_what_looks_like_a_number_and_is_none_is_not_offered(text: str) -> None:
    with pytest.raises(ToolException, match="no number for 'count' among the 0"):
        await read_number("count", text)


async def test_no_number_in_the_unit_is_an_error_that_counts_the_numbers() -> None:
    with pytest.raises(ToolException, match="'height in metres' among the 2 in the text"):
        await read_number("height in metres", "It weighs 5 kg and cost $7.")


async def test_numbers_of_titles_and_addresses_are_not_offered() -> None:
    text = "747.md: Boeing 747\nhttps://example.org/2020/5\nLength: 76 m"
    value, reader = await read_number("length", text)
    assert (value, reader.questions) == (76, [])


async def test_long_text_is_cut_to_the_lines_that_are_most_like_the_question() -> None:
    noise = [f"- Measure {place}: {place} m" for place in range(1, 2000)]
    noise.insert(1000, "- Tallness of the tower: 330 m")
    value, reader = await read_number("height of the tower in m", "\n".join(noise), "330 m")
    assert value == 330
    assert len(reader.questions[0].user) < MAX_TEXT + 100


async def test_choices_are_escaped_for_the_grammar() -> None:
    _, reader = await read_number("height", 'it is 5 m or 5″ or 7 m\\"', "5 m")
    assert reader.questions[0].grammar == 'root ::= "5 m" | "5″" | "7 m"'


async def test_text_of_digits_alone_is_no_burden() -> None:
    with pytest.raises(ToolException, match="among the 0"):
        await read_number("count", "9" * 100_000)


async def test_without_a_reader_the_choice_fails_with_the_remedy() -> None:
    with pytest.raises(ToolException, match="number needs a model"):
        await number.ainvoke({"what": "height in m", "text": SUMMIT}, {})


async def test_network_error_of_the_reader_keeps_its_type() -> None:
    with pytest.raises(ConnectionError):
        await read_number("height in m", SUMMIT, ConnectionError("gone"))


async def test_a_year_that_is_labelled_as_something_else_counts_nothing() -> None:
    born = "albert-einstein.md: Albert Einstein\n\n- Born: 1879\n- Died: 1955"
    with pytest.raises(ToolException, match="here is told: Born, Died"):
        await read_number("number of children", born)
    value, _ = await read_number("number of pages", f"{born}\n- Pages: 1905")
    assert value == 1905
    value, _ = await read_number("number of children", f"{born}\nHe had 3 children.", "3")
    assert value == 3
