"""The plan language as a grammar (GBNF), for servers that decode under one: llama.cpp, vLLM.

It accepts a part of the language, in its usual layout: a fenced program of straight lines, which
ends with its answer. All of it is Python that compiles, but for what no grammar can know: names
that stand for nothing, and what a schema says beyond its types (`pattern`, `minimum`).
"""

from collections.abc import Mapping
from dataclasses import replace

from llm_compiler.language.grammar.gbnf import Rules, defined
from llm_compiler.language.grammar.plan_form import ANY_FORM, PlanForm
from llm_compiler.language.grammar.program_rules import (
    COMPARED,
    MAX_DEPTH,
    NOTHING,
    choosing_functions,
    expression_rules,
    shared_rules,
)
from llm_compiler.language.grammar.schema_grammar import Inner, ToolCalls
from llm_compiler.language.grammar.word_rules import text_rules
from llm_compiler.language.tasks.task import ANSWER
from llm_compiler.language.toolbox.signatures import python_name
from llm_compiler.language.toolbox.stubs import returned_type
from llm_compiler.language.toolbox.tool import Tool

_NUMBERS = {"float", "int"}


def program_grammar(tools: Mapping[str, Tool], form: PlanForm = ANY_FORM) -> str:
    """The grammar of one program of this form that calls these tools.

    A tool whose name has two underscores is left out. No name begins as a function does that is
    left out, or a model that has begun to write one would end it as a name.
    """
    tests = COMPARED not in form.without
    without = [name for name in form.without if name != COMPARED]
    called = {python_name(name): tool for name, tool in tools.items()}
    offered = [tool for name, tool in called.items() if "__" not in name]
    hidden = [*called, *without]
    # A small model that wants to answer too early would else write the word as a name's beginning.
    barred = [*without, ANSWER] if form.chooses else without
    strings = {name: f"said-{place}" for place, name in enumerate(form.unsaid)}
    shared = shared_rules(form, [*called, ANSWER], barred) + "".join(
        text_rules(strings[name], words) for name, words in form.unsaid.items()
    )
    bare = "".join(expression_rules(depth, ["call"], tests=tests) for depth in range(MAX_DEPTH + 1))
    rules = Rules([*defined(shared), *defined(bare)])
    levels = []
    for depth in range(MAX_DEPTH + 1):
        names = (f"{kind}-{depth - 1}" for kind in ("computed", "text", "value"))
        inner = Inner(*names)
        inner_of = {name: replace(inner, string=rule) for name, rule in strings.items()}
        calls = [
            ToolCalls(rules, tool, inner_of.get(tool.name, inner)).rule()
            for tool in (offered if depth else ())
        ]
        levels.append(expression_rules(depth, calls, hidden=hidden, tests=tests))
    finds = [
        call
        for tool, call in zip(offered, calls, strict=True)
        if not {*returned_type(tool).split(" | ")} <= _NUMBERS
    ]
    levels.append(f"finds ::= {' | '.join(finds) or NOTHING}\n")
    if form.chooses:
        picks = choosing_functions(MAX_DEPTH, hidden)
        levels.append(f"chosen ::= {' | '.join([*finds, *picks, 'choice'])}\n")
    return shared + "".join(levels) + rules.text
