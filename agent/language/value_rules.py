"""The rules of the values that a plan may hold, whatever its tools are, and their bounds.

Every repetition is bounded: a small model that decodes greedily would repeat itself to the limit.
"""

from itertools import pairwise

MAX_STRING = 500
"""Characters of a string whose schema has no `maxLength`."""
LONGEST_STRING = 4000
"""Whatever its `maxLength` says."""
MAX_ITEMS = 20
"""Of a list or an object whose schema has no `maxItems` or `maxProperties`."""
MOST_ITEMS = 200
_MAX_KEY = 60
MAX_STEPS = 4
"""Of a reference's path."""
NO_REFERENCE = "no-reference"
"""The rule of a reference where none may stand: a character that no model writes."""

PLAIN = r'[^"\\$\x00-\x1f\x7f]'
ESCAPE = r'"\\" ["\\n]'
BEHIND = r'[^"\\$0-9.[\x00-\x1f\x7f]'
"""What may follow a reference in a string without being read as a part of it."""

# A value of any kind has three levels of brackets at most.
VALUE_RULES = (
    rf"""
reference ::= "$" id step{{0,{MAX_STEPS}}}
{NO_REFERENCE} ::= "\x00"
step ::= "." [A-Za-z_] [A-Za-z0-9_]{{0,39}} | "[" "-"? ("0" | [1-9] [0-9]{{0,3}}) "]"
string ::= "\"" ({PLAIN} | {ESCAPE} | "$" [$1-9]){{0,{MAX_STRING}}} "\""
integer ::= "-"? ("0" | [1-9] [0-9]{{0,14}})
number ::= integer ("." [0-9]{{1,15}})?
boolean ::= "true" | "false"
key ::= "\"" {PLAIN}{{1,{_MAX_KEY}}} "\""
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
