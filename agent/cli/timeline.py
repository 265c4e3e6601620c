"""Draws a turn as a Gantt chart in SVG: what ran when, and what waited for what.

    planner        ▕▔|▔|▔|▔▏             the times at which tasks were emitted
    search("K2")     ●━━━━━━┓            ● emitted, ━ running
    k2 = number(…)     ●────┗━━━━┓       ─ waiting, an arrow for each need
    k2 / 2               ●───────┗● 4305 computed, in no time
    joiner                         ▕▔▔▏

The SVG is written without a library. It has dark text on a white background, so that it looks the
same in light and dark pages. The tooltip of a bar shows the whole call and its result.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from llm_compiler.cli import wording
from llm_compiler.cli.report import Report
from llm_compiler.cli.timeline_rows import TimelineRow, rows_of
from llm_compiler.text import shortened

WIDTH: Final = 900
_MARGIN: Final = 28
_LEFT: Final = 330
"""Where the time axis begins; the names of the rows are left of it."""
_RIGHT: Final = WIDTH - 84
"""Where it ends; right of it there is room for the last bar's seconds."""
_ROW: Final = 26
_BAR: Final = 14
_NAME: Final = 40
"""Characters of a row's name."""
_COLOURS: Final = {
    "planner": "#3f51b5",
    "joiner": "#8e3aa5",
    "ok": "#12806a",
    "computed": "#12806a",
    "failed": "#c62f26",
    "rejected": "#b35c00",
    "skipped": "#6e7681",
    "running": "#6e7681",
    "planned": "#6e7681",
}
_CALLS: Final = {
    "planner": "planner",
    "joiner": "joiner",
    "ok": "call",
    "failed": "failed",
    "rejected": "rejected",
}
"""What has a bar, and its name in the legend."""
_TITLE: Final = 78
_DIAMOND: Final = (
    '<path d="M{x} {y}l5 -5 5 5 -5 5z" fill="#fff" stroke="{colour}" stroke-width="1.6"/>'
)
# Named one by one: what draws a PNG knows no family of any kind.
SANS: Final = (
    'system-ui,-apple-system,"Segoe UI","Helvetica Neue","DejaVu Sans","Liberation Sans",'
    '"Noto Sans",Arial,sans-serif'
)
MONO: Final = (
    'ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",'
    '"Noto Sans Mono","Courier New",monospace'
)
_STYLE: Final = """
text{font:12px SANS;fill:#1f2328}
.title{font-size:17px;font-weight:600}
.name{font:12px MONO}
.faint,.tick{fill:#59636e}
.tick{font-size:11px}
.label{font-size:11px;paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}
.grid{stroke:#e4e7eb}
.wait{stroke:#a8b0ba;stroke-width:1.5}
.need{fill:none;stroke:#59636e;stroke-width:1.1;marker-end:url(#head)}
.emitted{stroke:#fff;stroke-width:1.5}
""".replace("SANS", SANS).replace("MONO", MONO)


def timeline(events: Iterable[Mapping[str, Any]]) -> str:
    """The events of one turn (`stream_mode="custom"`) as an SVG document 900 px wide."""
    return drawn(Report(events))


def drawn(report: Report) -> str:
    """The same, from the record of a turn."""
    rows = list(rows_of(report))
    top = 104
    bottom = top + _ROW * len(rows)
    axis = _Axis(max(report.seconds, 1e-3), top, bottom)
    picture = _Picture()
    for index, row in enumerate(rows):
        row.y = top + _ROW * index + _ROW / 2
    _draw_axis(picture, axis)
    for row in rows:
        _draw_row(picture, axis, row)
    _draw_needs(picture, axis, rows)
    title = escape(shortened(wording.one_line(report.question) or "A turn", _TITLE))
    totals = (
        f"{wording.seconds(report.seconds)}; one after another "
        f"{wording.seconds(report.one_after_another)}"
    )
    height = bottom + 68
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
            f' width="{WIDTH}" height="{height}" role="img" aria-label="{title}">',
            f"<style>{_STYLE}</style>",
            '<defs><marker id="head" viewBox="0 0 6 6" refX="5.5" refY="3" markerWidth="6"'
            ' markerHeight="6" orient="auto"><path d="M0 0.4 6 3 0 5.6z" fill="#59636e"/>'
            "</marker></defs>",
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="12"'
            ' fill="#fff" stroke="#d0d7de"/>',
            f'<text class="title" x="{_MARGIN}" y="40">{title}</text>',
            *_legend(rows),
            *picture.under,
            *picture.over,
            f'<text x="{_MARGIN}" y="{height - 22}">{totals}</text>',
            "</svg>\n",
        ]
    )


@dataclass
class _Picture:
    """The drawn elements, in two layers."""

    under: list[str] = field(default_factory=list)
    over: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Axis:
    seconds: float
    top: float
    bottom: float

    def x(self, moment: float) -> float:
        share = min(1.0, max(0.0, moment / self.seconds))
        return round(_LEFT + share * (_RIGHT - _LEFT), 2)

    def ticks(self) -> Iterator[float]:
        """Round numbers, five to twelve of them."""
        step = next(
            base * 10.0**power
            for power in range(-6, 9)
            for base in (1, 2, 5)
            if self.seconds / (base * 10.0**power) <= 10
        )
        for number in range(int(self.seconds / step + 1e-9) + 1):
            yield number * step


