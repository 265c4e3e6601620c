"""The plan language as a grammar (GBNF), for servers that decode under one: llama.cpp, vLLM.

It accepts a part of the language, in its usual layout: a fenced program of straight lines, which
ends with its answer. All of it is Python that compiles, but for what no grammar can know: names
that stand for nothing, and what a schema says beyond its types (`pattern`, `minimum`).
"""

from collections.abc import Collection, Mapping

from llm_compiler.language.gbnf import Rules, defined
from llm_compiler.language.program_rules import COMPARED, MAX_DEPTH, expression_rules, shared_rules
from llm_compiler.language.schema_grammar import Inner, ToolCalls
from llm_compiler.language.signatures import python_name
from llm_compiler.language.task import ANSWER
from llm_compiler.language.tool import Tool

_MAX_LINES = 40
"""Before the answer."""


def program_grammar(tools: Mapping[str, Tool], without: Collection[str] = ()) -> str:
    """The grammar of one program that calls these tools.

    A tool whose name has two underscores is left out, and so are the language's own functions
    `without` which the program shall do; no name begins as theirs do, or a model that has begun
    to write one would end it as a name. `">"` among them leaves out whether one is larger.
    """
    tests = COMPARED not in without
    without = [name for name in without if name != COMPARED]
    called = {python_name(name): tool for name, tool in tools.items()}
    offered = [tool for name, tool in called.items() if "__" not in name]
    shared = shared_rules(_MAX_LINES, [*called, ANSWER], without, tests=tests)
    bare = "".join(expression_rules(depth, ["call"], tests=tests) for depth in range(MAX_DEPTH + 1))
    rules = Rules([*defined(shared), *defined(bare)])
    levels = []
    for depth in range(MAX_DEPTH + 1):
        inner = Inner(*(f"{kind}-{depth - 1}" for kind in ("computed", "text", "value")))
        calls = [ToolCalls(rules, tool, inner).rule() for tool in offered] if depth else []
        levels.append(expression_rules(depth, calls, hidden=[*called, *without], tests=tests))
    return shared + "".join(levels) + rules.text
