"""The plan language as a grammar (GBNF), for servers that decode under one: llama.cpp, vLLM.

It accepts a part of the language, in its usual layout: a fenced program of straight lines, which
ends with its answer. All of it is Python that compiles, but for what no grammar can know: names
that stand for nothing, and what a schema says beyond its types (`pattern`, `minimum`).
"""

from collections.abc import Collection, Mapping

from llm_compiler.language.grammar.gbnf import Rules, defined
from llm_compiler.language.grammar.program_rules import (
    COMPARED,
    MAX_DEPTH,
    choosing_functions,
    expression_rules,
    shared_rules,
)
from llm_compiler.language.grammar.schema_grammar import Inner, ToolCalls
from llm_compiler.language.tasks.task import ANSWER
from llm_compiler.language.toolbox.signatures import python_name
from llm_compiler.language.toolbox.stubs import returned_type
from llm_compiler.language.toolbox.tool import Tool

_MAX_LINES = 40
"""Before the answer."""
_NUMBERS = {"float", "int"}


def program_grammar(
    tools: Mapping[str, Tool],
    without: Collection[str] = (),
    *,
    chooses: bool = False,
    divides: bool = False,
) -> str:
    """The grammar of one program that calls these tools.

    A tool whose name has two underscores is left out, and so are the language's own functions
    `without` which the program shall do; no name begins as theirs do, or a model that has begun
    to write one would end it as a name. `">"` among them leaves out whether one is larger.

    If `chooses`, what the program looks up or computes ends with one of several things, or with
    the result of a tool that may give one: not with a number. If it `divides`, it
    divides two figures of each of several things, and chooses one of them.
    """
    tests = COMPARED not in without
    without = [name for name in without if name != COMPARED]
    called = {python_name(name): tool for name, tool in tools.items()}
    offered = [tool for name, tool in called.items() if "__" not in name]
    hidden = [*called, *without]
    # A small model that wants to answer too early would else write the word as a name's beginning.
    barred = [*without, ANSWER] if chooses else without
    shared = shared_rules(
        *(_MAX_LINES, [*called, ANSWER], barred), tests=tests, chooses=chooses, divides=divides
    )
    bare = "".join(expression_rules(depth, ["call"], tests=tests) for depth in range(MAX_DEPTH + 1))
    rules = Rules([*defined(shared), *defined(bare)])
    levels = []
    for depth in range(MAX_DEPTH + 1):
        inner = Inner(*(f"{kind}-{depth - 1}" for kind in ("computed", "text", "value")))
        calls = [ToolCalls(rules, tool, inner).rule() for tool in offered] if depth else []
        levels.append(expression_rules(depth, calls, hidden=hidden, tests=tests))
    if chooses:
        finds = [
            call
            for tool, call in zip(offered, calls, strict=True)
            if not {*returned_type(tool).split(" | ")} <= _NUMBERS
        ]
        picks = choosing_functions(MAX_DEPTH, hidden)
        levels.append(f"chosen ::= {' | '.join([*finds, *picks, 'choice'])}\n")
    return shared + "".join(levels) + rules.text
