"""The plan language as a grammar (GBNF), for servers that decode under one: llama.cpp, vLLM.

It accepts the canonical form only: one task a line, ", " between arguments, double quotes.
Whatever it accepts compiles, but for what no grammar can know (ids that are taken or lead nowhere,
cycles) and what a schema says beyond its types (`pattern`, `format`, `minimum`, `uniqueItems`).
"""

from collections.abc import Mapping
from functools import lru_cache

from llm_compiler.language.gbnf import Rules, defined, quoted
from llm_compiler.language.parser import JOIN, PlanParser
from llm_compiler.language.schema_grammar import ToolCalls
from llm_compiler.language.stages import STAGE_RULES, staged_rules, stages_of
from llm_compiler.language.task import ANSWER
from llm_compiler.language.tool import Tool
from llm_compiler.language.value_rules import ESCAPE, MAX_STEPS, NO_REFERENCE, PLAIN, VALUE_RULES

MAX_TASKS = 50
_MAX_THOUGHT = 200
"""Characters, as the next one."""
_MAX_ANSWER = 2000
_MAX_AFTER = 10

# In a thought, what opens a call, a comment or an end mark would be no thought to the parser; and
# its full stop keeps a last word "3. after" from reaching for the id on the next line.
_COMMON = (
    rf"""
thought ::= "Thought: " [^(#<\x00-\x1f\x7f]{{1,{_MAX_THOUGHT}}} ".\n"
answer-text ::= "\"" ({PLAIN} | {ESCAPE}) answer-part{{0,{_MAX_ANSWER - 1}}} "\""
answer-part ::= {PLAIN} | {ESCAPE} | "$" [^{{$"\\\x00-\x1f\x7f]
""".lstrip()
    + VALUE_RULES
)
_PLAN_RULES = {"root", "answer", "tasks", "line", "task", "after", "id", "call", *STAGE_RULES}


def plan_grammar(
    tools: Mapping[str, Tool],
    first_id: int = 1,
    max_tasks: int = MAX_TASKS,
    *,
    staged: bool = False,
) -> str:
    """The grammar of one plan whose first task has the id `first_id`.

    A tool whose name the plan language cannot write is left out. `staged`: only plans in stages
    (agent/language/stages.py), where all tools have one.

    Raises:
        SetupError: a schema's `gbnf` uses a rule that it does not define.
    """
    rules = Rules({*_PLAN_RULES, *defined(_COMMON)})
    offered = [tool for tool in tools.values() if _is_name(tool.name)]
    stages = stages_of(offered) if staged and first_id == 1 and max_tasks >= MAX_TASKS else None
    if stages:

        def call(tool: Tool, ids: str) -> str:
            return ToolCalls(rules, tool, _reference(rules, ids)).rule()

        plan = staged_rules(stages, call)
        plan |= {"root": "thought (answer | tasks)", "id": "[1-9] [0-9]?"}
    else:
        plan = _free_rules(
            [ToolCalls(rules, tool, "reference").rule() for tool in offered], first_id, max_tasks
        )
    plan["answer"] = f'{quoted(f"{first_id}. {ANSWER}(")} answer-text ")"'
    ordered = {"root": plan["root"], **plan}
    return "".join(f"{name} ::= {body}\n" for name, body in ordered.items()) + rules.text + _COMMON


def _free_rules(calls: list[str], first_id: int, max_tasks: int) -> dict[str, str]:
    """The rules of a plan whose tasks stand in any order."""
    digits = max(3, len(str(first_id + max_tasks)))
    plan = {
        "root": "thought? (answer | tasks)" if calls else "thought? answer",
        "id": f"[1-9] [0-9]{{0,{digits - 1}}}",
    }
    if not calls:
        return plan
    lines = min(max_tasks, MAX_TASKS) - 1
    more = f"line{{0,{lines}}} " if lines > 0 else ""
    return plan | {
        "tasks": f'{quoted(f"{first_id}. ")} task {more}id ". {JOIN}()"',
        "line": 'id ". " task',
        "task": r'after? call "\n"',
        "after": f'"after " id (", " id){{0,{_MAX_AFTER - 1}}} ": "',
        "call": " | ".join(calls),
    }


def _reference(rules: Rules, ids: str) -> str:
    """The name of the rule of references to the ids of this pattern."""
    return rules.rule("reference", f'"$" ({ids}) step{{0,{MAX_STEPS}}}') if ids else NO_REFERENCE


@lru_cache(maxsize=1024)
def _is_name(name: str) -> bool:
    """Whether the plan language can call a tool of this name."""
    calls = PlanParser().feed(f"1. {name}()")
    return [call.tool for call in calls] == [name]
