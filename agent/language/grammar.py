"""The plan language as a grammar (GBNF), for servers that decode under one: llama.cpp, vLLM.

    schema of a parameter ─► rule of its values ─► rule of the tool's calls ─► root

It accepts the canonical form only: one task a line, ", " between arguments, double quotes.
Whatever it accepts compiles, but for what no grammar can know (ids that are taken or lead nowhere,
cycles) and what a schema says beyond its types (`pattern`, `format`, `minimum`, `uniqueItems`).
Every repetition is bounded: a small model that decodes greedily would repeat itself to the limit.

A parameter's schema, or a part of it, may carry rules of its own under the key `gbnf`: a text
whose first rule is the content of a quoted string, and whose other rules are its helpers.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

from llm_compiler.errors import PlanError, SetupError
from llm_compiler.language.arguments import read_arguments
from llm_compiler.language.parser import ANSWER, JOIN, PlanParser
from llm_compiler.language.references import references
from llm_compiler.language.stages import STAGE_RULES, staged_rules, stages_of
from llm_compiler.language.tool import Tool

MAX_TASKS = 50
MAX_THOUGHT = 200
"""Characters, as all bounds of texts here."""
MAX_ANSWER = 2000
MAX_STRING = 500
"""Of a string whose schema has no `maxLength`."""
LONGEST_STRING = 4000
"""Whatever its `maxLength` says."""
MAX_ITEMS = 20
"""Of a list or an object whose schema has no `maxItems` or `maxProperties`."""
MOST_ITEMS = 200
MAX_KEY = 60
MAX_AFTER = 10
MAX_STEPS = 4
"""Of a reference's path."""
NO_REFERENCE = "no-reference"
"""The rule of a reference where none may stand: a character that no model writes."""

Schema = Mapping[str, Any] | bool

_PLAIN = r'[^"\\$\x00-\x1f\x7f]'
_ESCAPE = r'"\\" ["\\n]'
_BEHIND = r'[^"\\$0-9.[\x00-\x1f\x7f]'
"""What may follow a reference in a string without being read as a part of it."""
# A value of any kind has three levels of brackets at most.
# In a thought, what opens a call, a comment or an end mark would be no thought to the parser; and
# its full stop keeps a last word "3. after" from reaching for the id on the next line.
_COMMON = (
    rf"""
thought ::= "Thought: " [^(#<\x00-\x1f\x7f]{{1,{MAX_THOUGHT}}} ".\n"
answer-text ::= "\"" ({_PLAIN} | {_ESCAPE}) answer-part{{0,{MAX_ANSWER - 1}}} "\""
answer-part ::= {_PLAIN} | {_ESCAPE} | "$" [^{{$"\\\x00-\x1f\x7f]
reference ::= "$" id step{{0,{MAX_STEPS}}}
{NO_REFERENCE} ::= "\x00"
step ::= "." [A-Za-z_] [A-Za-z0-9_]{{0,39}} | "[" "-"? ("0" | [1-9] [0-9]{{0,3}}) "]"
string ::= "\"" ({_PLAIN} | {_ESCAPE} | "$" [$1-9]){{0,{MAX_STRING}}} "\""
integer ::= "-"? ("0" | [1-9] [0-9]{{0,14}})
number ::= integer ("." [0-9]{{1,15}})?
boolean ::= "true" | "false"
key ::= "\"" {_PLAIN}{{1,{MAX_KEY}}} "\""
scalar ::= string | number | boolean | "null" | reference
""".lstrip()
    + "".join(
        f"""{any} ::= scalar | {any}-list | {any}-map
{any}-list ::= "[" ({below} (", " {below}){{0,{MAX_ITEMS - 1}}})? "]"
{any}-map ::= "{{" (key ": " {below} (", " key ": " {below}){{0,{MAX_ITEMS - 1}}})? "}}"
"""
        for any, below in pairwise(["any", "any-inside", "any-innermost", "scalar"])
    )
)
_DEFINED = re.compile(r"^\s*([A-Za-z][\w-]*)\s*::=", re.MULTILINE)
_PLAN_RULES = {"root", "answer", "tasks", "line", "task", "after", "id", "call", *STAGE_RULES}
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|#.*|(?P<name>[A-Za-z][\w-]*)')
_SCALARS = {
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "null": '"null"',
}
# Keys that say what a value is made of, and what kind of value that is.
_STRUCTURE = {
    "type": "",
    "properties": "object",
    "required": "",
    "additionalProperties": "object",
    "items": "array",
    "prefixItems": "array",
}


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
    rules = _Rules()
    offered = [tool for tool in tools.values() if _is_name(tool.name)]
    stages = stages_of(offered) if staged and first_id == 1 and max_tasks >= MAX_TASKS else None
    if stages:

        def call(tool: Tool, ids: str) -> str:
            return _Calls(rules, tool, rules.reference(ids)).rule()

        plan = staged_rules(stages, call)
        plan |= {"root": "thought (answer | tasks)", "id": "[1-9] [0-9]?"}
    else:
        plan = _free_rules(
            [_Calls(rules, tool, "reference").rule() for tool in offered], first_id, max_tasks
        )
    plan["answer"] = f'{_quoted(f"{first_id}. {ANSWER}(")} answer-text ")"'
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
        "tasks": f'{_quoted(f"{first_id}. ")} task {more}id ". {JOIN}()"',
        "line": 'id ". " task',
        "task": r'after? call "\n"',
        "after": f'"after " id (", " id){{0,{MAX_AFTER - 1}}} ": "',
        "call": " | ".join(calls),
    }


