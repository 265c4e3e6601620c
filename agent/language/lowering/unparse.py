r"""Writes an expression's tree as text that every supported Python reads as the same tree.

Python 3.11 allows neither backslashes nor its own quotes in the holes of an f-string. Both come
there when constants take the place of names (`f"{newline.join(lines)}"`), and `ast.unparse` fails.
So f-strings are written here; if the values of its holes cannot stand in one, they get names:

    [f'{it0} and {it1:.1f}' for it0, it1 in [['\n'.join($1), $2]]][0]
"""

import ast
import re
from collections.abc import Iterator
from typing import Any

_WRITTEN = "\U00020002"
"""Begins the name that stands for an f-string while what is around it is written."""
_NOT_IN_SPEC = re.compile(r"""[{}\\'"]""")


def unparsed(node: ast.expr | ast.Module) -> str:
    """The text of a tree.

    Raises:
        ValueError: a text in it has a character that no text may have.
    """
    if isinstance(node, ast.JoinedStr):
        return _f_string(node)
    texts: list[str] = []
    text = ast.unparse(ast.fix_missing_locations(_without_f_strings(node, texts)))
    if text.count(_WRITTEN) != len(texts):
        raise ValueError(f"{_WRITTEN!r} cannot be written")
    return re.sub(rf"{_WRITTEN}(\d+)", lambda found: texts[int(found[1])], text) if texts else text


def _without_f_strings(node: Any, texts: list[str]) -> Any:
    """A copy with a name for each f-string; their texts are added to `texts`."""
    if isinstance(node, ast.JoinedStr):
        texts.append(_f_string(node))
        return ast.Name(f"{_WRITTEN}{len(texts) - 1}", ast.Load())
    if isinstance(node, list):
        return [_without_f_strings(item, texts) for item in node]
    if not isinstance(node, ast.AST):
        return node
    return type(node)(**{name: _without_f_strings(it, texts) for name, it in ast.iter_fields(node)})


def _f_string(node: ast.JoinedStr) -> str:
    values = [unparsed(value) for value in _values(node)]
    together = "".join(values)
    fits = "\\" not in together and not ("'" in together and '"' in together)
    names = values if fits else [f"it{place}" for place in range(len(values))]
    said = "".join(str(it.value) for it in node.values if isinstance(it, ast.Constant))
    inside = "".join(names) or said
    quote = '"' if "'" in inside and '"' not in inside else "'"
    text = f"f{quote}{_pieces(node, quote, iter(names))}{quote}"
    if fits:
        return text
    one = len(values) == 1
    row = values[0] if one else f"[{', '.join(values)}]"
    return f"[{text} for {', '.join(names)} in [{row}]][0]"


def _values(node: ast.expr) -> Iterator[ast.expr]:
    """What the holes of an f-string hold, also those in format specs, in the order of the text."""
    for part in node.values if isinstance(node, ast.JoinedStr) else ():
        if isinstance(part, ast.FormattedValue):
            yield part.value
            for piece in _spec(part):
                yield piece.value if isinstance(piece, ast.FormattedValue) else piece


def _spec(hole: ast.FormattedValue) -> list[ast.expr]:
    """The parts of a format spec that must be holes."""
    parts = hole.format_spec.values if isinstance(hole.format_spec, ast.JoinedStr) else []
    return [part for part in parts if not _is_plain(part)]


def _is_plain(part: ast.expr) -> bool:
    """Whether a part of a format spec is text that can be written as it is."""
    if not isinstance(part, ast.Constant):
        return False
    text = str(part.value)
    return text.isprintable() and not _NOT_IN_SPEC.search(text)


def _pieces(node: ast.expr, quote: str, names: Iterator[str]) -> str:
    out = []
    for part in node.values if isinstance(node, ast.JoinedStr) else ():
        if isinstance(part, ast.FormattedValue):
            out.append(f"{{{_hole(part, names)}}}")
        else:
            out.append(_escaped(str(getattr(part, "value", "")), quote))
    return "".join(out)


def _hole(hole: ast.FormattedValue, names: Iterator[str]) -> str:
    text = _begun(next(names)) + (f"!{chr(hole.conversion)}" if hole.conversion > 0 else "")
    if isinstance(hole.format_spec, ast.JoinedStr):
        text += ":"
        for part in hole.format_spec.values:
            if _is_plain(part):
                text += str(getattr(part, "value", ""))
            else:
                conversion = getattr(part, "conversion", -1)
                shown = f"!{chr(conversion)}" if conversion > 0 else ""
                text += f"{{{_begun(next(names))}{shown}}}"
    return text


def _begun(text: str) -> str:
    """What a hole begins with: two braces would be one in the text."""
    return f" {text}" if text.startswith("{") else text


def _escaped(text: str, quote: str) -> str:
    escapes = {"\\": "\\\\", quote: f"\\{quote}", "{": "{{", "}": "}}"}
    return "".join(
        escapes.get(it) or (it if it.isprintable() else it.encode("unicode_escape").decode())
        for it in text
    )
