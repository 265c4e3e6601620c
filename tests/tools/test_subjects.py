"""A page is found for what it is about, and not for what it mentions."""

from pathlib import Path

import pytest

from llm_compiler.tools.documents import Folder
from llm_compiler.tools.search import LIBRARY, search
from llm_compiler.tools.words import mended, stem
from tests.tools.scripted_reader import with_resources

PRESENT = [
    ("population of Austria", "austria"),
    ("How tall is the Burj Khalifa?", "burj-khalifa"),
    ("Sagarmatha elevation", "mount-everest"),
    ("Facebook revenue", "meta-platforms"),
    ("Mount McKinley", "denali"),
    ("Monte Cervino first ascent", "matterhorn"),
    ("Nineteen Eighty-Four", "1984"),
    ("blue whales", "blue-whale"),
    ("Planet Mars radius", "mars"),
    ("Apple Inc. market value", "apple"),
    ("length of the Danube River in km", "danube"),
    ("GDP Germany 2024", "germany"),
    ("fastest land animal top speed", "cheetah"),
    ("tallest building in the world", "burj-khalifa"),
    ("company founded by Mark Zuckerberg", "meta-platforms"),
    ("When was the telephone patented?", "telephone"),
    ("Mount Everest base camp altitude", "mount-everest"),
    ("how many people live in London?", "london"),
    ("mass of an elephant", "african-elephant"),
    ("Einstein", "albert-einstein"),
    ("Montblanc", "mont-blanc"),
    ("Meta revenue", "meta-platforms"),
    ("population of the USA", "united-states"),
    ("Wien", "vienna"),
    ("Akashi Kaikyo length", "akashi-kaikyo-bridge"),
    ("the Golden Gate", "golden-gate-bridge"),
    ("Österreich population", "austria"),
    ("Maria Skłodowska-Curie", "marie-curie"),
]
MISSPELT = [
    ("Mont Everest", "mount-everest"),
    ("Everst height", "mount-everest"),
    ("Kilimandscharo", "kilimanjaro"),
    ("Kanchenjunga", "kangchenjunga"),
    ("Tokio", "tokyo"),
    ("Wolga", "volga"),
    ("Neptun", "neptune"),
    ("Mikrosoft employees", "microsoft"),
    ("Grossglockner", "grossglockner"),
]
MENTIONED = [
    "Canada",
    "population of Canada",
    "area of Canada in km2",
    "capital of Canada",
    "GDP of Russia",
    "Peru population",
    "Kenya",
    "Australia population",
    "Pakistan GDP",
    "Edmund Hillary",
    "Tenzing Norgay birth year",
    "Jeff Bezos net worth",
    "Missouri River length",
    "Ganymede diameter",
    "Lord Byron",
    "Black Forest area",
    "Seine length",
    "Antarctica area",
    "Lake Geneva depth",
    "Puerto Rico population",
    "Olympus Mons height",
    "seal mass",
    "Iceland population",
    "Jordan",
]
ABSENT = [
    "gorilla mass",
    "Titanic length",
    "Mount Kenya elevation",
    "Mauna Loa height",
    "Lake Victoria area",
    "Lake Volta area",
    "K3 height",
    "Indiana population",
    "Sherlock Holmes",
]
LONGER = [
    "Tokyo Tower height",
    "Great Wall of China",
    "London Bridge length",
    "Lake Zurich depth",
    "Apple Records founded",
]

library = pytest.mark.skipif(not LIBRARY.is_dir(), reason="the library is not here")


def found(query: str) -> list[str]:
    return [Path(passage.file).stem for passage in Folder(LIBRARY).search(query)]


@library
@pytest.mark.parametrize(("query", "page"), PRESENT + MISSPELT)
def test_subject_of_a_page_is_found(query: str, page: str) -> None:
    assert page in found(query)
    assert page in found(query.lower())


@library
@pytest.mark.parametrize("query", MENTIONED + ABSENT)
def test_what_is_only_mentioned_is_not_found(query: str) -> None:
    assert found(query) == []
    assert found(query.lower()) == []


@library
@pytest.mark.parametrize(
    ("query", "pages"),
    [
        ("largest moon of Venus", ["venus"]),
        ("Neptune moons", ["neptune"]),
        ("moon", ["moon"]),
        ("distance of the Moon from the Earth", ["earth", "moon"]),
    ],
)
def test_common_noun_beside_a_name_names_no_page(query: str, pages: list[str]) -> None:
    assert sorted({*found(query)}) == pages


@library
@pytest.mark.parametrize("query", LONGER)
def test_longer_name_is_another_subject(query: str) -> None:
    assert found(query) == []


@library
async def test_search_says_that_nothing_is_found() -> None:
    with pytest.raises(Exception, match='nothing found on "Canada": the shipped library'):
        await search.ainvoke({"query": "Canada"}, with_resources(documents=LIBRARY))


@pytest.fixture
def notes(tmp_path: Path) -> Folder:
    (tmp_path / "march.md").write_text(
        "# Notes of March\n\nWe met on Monday. Alice and Bob discussed the budget for "
        "the new roof.\n\n"
        "## Vacation\n\nAsk two weeks ahead.\n\n- Parking: 20 euros\n"
    )
    return Folder(tmp_path)


@pytest.mark.parametrize(
    "query", ["new roof", "budget of the roof", "vacation", "parking", "what did Alice discuss"]
)
def test_passage_that_has_the_words_together_is_found(notes: Folder, query: str) -> None:
    assert [passage.file for passage in notes.search(query)] == ["march.md"]


@pytest.mark.parametrize("query", ["Alice", "Alice salary", "Carol", "roof color in Paris"])
def test_name_alone_finds_nothing(notes: Folder, query: str) -> None:
    assert notes.search(query) == []


@pytest.mark.parametrize("word", ["australia", "volta", "titanic", "indiana", "merlin", "ni"])
def test_other_word_is_not_taken_for_a_misspelling(word: str) -> None:
    names = {stem(name) for name in ("austria", "volga", "titan", "india", "berlin", "nile")}
    assert mended(word, names) == word