def _draw_axis(picture: _Picture, axis: _Axis) -> None:
    for tick in axis.ticks():
        x = axis.x(tick)
        picture.under.append(
            f'<path class="grid" d="M{x} {axis.top - 4}V{axis.bottom + 4}"/>'
            f'<text class="tick" x="{x}" y="{axis.bottom + 20}" text-anchor="middle">'
            f"{tick:g} s</text>"
        )


def _draw_needs(picture: _Picture, axis: _Axis, rows: list[TimelineRow]) -> None:
    by_id = {row.task.id: row for row in rows if row.task is not None}
    for row in rows:
        for need in row.task.needs if row.task is not None else ():
            if need in by_id:
                picture.under.append(_arrow(axis, by_id[need], row))


def _arrow(axis: _Axis, need: TimelineRow, row: TimelineRow) -> str:
    """From the end of the needed task down (or up) to the start of the task that waited."""
    side = 1 if row.y > need.y else -1
    x, end = axis.x(need.ended) - 1.5, axis.x(row.begins) - (5 if row.started is None else 0)
    y = need.y + side * _BAR / 2
    if end - x >= 12:
        return f'<path class="need" d="M{x:.2f} {y}V{row.y}H{end - 1:.2f}"/>'
    # There is no room to come from the left, so come from above.
    edge = row.y - side * (_BAR / 2 + 1)
    target = max(x, end + (5 if row.started is None else 2))
    return (
        f'<path class="need" d="M{x:.2f} {y}V{edge - side * 8}'
        f'C{x:.2f} {edge - side * 4} {target:.2f} {edge - side * 7} {target:.2f} {edge}"/>'
    )


def _draw_row(picture: _Picture, axis: _Axis, row: TimelineRow) -> None:
    name = escape(shortened(row.name, _NAME))
    text = f'<text class="name" x="{_MARGIN}" y="{row.y + 4}">{name}</text>'
    begins, ends = axis.x(row.begins), axis.x(row.ended)
    colour = _COLOURS[row.kind]
    if row.task is not None:
        emitted = axis.x(row.task.planned)
        picture.under.append(
            f'<path class="wait" d="M{emitted} {row.y}H{max(emitted, begins)}"/>'
            f'<circle cx="{emitted}" cy="{row.y}" r="2.5" fill="#a8b0ba"/>'
        )
    if row.kind == "computed":
        shape = f'<circle cx="{begins}" cy="{row.y}" r="4" fill="{colour}"/>'
        ends = begins + 4
    elif row.started is None:
        # It never ran, or it shares the result of an equal call.
        ends = begins + 5
        shape = _DIAMOND.format(x=begins - 5, y=row.y, colour=colour)
    else:
        width = max(2.5, ends - begins)
        ends = begins + width
        shape = (
            f'<rect x="{begins}" y="{row.y - _BAR / 2}" width="{width:.2f}" height="{_BAR}"'
            f' rx="{min(3.5, width / 2):.2f}" fill="{colour}"/>'
        )
    tip = escape(wording.visible(row.tip))
    picture.over.append(f"<g><title>{tip}</title>{text}{shape}</g>")
    picture.over += _emissions(axis, row)
    picture.over.append(_label(row, begins, ends))


def _emissions(axis: _Axis, row: TimelineRow) -> Iterator[str]:
    """A mark in the planner's bar for each task."""
    for task in row.emitted:
        yield f'<path class="emitted" d="M{axis.x(task.planned)} {row.y - _BAR / 2}v{_BAR}"/>'


def _label(row: TimelineRow, begins: float, ends: float) -> str:
    room = len(row.label) * 6.2
    behind = ends + 7 + room <= WIDTH - 12
    x, anchor = (ends + 7, "start") if behind else (begins - 7, "end")
    return (
        f'<text class="label" x="{x:.2f}" y="{row.y + 4}" text-anchor="{anchor}">'
        f"{escape(row.label)}</text>"
    )


def _legend(rows: list[TimelineRow]) -> Iterator[str]:
    """The meaning of the colours and marks that occur."""
    kinds = {row.kind for row in rows}
    tasks = [row for row in rows if row.task is not None]
    entries = [
        (kind in kinds, 12, f'<path d="M0 -5h12v10h-12z" fill="{_COLOURS[kind]}"/>', name)
        for kind, name in _CALLS.items()
    ]
    unrun = any(row.started is None and row.kind != "computed" for row in tasks)
    needs = any(row.task is not None and row.task.needs for row in tasks)
    waiting = '<path class="wait" d="M0 0h22"/><circle r="2.5" fill="#a8b0ba"/>'
    computed = f'<circle cx="4" r="4" fill="{_COLOURS["computed"]}"/>'
    entries += [
        (bool(tasks), 22, waiting, "emitted, waiting"),
        ("computed" in kinds, 8, computed, "computed"),
        (unrun, 10, _DIAMOND.format(x=0, y=0, colour=_COLOURS["skipped"]), "not run"),
        (needs, 22, '<path class="need" d="M0 0h22"/>', "needs"),
    ]
    x = float(_MARGIN)
    for occurs, width, mark, name in entries:
        if occurs:
            text = f'<text class="faint" x="{width + 5}" y="4">{name}</text>'
            yield f'<g transform="translate({x:.1f} 64)">{mark}{text}</g>'
            x += width + 5 + len(name) * 6.8 + 18
