"""Grammars of programs of a form that a question demands."""

from llm_compiler.language.grammar.plan_form import PlanForm
from llm_compiler.language.grammar.program_grammar import program_grammar
from llm_compiler.language.lowering.lowered import Refused
from llm_compiler.language.program import Program
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.tools import SHIPPED
from tests.support.gbnf import Grammar

TOOLS = Toolbox.of(SHIPPED)


def fenced(program: str) -> str:
    return f"```python\n{program}\n```"


def compiles(program: str) -> bool:
    reader = Program(TOOLS)
    tasks = [*reader.feed(fenced(program)), *reader.close()]
    return not any(isinstance(task, Refused) for task in tasks)


def test_a_program_that_chooses_ends_with_one_of_several() -> None:
    rules = Grammar(program_grammar(TOOLS, PlanForm(without=["min", "max"], chooses=True)))
    said = 'answer(f"It is {x}.")'
    heights = 'a = number("m", search("K2"))\nb = number("m", search("Rysy"))\n'
    for chosen in (
        'x = largest({"K2": a, "Rysy": b})',
        "x = smallest(d)",
        "x = sorted(d, key=d.get)[0]",
        'x = "K2" if a > b else "Rysy"',
        'x = read("Which is the higher one?", search("Rysy"))',
    ):
        assert rules.accepts(fenced(f"{heights}{chosen}\n{said}"))
    for value in ("", "x = a - b\n", 'x = number("m", "K2 or Rysy")\n'):
        assert not rules.accepts(fenced(f"{heights}{value}{said}"))
    assert rules.accepts(fenced('answer("I do not know.")'))


def test_a_program_that_divides_names_the_rate_and_divides_two_figures_of_each() -> None:
    rules = Grammar(
        program_grammar(TOOLS, PlanForm(without=["min"], chooses=True, divides=("per", "to")))
    )
    figure, names = 'number("m", search(name))', '["K2", "Rysy"]'
    rest = 'x = largest(a_per_b)\nanswer(f"It is {x}.")'
    divided = f"a_per_b = {{name: {figure} / {figure} for name in {names}}}\n{rest}"
    assert rules.accepts(fenced(divided))
    assert rules.accepts(fenced(divided.replace("a_per_b", "some_value_to_another")))
    assert compiles(divided)
    assert rules.accepts(fenced('answer("I do not know.")'))
    for other in (
        f"a_per_b = {{name: {figure} for name in {names}}}\n{rest}",
        f"a = {{name: {figure} / {figure} for name in {names}}}\n{rest}",
        'a_per_b = {"K2": 1, "Rysy": 2}\n' + rest,
    ):
        assert not rules.accepts(fenced(other))


def looked_up(name: str) -> str:
    return f'{name} = number("m", search("Rysy"))\n'


def test_changes_are_made_once_each_in_their_order_behind_the_lookups() -> None:
    changes = ((("*", "1 - 5 / 100"), ("*", "1 + 5 / 100")), (("*", "2"),))
    rules = Grammar(program_grammar(TOOLS, PlanForm(changes=changes)))
    found, rest = looked_up("a") + looked_up("b"), 'x = abs(a - b)\nanswer(f"It is {x}.")'
    program = f"{found}a *= 1 + 5 / 100\nb *= 2\n{rest}"
    assert compiles(program)
    assert rules.accepts(fenced(program))
    assert rules.accepts(fenced(f"{found}c = a * (1 - 5 / 100)\nd = b * 2\n{rest}"))
    assert rules.accepts(fenced(f"{found}c = a + b\nc *= 1 - 5 / 100\nb *= 2\n{rest}"))
    assert rules.accepts(fenced('answer("I do not know.")'))
    for other in (
        f"{found}{rest}",
        f"{found}a *= 1 - 5 / 100\n{rest}",
        f"{found}b *= 2\na *= 1 - 5 / 100\n{rest}",
        f"{found}a *= 1 - 5 / 100\na *= 1 - 5 / 100\nb *= 2\n{rest}",
    ):
        assert not rules.accepts(fenced(other))


