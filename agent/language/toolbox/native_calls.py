"""Plans that a model writes as calls of its own kind: JSON, or the marks of its chat template.

Models that are trained to call tools do so whatever they are asked for, and servers take such calls
out of the text. Either way they become the program that was meant: one statement a call.

    text at the begin ─{ or [{ or ```json─► held back to the end ─► a program, or the text as it is
    text anywhere ─a mark such as <tool_call>─┘
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from llm_compiler.language.toolbox.signatures import python_name

Call = tuple[str, Any]
"""The name of a tool, and its arguments: JSON data, or a text that should be JSON."""

_MARKS = (
    *("<tool_call>", "<toolcall>", "<function=", "<function_call>", "[tool_calls]"),
    *("<|python_tag|>", "<|tool_call", "<｜tool▁call", "<｜tool_call"),
)
_BEGINS = re.compile(r"\s*(?:\{|\[\s*\{|```\s*(?:json|tool_?calls?)\b)")
_MAY_BEGIN = re.compile(r"\s*(?:\[\s*|`{0,3}|```\s*(?:j|js|jso|t|to|too|tool|tool_?\w{0,5})?)")
_MARK = re.compile("|".join(map(re.escape, _MARKS)), re.IGNORECASE)
_PREFIXES = frozenset(mark[:end] for mark in _MARKS for end in range(1, len(mark)))
_MAX_PREFIX = max(map(len, _PREFIXES))
_FUNCTION = re.compile(r"<function=([\w.:-]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([\w-]+)>\n?(.*?)\n?(?:</parameter>|\Z)", re.DOTALL)
_NAMED = re.compile(r"([\w.-]+)\s*(?:```json)?\s*(?:\[ARGS\])?\s*\Z")
"""What stands before arguments that are alone: Mistral's and DeepSeek's forms."""
_NAMES = ("name", "tool", "tool_name", "function", "action")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "action_input", "kwargs")
_LISTS = ("tool_calls", "calls", "actions")
_MAX_CHARS = 200_000
_MAX_DOCUMENTS = 1000
_MAX_NAME_CHARS = 100
_DECODER = json.JSONDecoder()


class NativeCalls:
    """The text of one plan: `feed`, then `close`.

    Args:
        tools: The names of the tools. JSON without a mark is a call only if it names one of them.
    """

    def __init__(self, tools: Collection[str]) -> None:
        self._tools = tools
        self._begun = False
        """Whether it is known that the text does not begin with JSON."""
        self._held = ""
        self._holds = False

    def feed(self, text: str) -> str:
        """Take more text; return what is no call."""
        self._held += text
        if self._holds:
            return self._given_up() if len(self._held) > _MAX_CHARS else ""
        if not self._begun:
            if _BEGINS.match(self._held):
                self._holds = True
                return ""
            if _MAY_BEGIN.fullmatch(self._held):
                return ""
            self._begun = True
        if mark := _MARK.search(self._held):
            self._holds = True
            passed, self._held = self._held[: mark.start()], self._held[mark.start() :]
            return passed
        kept = _unfinished(self._held)
        passed, self._held = (
            self._held[: len(self._held) - kept],
            self._held[-kept:] if kept else "",
        )
        return passed

    def close(self) -> str:
        """The text has ended; return the rest of it, with calls as a program."""
        text, self._held = self._held, ""
        if not self._holds:
            return text
        marked = _MARK.match(text) is not None
        calls = [(tool_name(name), args) for name, args in _calls_in(text)]
        if not calls or not (marked or any(name in self._tools for name, _ in calls)):
            return text
        return as_program(calls)

    def _given_up(self) -> str:
        text, self._held, self._holds, self._begun = self._held, "", False, True
        return text


def as_program(calls: Sequence[Call]) -> str:
    """Calls as a fenced program."""
    return "\n".join(["\n```python", *(as_statement(*call) for call in calls), "```\n"])


def as_statement(name: str, args: Any) -> str:
    """A call as Python; arguments that are no JSON stand as they are, for a diagnostic to show."""
    if isinstance(args, str):
        try:
            args = json.loads(args or "{}")
        except (ValueError, RecursionError):
            return f"{python_name(tool_name(name))}({' '.join(args.split())})"
    if isinstance(args, dict):
        listed = [f"{python_name(str(key))}={value!r}" for key, value in args.items()]
    else:
        listed = [repr(value) for value in (args if isinstance(args, list) else [args])]
    return f"{python_name(tool_name(name))}({', '.join(listed)})"


def tool_name(name: str) -> str:
    """The name of a tool without what models put around it: `functions.search:0`."""
    return re.sub(r":\d+\Z", "", name.strip()).rpartition(".")[2]


def _calls_in(text: str) -> Iterator[Call]:
    if "<function=" in text:
        for name, body in _FUNCTION.findall(text):
            parameters = {key: _value(value) for key, value in _PARAMETER.findall(body)}
            yield name, parameters or body.strip()
        return
    at = last = documents = 0
    while documents < _MAX_DOCUMENTS and (start := _next(text, at)) >= 0:
        documents += 1
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            at = start + 1
            continue
        found = [*_calls_of(value)]
        before = text[max(last, start - _MAX_NAME_CHARS) : start]
        if not found and isinstance(value, dict) and (named := _NAMED.search(before)):
            found = [(named[1], value)]
        yield from found
        at = last = end


def _next(text: str, at: int) -> int:
    found = [start for mark in "{[" if (start := text.find(mark, at)) >= 0]
    return min(found, default=-1)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _calls_of(value: Any) -> Iterator[Call]:
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict):
                yield from _calls_of(item)
        return
    if not isinstance(value, dict):
        return
    for name in _LISTS:
        if isinstance(value.get(name), list):
            yield from _calls_of(value[name])
            return
    if isinstance(inner := value.get("function"), dict):
        value = inner
    named = next((it for name in _NAMES if isinstance(it := value.get(name), str)), None)
    args = next((value[name] for name in _ARGUMENTS if name in value), None)
    if named is not None and isinstance(args, dict | list | str):
        yield named, args


def _unfinished(text: str) -> int:
    """How many of the last characters may be the begin of a mark."""
    tail = text[-_MAX_PREFIX:].casefold()
    return next((len(tail) - at for at in range(len(tail)) if tail[at:] in _PREFIXES), 0)