class _Rules:
    """The rules of the tools, under names that clash with none. Equal ones are one rule."""

    def __init__(self) -> None:
        self._taken = {*_PLAN_RULES, *_DEFINED.findall(_COMMON)}
        self._names: dict[str, str] = {}
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def reserve(self, hint: str) -> str:
        """A name that no rule has, like `hint`."""
        slug = re.sub(r"[^a-z0-9]+", "-", hint.lower()).strip("-")[:40]
        name = slug = slug if slug[:1].isalpha() else f"x{slug}"
        count = 1
        while name in self._taken:
            count += 1
            name = f"{slug}-{count}"
        self._taken.add(name)
        return name

    def define(self, name: str, body: str) -> None:
        self._texts.append(f"{name} ::= {body}\n")

    def reference(self, ids: str) -> str:
        """The name of the rule of references to the ids of this pattern."""
        return self.rule("reference", f'"$" ({ids}) step{{0,{MAX_STEPS}}}') if ids else NO_REFERENCE

    def rule(self, hint: str, body: str) -> str:
        """The name of the rule with this body."""
        if body not in self._names:
            self._names[body] = self.reserve(hint)
            self.define(self._names[body], body)
        return self._names[body]

    def content(self, hint: str, gbnf: str, reference: str) -> str:
        """The name of the first of a tool's own rules, which may use the rule `reference`.

        Raises:
            SetupError: one that they use is not among them.
        """
        key = f"{reference} {gbnf}"
        if key not in self._names:
            own = {name: self.reserve(f"{hint}-{name}") for name in _DEFINED.findall(gbnf)}
            if not own:
                raise SetupError(f"the gbnf of {hint} has no rule; write content ::= …")
            first = next(iter(own.values()))
            own.setdefault("reference", reference)

            def renamed(token: re.Match[str]) -> str:
                name = token["name"]
                if name is None:
                    return "" if token[0].startswith("#") else token[0]
                if name not in own:
                    raise SetupError(f"the gbnf of {hint} uses the rule {name!r}; define it there")
                return own[name]

            self._texts.append(_TOKEN.sub(renamed, gbnf).strip() + "\n")
            self._names[key] = first
        return self._names[key]


