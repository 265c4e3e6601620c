"""The plans of docs/language.md run, and do what the page says."""

import re
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool

from llm_compiler import Context, build_graph
from tests.support.scripted import ScriptedModel

PAGE = Path(__file__).parents[1] / "docs" / "language.md"
PLANS = re.findall(r"```py\n(.*?)```", PAGE.read_text(), re.DOTALL)


class World:
    """What the plans' tools know, and what was written."""

    def __init__(self) -> None:
        self.written: list[tuple[Any, ...]] = []
        self.asked: list[str] = []
        self.tools = [*self._reads(), *self._writes()]

    def _reads(self) -> list[Any]:
        def albums(artist: str) -> list[dict[str, Any]]:
            """The albums of an artist."""
            return [{"id": 1}, {"id": 2}]

        def tracks(album: int) -> list[dict[str, Any]]:
            """The tracks of an album."""
            return [{"id": album * 10, "minutes": 2.5}, {"id": album * 10 + 1, "minutes": 4}]

        def orders(user: str) -> list[dict[str, Any]]:
            """The orders of a user."""
            late = {7: 3, 8: 0, 9: 1}
            return [{"id": id, "days_late": late[id], "price": 10.0 * id} for id in late]

        def weather(city: str) -> dict[str, Any]:
            """The weather in a city."""
            return {"celsius": {"Oslo": -3, "Rome": 14, "Quito": 17}[city]}

        def hosts() -> list[dict[str, Any]]:
            """All hosts."""
            return [{"name": name, "team": f"team {name}"} for name in ("a", "b", "c")]

        def healthy(host: str) -> bool:
            """Whether a host answers."""
            return host == "b"

        def on_call(team: str) -> str:
            """Who is on call in a team."""
            self.asked.append(team)
            return f"person of {team}"

        def tables(page: int) -> list[dict[str, Any]]:
            """A page of the tables."""
            self.asked.append(f"page {page}")
            return [{"name": f"T{page}{n}", "free": page == 3 and n == 2} for n in (1, 2, 3)]

        def hotels(city: str) -> list[dict[str, Any]]:
            """The hotels of a city."""
            return [{"name": name, "price": 60 + 20 * n} for n, name in enumerate("ABCDE")]

        def rating(hotel: str) -> float:
            """The rating of a hotel."""
            return {"A": 3.1, "B": 4.7, "C": 2.0, "D": 4.9}[hotel]

        return [albums, tracks, orders, weather, hosts, healthy, on_call, tables, hotels, rating]

    def _writes(self) -> list[Any]:
        @tool
        def like(track: int) -> str:
            """Like a track."""
            self.written.append(("like", track))
            return "liked"

        @tool
        def refund(order: int, amount: float) -> str:
            """Refund a part of an order."""
            self.written.append(("refund", order, round(amount, 2)))
            return "refunded"

        @tool
        def notify(person: str, text: str) -> str:
            """Send a person a message."""
            self.written.append(("notify", person, text))
            return "sent"

        @tool
        def book(table: str) -> str:
            """Book a table."""
            self.written.append(("book", table))
            return "booked"

        writes = [like, refund, notify, book]
        for it in writes:
            it.metadata = {"readOnlyHint": False}
        return writes


async def run(plan: str) -> tuple[str, World]:
    world = World()
    graph = build_graph(world.tools, planner=ScriptedModel(plan), joiner=ScriptedModel())
    state = await graph.ainvoke({"messages": [("user", "?")]}, context=Context(answer="plan"))
    return state["messages"][-1].text, world


LIKES = [("like", 11), ("like", 21)]
REFUNDS = [("refund", 7, 14.0), ("refund", 9, 18.0)]
NOTES = [("notify", f"person of team {it}", f"{it} is down") for it in "ac"]
ENDS: list[tuple[str, list[Any], list[str]]] = [
    ("2 tracks are liked.", LIKES, []),
    ("2 orders are refunded, 32.00 in all.", REFUNDS, []),
    ("Quito is the warmest, at 17 °C.", [], []),
    ("a, c: the teams know.", NOTES, ["team a", "team c"]),
    ("T32 is free: booked.", [("book", "T32")], ["page 1", "page 2", "page 3"]),
    ("The best are D, B, A.", [], []),
]


@pytest.mark.parametrize("number", range(6))
async def test_a_plan_of_the_page_does_what_it_says(number: int) -> None:
    answer, world = await run(PLANS[number])
    said, written, asked = ENDS[number]
    assert answer == said
    assert world.written == written
    assert sorted(world.asked) == asked


def test_the_page_has_six_plans() -> None:
    assert len(PLANS) == len(ENDS)
