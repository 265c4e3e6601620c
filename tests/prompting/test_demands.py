"""What a question demands of the form of its plan."""

from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.prompting.demands import form_for
from llm_compiler.tools import SHIPPED
from tests.support.functions import toolbox

TOOLS = Toolbox.of(SHIPPED)


def test_changes_and_pairs_are_demanded_of_tools_that_read_figures() -> None:
    form = form_for("If A were 5% larger, which has more people per km², A or B?", TOOLS)
    assert form.changes == ((("*", "1 + 5 / 100"),),)
    assert {form.chooses, form.in_pairs} == {True}
    assert form.divides == ("per",)
    assert form_for("Has A or B the lower ratio of x to y?", TOOLS).divides == ()
    assert form_for("Which has the lower ratio of x to y, A or B?", TOOLS).divides == ("per", "to")
    form = form_for("How many people per km² does A have?", TOOLS)
    assert form.in_quotients
    assert not form.in_pairs
    assert not form.divides
    form = form_for("If A and B merged, how many people per km² would there be?", TOOLS)
    assert form.in_pairs
    assert not form.in_quotients
    form = form_for("How many km per hour does A run?", TOOLS)
    assert not form.in_quotients


def test_a_later_round_writes_only_what_is_missing() -> None:
    asked = "If A were 5% larger, which has more people per km², A or B?"
    form = form_for(asked, TOOLS, continues=True)
    assert form.chooses
    assert not form.changes
    assert not form.divides
    assert {form.in_pairs, form.in_quotients} == {False}


def test_other_tools_may_take_a_percentage_and_give_a_rate() -> None:
    def discount(percent: float) -> float:
        """Give a discount."""
        return percent

    for tools in (toolbox(discount), toolbox(discount, *SHIPPED)):
        form = form_for("Give A 5% off. How many people per km² does B have?", tools)
        assert not form.changes
        assert not form.in_pairs


def test_what_is_computed_is_not_looked_up() -> None:
    form = form_for("What is the revenue per employee of A?", TOOLS)
    assert form.unsaid == {"number": ("per", "ratio", "difference")}
    form = form_for("What is the orbital period of A?", TOOLS)
    assert form.unsaid == {"number": ("ratio", "difference")}