class _Calls:
    """Writes the rules of one tool's calls into `rules`.

    `reference` is the rule of the references that they may have.
    """

    def __init__(self, rules: _Rules, tool: Tool, reference: str) -> None:
        self._rules = rules
        self._tool = tool
        self._reference = reference
        self._references = [reference] if reference != NO_REFERENCE else []
        self._bracketed: dict[str, str] = {}

    def rule(self) -> str:
        name = self._rules.reserve(self._tool.name)
        opening = _quoted(f"{self._tool.name}(")
        self._rules.define(name, " ".join([opening, *self._arguments(), '")"']))
        return name

    def _arguments(self) -> list[str]:
        names, required = list(self._tool.parameters), self._tool.required
        values = {name: self._value(schema) for name, schema in self._tool.parameters.items()}
        named = {n: f"{_quoted(f'{n}=')} {values[n]}" for n in names if _is_keyword(n)}
        # One that is required but cannot be named must have all before it.
        unnamed = max((i + 1 for i, n in enumerate(names) if n in required - set(named)), default=0)
        leading = unnamed
        while leading < len(names) and names[leading] in required:
            leading += 1
        others = names[leading:]
        rest = self._listed(
            [named[name] for name in others if name in required],
            [named[name] for name in others if name in named and name not in required],
            led=leading > 0,
        )
        # Once one is named, all behind it are: so it is in Python.
        all_named = rest
        for index in reversed(range(leading)):
            comma = ['", "'] if index else []
            positional = [values[names[index]], *rest]
            if index < unnamed:
                rest = [*comma, *positional]
                continue
            by_name = [named[names[index]], *all_named]
            rest = [*comma, "(", *positional, "|", *by_name, ")"]
            all_named = [*comma, *by_name]
        return rest

    def _listed(self, required: list[str], optional: list[str], *, led: bool) -> list[str]:
        """Items in their order, with commas between. `led`: others stand before them."""
        tail: list[str] = []
        starts: list[str] = []
        for item in reversed(optional):
            starts.insert(0, " ".join([item, *tail]))
            tail = [self._rules.rule("more", " ".join([f'(", " {item})?', *tail]))]
        if not led and not required:
            return [f"({' | '.join(starts)})?"] if starts else []
        commas = [part for item in required for part in ('", "', item)]
        return (commas if led else commas[1:]) + tail

    # ── values ────────────────────────────────────────────────────────────────────────────────

    def _value(self, schema: Schema) -> str:
        """The rule of a value. Each may be a reference instead."""
        alternatives = dict.fromkeys(self._alternatives(schema))
        if "any" in alternatives:
            return "any"
        if "number" in alternatives:
            alternatives.pop("integer", None)
        return self._rules.rule("value", " | ".join([*alternatives, *self._references]))

    def _alternatives(self, schema: Schema, through: frozenset[str] = frozenset()) -> list[str]:
        """What a value may look like. `through`: the `$ref`s that led here without a bracket."""
        if not isinstance(schema, Mapping):
            return ["any"] if schema else []
        if "gbnf" in schema:
            content = self._rules.content(self._tool.name, schema["gbnf"], self._reference)
            return [rf'"\"" {content} "\""']
        if "$ref" in schema:
            pointer = schema["$ref"]
            if pointer in through:
                return []
            return self._alternatives(self._resolved(schema), through | {pointer})
        if "enum" in schema or "const" in schema:
            choices = schema["enum"] if "enum" in schema else [schema["const"]]
            return [_quoted(text) for choice in choices if (text := _written(choice))]
        if "allOf" in schema:
            return self._alternatives(self._merged(schema, *schema["allOf"]), through)
        for union in ("anyOf", "oneOf"):
            if union in schema:
                parts = [self._merged(schema, part) for part in schema[union]]
                return [text for part in parts for text in self._alternatives(part, through)]
        kinds = schema.get("type") or next(filter(None, map(_STRUCTURE.get, schema)), "any")
        return [self._of(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)]

    def _resolved(self, schema: Schema) -> Schema:
        """The schema that a `$ref` leads to; any value where it leads nowhere."""
        if not isinstance(schema, Mapping) or "$ref" not in schema:
            return schema
        found: Any = self._tool.schema
        for step in schema["$ref"].removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key, True) if isinstance(found, Mapping) else True
        return found if schema["$ref"].startswith("#") else True

    def _merged(self, schema: Mapping[str, Any], *parts: Schema) -> Schema:
        """One schema for what stands beside `allOf`, `anyOf` or `oneOf` and for its parts."""
        whole = {key: schema[key] for key in _STRUCTURE if key in schema}
        if not whole and len(parts) == 1:
            return parts[0]
        for part in map(self._resolved, parts):
            if isinstance(part, Mapping):
                properties = {**whole.get("properties", {}), **part.get("properties", {})}
                required = [*whole.get("required", ()), *part.get("required", ())]
                both = {"properties": properties, "required": required}
                whole |= {**part, **{key: both[key] for key in both if both[key]}}
        return whole

    def _of(self, kind: str, schema: Mapping[str, Any]) -> str:
        if kind == "string":
            return self._string(schema)
        if kind not in ("array", "object"):
            return _SCALARS.get(kind, "any")
        # A schema that leads back to itself becomes a rule that does.
        key = f"{kind} {json.dumps(schema, sort_keys=True, default=str)}"
        if key not in self._bracketed:
            name = self._bracketed[key] = self._rules.reserve(kind)
            body = self._array(schema) if kind == "array" else self._object(schema)
            if body in ("any-list", "any-map"):
                self._bracketed[key] = body
            else:
                self._rules.define(name, body)
        return self._bracketed[key]

    def _string(self, schema: Mapping[str, Any]) -> str:
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        any_id = self._reference == "reference"
        if any_id and not least and most is None:
            return "string"
        # A schema counts a written $$ as two characters, so where it counts there is none.
        others = ['"$$"'] if most is None else []
        others += ['"$" [1-9]'] if any_id else [f"{name} {_BEHIND}" for name in self._references]
        last = "" if any_id else "".join(f" {name}?" for name in self._references)
        bound = _within(least, most, MAX_STRING, LONGEST_STRING)
        character = f"({' | '.join([_PLAIN, _ESCAPE, *others])})"
        return self._rules.rule("string", rf'"\"" {character}{{{least},{bound}}}{last} "\""')

    def _array(self, schema: Mapping[str, Any]) -> str:
        if prefix := schema.get("prefixItems"):
            return " ".join(
                ['"["', *self._listed(list(map(self._value, prefix)), [], led=False), '"]"']
            )
        item = self._value(schema.get("items", True))
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        if item == "any" and not least and most is None:
            return "any-list"
        return f'"[" {_repeated(item, least, most)} "]"'

    def _object(self, schema: Mapping[str, Any]) -> str:
        properties = schema.get("properties", {})
        required = dict.fromkeys(schema.get("required", ()))
        others = schema.get("additionalProperties", True)
        if not properties and not required and others is not False:
            return self._map(schema, others)
        if not all(map(_written, required)):
            return self._reference
        items = {
            key: f"{_quoted(f'{written}: ')} {self._value(properties.get(key, True))}"
            for key in {**properties, **required}
            if (written := _written(key))
        }
        listed = self._listed(
            [items[key] for key in items if key in required],
            [items[key] for key in items if key not in required],
            led=False,
        )
        return " ".join(['"{"', *listed, '"}"'])

    def _map(self, schema: Mapping[str, Any], values: Schema) -> str:
        value = self._value(values)
        least, most = schema.get("minProperties", 0), schema.get("maxProperties")
        names = self._resolved(schema.get("propertyNames", True))
        choices = names.get("enum", ()) if isinstance(names, Mapping) else ()
        keys = " | ".join(_quoted(text) for choice in choices if (text := _written(choice)))
        if value == "any" and not least and most is None and not keys:
            return "any-map"
        pair = self._rules.rule("pair", f'{f"({keys})" if keys else "key"} ": " {value}')
        return f'"{{" {_repeated(pair, least, most)} "}}"'


