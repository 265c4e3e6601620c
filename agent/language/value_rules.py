"""The grammar rules for values in a plan, which do not depend on its tools, and their bounds.

Every repetition is bounded: a small model that decodes greedily may repeat itself until its limit.
"""

from itertools import pairwise

DEFAULT_MAX_STRING_CHARS = 500
"""Characters of a string whose schema has no `maxLength`."""
HARD_MAX_STRING_CHARS = 4000
"""Characters of any string, whatever its `maxLength`."""
DEFAULT_MAX_ITEMS = 20
"""Of a list or an object whose schema has no `maxItems` or `maxProperties`."""
HARD_MAX_ITEMS = 200
_MAX_KEY = 60
MAX_STEPS = 4
"""Steps in the path of a reference."""
NO_REFERENCE = "no-reference"
"""The rule used where no reference is allowed: a character that no model writes."""

PLAIN = r'[^"\\$\x00-\x1f\x7f]'
ESCAPE = r'"\\" ["\\n]'
BEHIND = r'[^"\\$0-9.[\x00-\x1f\x7f]'
"""What may follow a reference in a string without being read as a part of it."""

# A value of any kind has at most three levels of brackets.
VALUE_RULES = (
    rf"""
reference ::= "$" id step{{0,{MAX_STEPS}}}
{NO_REFERENCE} ::= "\x00"
step ::= "." [A-Za-z_] [A-Za-z0-9_]{{0,39}} | "[" "-"? ("0" | [1-9] [0-9]{{0,3}}) "]"
string ::= "\"" ({PLAIN} | {ESCAPE} | "$" [$1-9]){{0,{DEFAULT_MAX_STRING_CHARS}}} "\""
integer ::= "-"? ("0" | [1-9] [0-9]{{0,14}})
number ::= integer ("." [0-9]{{1,15}})?
boolean ::= "true" | "false"
key ::= "\"" {PLAIN}{{1,{_MAX_KEY}}} "\""
scalar ::= string | number | boolean | "null" | reference
""".lstrip()
    + "".join(
        f"""{any} ::= scalar | {any}-list | {any}-map
{any}-list ::= "[" ({below} (", " {below}){{0,{DEFAULT_MAX_ITEMS - 1}}})? "]"
{any}-map ::= "{{" (key ": " {below} (", " key ": " {below}){{0,{DEFAULT_MAX_ITEMS - 1}}})? "}}"
"""
        for any, below in pairwise(["any", "any-inside", "any-innermost", "scalar"])
    )
)