def test_changes_may_be_made_where_the_last_value_is_computed() -> None:
    changes = ((("-", "300"),), (("*", "1 + 1 / 4"),))
    found, said = looked_up("a") + looked_up("b") + looked_up("c"), 'answer(f"It is {x}.")'
    rules = Grammar(program_grammar(TOOLS, PlanForm(changes=changes)))
    for lines in (
        "x = a - 300 - b * (1 + 1 / 4)",
        "x = abs((a - 300) - (b * (1 + 1 / 4)))",
        "x = abs(c - (a - 300) + b * (1 + 1 / 4) / c)",
        "a -= 300\nx = c - b * (1 + 1 / 4)",
    ):
        assert rules.accepts(fenced(f"{found}{lines}\n{said}"))
        assert compiles(f"{found}{lines}\n{said}")
    assert not rules.accepts(fenced(f"{found}x = abs(a - 300 - b)\n{said}"))
    rules = Grammar(program_grammar(TOOLS, PlanForm(changes=changes, chooses=True)))
    chosen = 'x = largest({"C": c, "A": a - 300, "B": b * (1 + 1 / 4)})'
    assert rules.accepts(fenced(f"{found}{chosen}\n{said}"))
    assert compiles(f"{found}{chosen}\n{said}")
    assert not rules.accepts(fenced(f"{found}x = a - 300 - b * (1 + 1 / 4)\n{said}"))


def test_as_many_figures_are_looked_up_as_are_changed() -> None:
    rules = Grammar(program_grammar(TOOLS, PlanForm(changes=[[("*", "2")]], figures=2)))
    rest = 'a *= 2\nx = a * 3\nanswer(f"It is {x}.")'
    assert rules.accepts(fenced(looked_up("a") + looked_up("b") + rest))
    assert not rules.accepts(fenced(looked_up("a") + rest))


def test_one_change_may_be_that_of_several_figures() -> None:
    rules = Grammar(program_grammar(TOOLS, PlanForm(changes=[[("*", "2")]], changes_several=True)))
    rest = 'x = a + b\nanswer(f"It is {x}.")'
    assert rules.accepts(fenced(f"{looked_up('a')}{looked_up('b')}a *= 2\nb *= 2\n{rest}"))


def test_lookups_come_in_pairs() -> None:
    rules = Grammar(program_grammar(TOOLS, PlanForm(in_pairs=True)))
    pair = looked_up("rysy_people") + looked_up("rysy_area")
    rest = 'x = rysy_people / rysy_area\nanswer(f"It is {x}.")'
    hop = 'place = read("Where is it?", search("Rysy"))\n'
    assert rules.accepts(fenced(pair + rest))
    assert rules.accepts(fenced(hop + pair + rest))
    assert not rules.accepts(fenced(looked_up("rysy_people") + rest))


def test_a_line_that_looks_up_figures_divides_them() -> None:
    rules = Grammar(program_grammar(TOOLS, PlanForm(in_quotients=True)))
    quotient = 'a = number("m", search("Rysy")) / number("km", search("Rysy"))\n'
    assert rules.accepts(fenced(f'{quotient}answer(f"It is {{a}}.")'))
    assert rules.accepts(fenced(f'{quotient}b = a * 2\nanswer(f"It is {{b}}.")'))
    assert not rules.accepts(fenced(f'{looked_up("a")}answer(f"It is {{a}}.")'))


def test_changed_rates_are_divided_and_one_of_the_things_is_chosen() -> None:
    form = PlanForm(in_pairs=True, divides=("per", "to"), chooses=True, changes=[[("*", "2")]])
    rules = Grammar(program_grammar(TOOLS, form))
    pairs = "".join(looked_up(name) for name in ("a_men", "a_km", "b_men", "b_km"))
    rest = 'x = largest({"A": a_men / a_km, "B": b_men / b_km})\nanswer(f"It is {x}.")'
    assert rules.accepts(fenced(f"{pairs}a_km *= 2\n{rest}"))
    assert not rules.accepts(fenced(f"{pairs}{rest}"))
    wrong = rest.replace("a_men / a_km", "a_men")
    assert not rules.accepts(fenced(f"{pairs}a_km *= 2\n{wrong}"))


def test_words_can_be_left_out_of_what_a_tool_is_called_with() -> None:
    rules = Grammar(program_grammar(TOOLS, PlanForm(unsaid={"number": ("per", "ratio")})))

    def says(what: str, subject: str = "Rysy") -> bool:
        called = f'x = number("{what}", search("{subject}"))\nanswer(f"It is {{x}}.")'
        return rules.accepts(fenced(called))

    assert all(map(says, ("people", "p", "height in m", "Moon's m/s²", "paper pe ra")))
    assert says("m", "ratio per person")
    assert not any(map(says, ("people per km", "per", "ratio", "a ratios b", "", " ", 'a"b')))