def _within(least: int, most: int | None, usual: int, limit: int) -> int:
    """The bound of a repetition: its schema's, within our limit, or the usual one."""
    return max(least, min(usual if most is None else most, limit))


def _repeated(item: str, least: int, most: int | None) -> str:
    """Items with commas between, as many as a schema asks for and our bounds allow."""
    bound = _within(least, most, MAX_ITEMS, MOST_ITEMS)
    if bound < 1:
        return ""
    more = f' (", " {item}){{{max(least - 1, 0)},{bound - 1}}}' if bound > 1 else ""
    items = f"{item}{more}"
    return items if least else f"({items})?"


def _quoted(text: str) -> str:
    """A text as a literal of GBNF."""
    return f'"{"".join(map(_character, text))}"'


def _character(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if " " <= character <= "~":
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _written(value: Any) -> str | None:
    """A value as the plan language writes it, or None if it would read something else there."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        same = read_arguments(text) == ([value], {})
    except PlanError:
        return None
    return text if same and "$$" not in text and not any(references(value)) else None


@lru_cache(maxsize=1024)
def _is_name(name: str) -> bool:
    """Whether the plan language can call a tool of this name."""
    calls = PlanParser().feed(f"1. {name}()")
    return [call.tool for call in calls] == [name]


@lru_cache(maxsize=1024)
def _is_keyword(name: str) -> bool:
    """Whether the plan language can name an argument so; in Python `from` would be no name."""
    try:
        return read_arguments(f"{name}=0") == ([], {name: 0})
    except PlanError:
        return False
