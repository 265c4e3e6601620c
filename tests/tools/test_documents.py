"""A folder of Markdown as `search` sees it."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llm_compiler.tools.documents import MAX_PASSAGE, Folder, FolderError, passages_of

PAGES = {
    "microsoft.md": "# Microsoft\n\nBill Gates and Paul Allen founded it.\n\n- Market value: $3 T",
    "apple.md": "# Apple\n\nSteve Jobs founded it.\n\n- Market value: $3.7 T",
    "mount-everest.md": "# Mount Everest\n\nIn Nepal.\n\n- Height: 8,849 m",
    "k2.md": "# K2\n\nAfter Mount Everest the highest.\n\n- Height: 8,611 m",
    "amazon.md": "# Amazon\n\nA shop.",
    "amazon-river.md": "# Amazon River\n\nA river. Length: 6,400 km",
    "zurich.md": "# Zürich\n\nA city by a lake.",
    "1984.md": "# 1984\n\nA novel.",
    "plain_notes.md": "No heading here, only seals.",
}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text, "utf-8")
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("query", "files"),
    [
        ("height of Mount Everest", ["mount-everest.md"]),
        ("Mount Everest height in metres", ["mount-everest.md"]),
        ("K2", ["k2.md"]),
        ("Who founded Microsoft?", ["microsoft.md"]),
        ("Apple's market cap", ["apple.md"]),
        ("market caps of Microsoft and Apple", ["apple.md", "microsoft.md"]),
        ("length of the Amazon River", ["amazon-river.md"]),
        ("amazon", ["amazon.md"]),
        ("everest", ["mount-everest.md"]),
        ("ZURICH", ["zurich.md"]),
        ("Microsoft in 1984", ["microsoft.md"]),
        ("1984", ["1984.md"]),
        ("seal", ["plain_notes.md"]),
        ("cities", ["zurich.md"]),
    ],
)
def test_query_finds_just_what_it_names(folder: Folder, query: str, files: list[str]) -> None:
    assert sorted(passage.file for passage in folder.search(query)) == files


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "NEAR(a b",
        "title:",
        "*",
        "^k2",
        "a AND",
        "(",
        "-",
        "{text}: x",
        "'; DROP",
        "\ud800",
        "\0",
    ],
)
def test_query_syntax_of_the_index_never_leaks(folder: Folder, query: str) -> None:
    folder.search(query)
    found = folder.search(f"Zürich {query}")
    assert "zurich.md" in [passage.file for passage in found]


def test_query_of_stop_words_alone_still_searches(tmp_path: Path) -> None:
    (tmp_path / "band.md").write_text("# The Who\n\nA band.")
    assert [found.file for found in Folder(tmp_path).search("The Who")] == ["band.md"]


def test_nothing_found_is_an_empty_list(folder: Folder) -> None:
    assert folder.search("quux") == []
    assert folder.search("?!") == []


def test_passage_is_headed_by_file_and_title(folder: Folder) -> None:
    assert str(folder.search("K2")[0]) == (
        "k2.md: K2\nAfter Mount Everest the highest.\n\n- Height: 8,611 m"
    )


def test_title_of_a_file_without_heading_is_its_name() -> None:
    assert next(passages_of("some-old_notes.md", "words")).title == "some old notes"


def test_long_file_is_cut_at_headings_and_paragraphs() -> None:
    sections = [f"## Part {part}\n\n" + f"word{part} " * 150 for part in range(5)]
    passages = list(passages_of("x.md", "# Long\n\n" + "\n\n".join(sections)))
    assert len(passages) > 2
    assert all(len(passage.text) <= MAX_PASSAGE for passage in passages)
    assert all(passage.text.startswith("## Part") for passage in passages)
    assert {passage.title for passage in passages} == {"Long"}


@pytest.mark.parametrize(
    "text", ["x" * 10_000, "word " * 2_000, "A sentence. " * 900, "a\n" * 5_000]
)
def test_long_paragraph_is_cut_and_loses_nothing(text: str) -> None:
    passages = list(passages_of("x.md", text))
    assert all(len(passage.text) <= MAX_PASSAGE for passage in passages)
    assert "".join("".join(p.text for p in passages).split()) == "".join(text.split())


def test_best_passage_of_the_named_file_is_returned(tmp_path: Path) -> None:
    text = "# Tower\n\n" + "\n\n".join(f"## {name}\n\n{name} " + "filler " * 150 for name in "abc")
    (tmp_path / "tower.md").write_text(text + "\n\n## Height\n\nThe height is 330 m.")
    found = Folder(tmp_path).search("height of the tower")
    assert len(found) == 1
    assert "330 m" in found[0].text


def test_changed_new_and_removed_files_are_seen(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    page = tmp_path / "a.md"
    page.write_text("# One\n\nfirst")
    assert folder.search("first")
    page.write_text("# One\n\nsecond words")
    assert not folder.search("first")
    assert folder.search("second")
    (tmp_path / "b.md").write_text("# Two\n\nthird")
    assert folder.search("third")
    page.unlink()
    assert not folder.search("second")


def test_same_size_is_seen_by_its_time(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    page = tmp_path / "a.md"
    page.write_text("# One\n\naaaa")
    assert folder.search("aaaa")
    page.write_text("# One\n\nbbbb")
    os.utime(page, ns=(1, 1))
    assert folder.search("bbbb")


def test_folders_below_are_searched(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "x.md").write_text("# Xylophone")
    assert str(Folder(tmp_path).search("xylophone")[0]) == "deep/er/x.md: Xylophone\n"


def test_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("# Secret")
    inside = tmp_path / "docs"
    inside.mkdir()
    (inside / "open.md").write_text("# Open")
    (inside / "link.md").symlink_to(tmp_path / "secret.md")
    assert Folder(inside).search("secret") == []


def test_text_that_is_not_utf8_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "old.md").write_bytes(b"# Caf\xe9\n\nespresso")
    assert Folder(tmp_path).search("espresso")[0].title == "Caf\ufffd"


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="the folder 'gone' does not exist"):
        Folder(tmp_path / "gone").search("x")


def test_folder_without_markdown_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(FolderError, match="has no Markdown files"):
        Folder(tmp_path).search("x")


def test_many_threads_may_search_at_once(folder: Folder) -> None:
    start = threading.Barrier(8)

    def one(_: int) -> list[str]:
        start.wait()
        return [passage.file for passage in folder.search("K2")]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == [["k2.md"]] * 8
