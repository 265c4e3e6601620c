"""Markdown of an answer in a terminal: rendered, as it streams, and harmless."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console
from rich.text import Text

from llm_compiler.cli.markdown import MarkdownStream

TEXT = """The **first**
and the second.

# Head

- a
- b

| a | b |
|---|--:|
| x | 1 |

```python
x = 1

y = 2
```
"""
SHOWN = """The first
and the second.

Head

 • a
 • b

 a  b
 ────
 x  1

 x = 1

 y = 2
"""


def console(height: int = 25) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        width=60,
        height=height,
        color_system="standard",
        highlight=False,
        markup=False,
        emoji=False,
    )


def written(pieces: Iterator[str], height: int = 25) -> str:
    """All that was written to the terminal."""
    drawn = console(height)
    stream = MarkdownStream(drawn, 59, clock=lambda: 0.0)
    for piece in pieces:
        stream.feed(piece)
    stream.close()
    assert isinstance(drawn.file, io.StringIO)
    return drawn.file.getvalue()


def whole(text: str) -> str:
    return Text.from_ansi(written(iter([text]))).plain


def test_answer_is_rendered() -> None:
    assert [line.rstrip() for line in whole(TEXT).splitlines()] == SHOWN.splitlines()


@pytest.mark.parametrize(
    "text",
    [
        "2*3*4 = 24",
        "2**3**2 = 512",
        "(1+2)*(3+4)*(5)",
        "snake_case_name and __init__.py_",
        "a < b > c <think>x</think> <b>d</b>",
        "R&amp;D &#27;[31m &copy;",
        "[1]: http://h.example",
        "one\ntwo\nthree",
        "5 ~ 6 ~~7~~",
        "[bold]no markup[/bold] :smile:",
    ],
)
def test_text_that_is_no_markdown_stays(text: str) -> None:
    assert whole(text) == f"{text}\n"


@pytest.mark.parametrize(
    "text",
    ["\x1b[2J", "&#27;[2J", "\u202e", "&#x202e;", "`\x1b[2J`", "```\n\x1b[2J\n```", "[a](\x1b[2J)"],
)
def test_control_characters_have_no_effect(text: str) -> None:
    for shown in (written(iter([text])), written(iter(text))):
        assert "\x1b[2J" not in shown
        assert "\u202e" not in shown


def test_link_shows_where_it_leads() -> None:
    assert whole("[bank](http://evil.example/)") == "bank (http://evil.example/)\n"
    assert "\x1b]8" not in written(iter(["[bank](http://evil.example/)"]))


def test_blocks_that_are_complete_are_not_drawn_again() -> None:
    pieces = ["one\n", "\n", "two ", "is ", "long"]
    shown = written(iter(pieces))
    assert shown.count("one") == 1
    assert shown.count("two is") == 4  # three times while it grew, and for good
    assert shown.index("one") < shown.index("two")


def test_block_taller_than_the_screen_shows_its_end_until_it_is_complete() -> None:
    lines = [f"line {number}\n" for number in range(30)]
    shown = written(iter([*lines[:-1], lines[-1], ""]), height=10)
    # While it fitted, and for good; there were 29 pictures.
    assert 2 <= shown.count("line 0\n") < 12
    assert Text.from_ansi(shown).plain.rstrip().endswith("line 29")


def test_blank_line_within_code_ends_no_block() -> None:
    shown = written(iter(TEXT.splitlines(keepends=True)))
    plain = Text.from_ansi(shown).plain
    assert " x = 1\n\n y = 2\n" in plain
    assert "```" not in plain.splitlines()[-6:]
