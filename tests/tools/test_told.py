"""Figures of a page that are not what is asked for, though they are of the same unit."""

import pytest
from langchain_core.tools import ToolException

from llm_compiler.tools.number import _converted, _read
from llm_compiler.tools.units import asked

BEAR = """polar-bear.md: Polar bear
The polar bear is the largest bear. It hunts seals on the sea ice of Canada.
- Mass (typical adult male): 450 kg (2024)
- Length (typical adult male): 2.5 m (2024)
- Population: 26,000 (2015)"""
FIRM = """tesla.md: Tesla
Tesla is an electric car company. Martin Eberhard founded it; Elon Musk leads it.
- Market value: 1,296 billion US dollars (end of 2024)
- Revenue: 97.7 billion US dollars (fiscal 2024)
- Employees: 125,665 (2024)
- Founded: 2003"""
PLANET = """jupiter.md: Jupiter
Jupiter is the largest planet.
- Diameter: 139,820 km (2024)
- Mass: 317.8 Earth masses (2024)"""
DAM = """hoover-dam.md: Hoover Dam
Hoover Dam is a concrete dam on the Colorado River.
- Height: 221 m (1936)
- Completed: 1936"""


def read(what: str, text: str) -> object:
    """The number that needs no model; None if it is not told, "?" if a model must choose."""
    try:
        found = _read(what, text)
    except ToolException:
        return None
    return "?" if found.certain is None else _converted(found.certain, found.wanted)


@pytest.mark.parametrize(
    ("what", "text", "number"),
    [
        ("mass in kg", BEAR, 450),
        ("mass of an adult in kg", BEAR, 450),
        ("weight of the animal in kg", BEAR, 450),
        ("mass of a female in kg", BEAR, None),
        ("mass of the heart in kg", BEAR, None),
        ("length of a newborn in m", BEAR, None),
        ("mass in kg in 2024", BEAR, 450),
        ("mass in kg in 1900", BEAR, None),
        ("population in 2015", BEAR, 26000),
        ("population in 1980", BEAR, None),
        ("weight in pounds", BEAR, 450 / 0.45359237),
        ("weight in stones", BEAR, None),
        ("revenue in billion dollars", FIRM, 97.7),
        ("revenue in fiscal 2024 in billion dollars", FIRM, 97.7),
        ("revenue in fiscal 2019 in billion dollars", FIRM, None),
        ("revenue per employee in dollars", FIRM, None),
        ("number of employees", FIRM, 125_665),
        ("number of female employees", FIRM, None),
        ("year of founding", FIRM, 2003),
        ("year it was established", FIRM, 2003),
        ("year of the merger", FIRM, None),
        ("mass in kg", PLANET, None),
        ("diameter in km", PLANET, 139_820),
        ("diameter of its largest moon in km", PLANET, None),
        ("year it was built", DAM, 1936),
        ("year demolished", DAM, None),
        ("number of workers who died", DAM, None),
    ],
)
def test_another_part_rate_event_year_or_unit_is_not_it(
    what: str, text: str, number: object
) -> None:
    assert read(what, text) == (pytest.approx(number) if isinstance(number, float) else number)


def test_a_part_of_a_text_is_not_expected_to_say_what_it_is_about() -> None:
    assert read("percentage of water", "71 percent") == 71


@pytest.mark.parametrize(
    ("phrase", "dimension"), [("weight in pounds", "mass"), ("price in pounds", "GBP")]
)
def test_pounds_are_of_weight_or_sterling(phrase: str, dimension: str) -> None:
    unit = asked(phrase).unit
    assert unit is not None
    assert unit.dimension == dimension
