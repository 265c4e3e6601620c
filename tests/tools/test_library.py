"""The library that ships with `search`: small, and even in form."""

import re
from pathlib import Path

import pytest

from llm_compiler.tools.search import LIBRARY

PAGES = sorted(LIBRARY.glob("*.md"))
pytestmark = pytest.mark.skipif(not PAGES, reason="the library is not here")


def test_there_are_at_least_80_subjects() -> None:
    assert len(PAGES) >= 80


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_has_one_title_bullets_with_labels_and_few_words(page: Path) -> None:
    text = page.read_text("utf-8")
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("#")] == [lines[0]]
    assert lines[0].startswith("# ")
    bullets = [line for line in lines if line.lstrip().startswith(("-", "*"))]
    assert bullets
    assert all(re.fullmatch(r"- [^:]+: \S.*", bullet) for bullet in bullets)
    assert len(text.split()) <= 110


def test_no_two_pages_have_one_title() -> None:
    titles = [page.read_text("utf-8").splitlines()[0].casefold() for page in PAGES]
    assert len(set(titles)) == len(titles)
