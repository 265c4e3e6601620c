"""What people ask for, as programs with loops and conditions: what they say and what they do."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from langchain_core.tools import tool

from llm_compiler.language.program import Program
from llm_compiler.language.toolbox.toolbox import Toolbox
from tests.support import plan_driver

_ALBUMS = {"Air": [{"id": 1, "title": "Moon"}, {"id": 2, "title": "Talkie"}]}
_TRACKS = {
    1: [{"id": 11, "name": "La femme", "seconds": 427}, {"id": 12, "name": "Intro", "seconds": 40}],
    2: [{"id": 21, "name": "Venus", "seconds": 244}],
}
_ORDERS = [{"id": n, "late": n % 2 == 1, "amount": n * 10} for n in range(1, 5)]
_HEAT = {"Oslo": 9, "Rome": 21, "Cairo": 30}


def albums(artist: str) -> list[dict[str, Any]]:
    """The albums of an artist."""
    return _ALBUMS[artist]


def tracks(album: int) -> list[dict[str, Any]]:
    """The tracks of an album."""
    return _TRACKS[album]


def like(track: int) -> str:
    """Like a track."""
    return "liked"


def orders(user: str, page: int = 1) -> list[dict[str, Any]]:
    """A page of the orders of a user: two of them, none behind the last page."""
    return _ORDERS[2 * page - 2 : 2 * page] if user == "ann" else []


def refund(order: int) -> int:
    """Refund an order."""
    return order * 10


def weather(city: str) -> dict[str, Any]:
    """The weather in a city."""
    return {"temperature": _HEAT[city], "sky": "clear"}


def healthy(host: str) -> bool:
    """Whether a host answers."""
    return host != "b"


def notify(who: str, text: str) -> str:
    """Send a message."""
    return "sent"


def score(text: str) -> int:
    """How good a text is."""
    return len(text)


_READS: list[Callable[..., Any]] = [albums, tracks, orders, weather, healthy, score]
_WRITES: list[Callable[..., Any]] = [like, refund, notify]
FUNCTIONS: dict[str, Callable[..., Any]] = {
    getattr(it, "__name__", ""): it for it in (*_READS, *_WRITES)
}


def toolbox() -> Toolbox:
    tools = [tool(function) for function in FUNCTIONS.values()]
    for one in tools:
        one.metadata = {"readOnlyHint": one.func in _READS}  # type: ignore[attr-defined]
    return Toolbox.of(tools)


def run(text: str) -> tuple[str, list[str]]:
    """What a program says, and what it does."""
    tools = toolbox()
    program = Program(tools)
    program.feed(text)
    program.close()
    ran = plan_driver.run(program.tasks, tools, FUNCTIONS, Random(text), program.wasted)
    return str(ran.said(program.answer)), ran.effects


LONG_TRACKS = """
liked = []
for album in albums("Air"):
    for track in tracks(album.id):
        if track.seconds > 180:
            like(track.id)
            liked.append(track.name)
answer(f"Liked {len(liked)}: {', '.join(liked)}.")
"""
LATE_ORDERS = """
late = [order for order in orders("{user}") if order["late"]]
if not late:
    answer("No order is late.")
total = sum(refund(order["id"]) for order in late)
answer(f"Refunded {{len(late)}} orders, {{total}} in all.")
"""
WARMEST = """
temperatures = {}
for city in ["Oslo", "Rome", "Cairo"]:
    temperatures[city] = weather(city)["temperature"]
warmest = largest(temperatures)
answer(f"{warmest} is the warmest, {temperatures[warmest]} °C. All: {temperatures}")
"""
PAGES = """
found = []
for page in range(1, 10):
    more = orders("ann", page=page)
    if not more:
        break
    found += more
answer(f"{len(found)} orders on {page - 1} pages, {sum(o.amount for o in found)} in all")
"""
FAILING = """
failing = [host for host in {hosts} if not healthy(host)]
for host in failing:
    notify("on-call", f"{{host}} is down")
if failing:
    answer(f"Told on-call about {{', '.join(failing)}}.")
else:
    answer("All good.")
"""
RANKED = """
names = [album.title for album in albums("Air")]
ranked = sorted(names, key=lambda name: score(name), reverse=True)
best = max(names, key=lambda name: score(name))
answer(f"{best} is the best of {ranked}.")
"""


@pytest.mark.parametrize(
    ("text", "said", "done"),
    [
        (LONG_TRACKS, "Liked 2: La femme, Venus.", ["like[11]", "like[21]"]),
        (LATE_ORDERS.format(user="ann"), "Refunded 1 orders, 10 in all.", ["refund[1]"]),
        (LATE_ORDERS.format(user="bob"), "No order is late.", []),
        (
            WARMEST,
            "Cairo is the warmest, 30 °C. All: {'Oslo': 9, 'Rome': 21, 'Cairo': 30}",
            [],
        ),
        (PAGES, "4 orders on 2 pages, 100 in all", []),
        (
            FAILING.format(hosts=["a", "b", "c"]),
            "Told on-call about b.",
            ['notify["on-call", "b is down"]'],
        ),
        (FAILING.format(hosts=["a", "c"]), "All good.", []),
        (RANKED, "Talkie is the best of ['Talkie', 'Moon'].", []),
    ],
)
def test_request_is_answered(text: str, said: str, done: list[str]) -> None:
    assert run(text) == (said, done)


def test_nothing_is_done_behind_a_failure_with_an_empty_loop_in_between() -> None:
    text = """
for album in [9]:
    like(len(tracks(album)))
none = [like(track) for track in []]
for _ in [1]:
    like(len(none))
"""
    assert run(text)[1] == []
