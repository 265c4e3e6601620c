"""Writes a turn's timeline: SVG, PNG or a page of HTML, by the ending of the file's name."""

import importlib.util
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, Final

from llm_compiler.cli.report import Report
from llm_compiler.cli.timeline import MONO, SANS, drawn

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{margin:2rem auto;max-width:900px;padding:0 1rem}}svg{{width:100%;height:auto}}</style>
</head>
<body>
{svg}</body>
</html>
"""
_ZOOM: Final = 2
"""Pixels of a PNG for each of the drawing: sharp on any screen."""


def why_not(path: Path) -> str | None:
    """Why nothing can be drawn into a file of this name; None if it can."""
    kind = path.suffix.lower()
    if kind not in _WRITERS:
        return f"{path.name!r} does not end in .svg, .png or .html"
    if not path.absolute().parent.is_dir():
        return f"the folder {str(path.absolute().parent)!r} does not exist"
    if kind != ".png":
        return None
    if importlib.util.find_spec("resvg_py") is None:
        return "a .png needs resvg; run: pip install resvg-py, or choose .svg or .html"
    if any(_png(_text("x", font)) == _png(_text("", font)) for font in (SANS, MONO)):
        return "a .png needs fonts such as DejaVu, and none is installed; choose .svg or .html"
    return None


def write(path: Path, report: Report) -> None:
    """Draw a turn into a file.

    Raises:
        OSError: it cannot be written.
    """
    path.write_bytes(_WRITERS[path.suffix.lower()](drawn(report), report))


def _svg_file(svg: str, report: Report) -> bytes:
    return svg.encode()


def _html_file(svg: str, report: Report) -> bytes:
    return _PAGE.format(title=escape(report.question or "A turn"), svg=svg).encode()


def _png_file(svg: str, report: Report) -> bytes:
    return _png(svg)


def _png(svg: str) -> bytes:
    # Not an import statement: the library may not be installed where types are checked.
    resvg: Any = importlib.import_module("resvg_py")
    return bytes(resvg.svg_to_bytes(svg_string=svg, zoom=_ZOOM))


def _text(text: str, font: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">'
        f"<text y='15' font-family='{font}'>{text}</text></svg>"
    )


_WRITERS: Final[dict[str, Callable[[str, Report], bytes]]] = {
    ".svg": _svg_file,
    ".html": _html_file,
    ".png": _png_file,
}
