"""What a question demands of the form of its plan."""

from collections.abc import Mapping

from llm_compiler.language.grammar.plan_form import PlanForm
from llm_compiler.language.toolbox.tool import Tool
from llm_compiler.prompting.question_changes import changes_in, changes_several, figures_changed
from llm_compiler.prompting.question_form import (
    asks_per,
    chooses,
    computed,
    in_pairs,
    rate_words,
    unwanted,
)
from llm_compiler.tools.number import number
from llm_compiler.tools.read import read
from llm_compiler.tools.search import search

_READING = {search.name, number.name}
"""The tools that read figures out of texts."""


def form_for(question: str, tools: Mapping[str, Tool], *, continues: bool = False) -> PlanForm:
    """The form of a plan that answers a question with these tools.

    One that `continues` the plan of an earlier round does only what is missing: of it, neither
    changes nor lookups are demanded.
    """
    reads = tools.keys() >= _READING
    # Tools of other kinds may give a rate themselves, or take a percentage.
    alone = reads and tools.keys() <= {*_READING, read.name} and not continues
    rates = rate_words(question) if reads and not continues else ()
    changes = changes_in(question) if alone else ()
    return PlanForm(
        without=unwanted(question),
        chooses=chooses(question),
        divides=rates,
        in_pairs=alone and (in_pairs(question) or bool(rates and changes)),
        in_quotients=alone and asks_per(question) and not in_pairs(question),
        changes=changes,
        figures=figures_changed(question),
        changes_several=changes_several(question),
        unsaid={number.name: computed(question)} if reads else {},
    )
