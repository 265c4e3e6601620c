"""Expressions to try on `compute`: grown by a grammar, blown up, mutated, and known ways out."""

from collections.abc import Iterator
from random import Random
from typing import Any

from tests.campaigns.escapes import ESCAPES
from tests.campaigns.expressions import mutated
from tests.support.programs import KINDS, Writer

RESULTS: dict[int, Any] = {
    1: 8849,
    2: "1,234",
    3: {"name": "K2", "height": 8611, "more": {"a": [1, 2, 3]}},
    4: '[{"a": 1, "b": [1, 2]}, {"a": 2}]',
    5: [3, 1, 2, 2.5, -7],
    6: "2026-11-27",
    7: "a longer text, with words and 12 % of numbers in it. " * 20,
    8: None,
    9: [{"n": place, "name": f"r{place}"} for place in range(50)],
}
"""What the references of the expressions lead to."""

BOMBS = (
    "'a' * 10**9", "9**9**9", "[0] * 10**9", "10**9 * [0]", "range(10**18)", "list(range(10**9))",
    "'ab' * 499_999", "('ab' * 400_000).upper()", "('a ' * 200_000).split()",
    "[x for x in range(10**6)]", "[x for x in range(45_000)]", "sum(x for x in range(40_000))",
    "[[y for y in range(300)] for x in range(300)]",
    "[x for x in range(200) for y in range(200)]",
    "[x for x in range(20) for y in range(20) for z in range(20) for w in range(20)]",
    "[z for a in range(99) for b in range(99) for c in range(99) for z in range(99)]",
    "f'{1:>999999999}'", "f'{1:.999999999f}'", "f'{1:{10**9}}'", "f'{1:>999}' * 600",
    "f'{1:0999}'", "f'{1e300:,.300f}'", "'%1000000000d' % 1", "'{:>1000000000}'.format(1)",
    "'a'.zfill(10**9)", "'a'.ljust(10**9)", "'a'.center(10**9)", "'a'.rjust(10**9)",
    "'a'.expandtabs(10**9)", "('\\t' * 1000).expandtabs(10**6)", "'a'.join(['b' * 10**5] * 50)",
    "('a' * 10**5).replace('a', 'b' * 10**5)", "('a' * 10**4).replace('', 'b' * 10**4)",
    "int('9' * 10**6)", "float('9' * 10**6)", "int('1' + '0' * 399)", "str(10**4000)",
    "10**4000", "2**10000", "(-2)**10000", "2.5**10000", "0**-1", "(-8)**0.5", "1e308 * 10",
    "round(10**18, -300)", "round(1.5, 10**9)", "1 // 0", "1 % 0", "1 / 0",
    "[x for a in [[1]] for a in [[a, a]] for a in [[a, a]] for a in [[a, a]] for x in a]",
    "[" + "a" + "".join(" for a in [[[1]]]" if not place else " for a in [[a, a]]"
                        for place in range(60)) + "]",
    "str([" + "a" + "".join(" for a in [[[1]]]" if not place else " for a in [[a, a]]"
                            for place in range(60)) + "])",
    "[" + "a == a" + "".join(" for a in [[[1]]]" if not place else " for a in [[a, a]]"
                             for place in range(60)) + "]",
    "sorted([" + "a" + "".join(" for a in [[[1]]]" if not place else " for a in [[a, a], [a, a]]"
                               for place in range(12)) + "])",
    "max([a for a in [[[1]]] for a in [[a, a]] for a in [[a, a]]], key=lambda x: x)",
    "[a for a in ['x'] for a in [a + a]" + " for a in [a + a]" * 60 + "]",
    "['x' * 400_000 + str(x) for x in range(1000)]", "[str($7) for x in range(9000)]",
    "['ab' in $7 for x in range(9000)]", "[$7.count('a') for x in range(9000)]",
    "[$7.split() for x in range(9000)]", "[$7.replace('a', 'bbb') for x in range(9000)]",
    "[$4[0] for x in range(9000)]", "[x in $5 for x in range(9000)]", "[$9 == $9 for x in $9]",
    "[sorted($9, key=lambda r: -r['n']) for x in range(2000)]",
    "[[q for q in $9 if q.n in $5] for x in range(2000)]",
    "sorted(range(40_000), key=lambda x: -x)", "sorted(range(40_000), reverse=True)",
    "sorted(['b', 'a'] * 20_000)", "sorted([[x] for x in range(10_000)])",
    "{x: x for x in range(40_000)}", "{x for x in range(9000)}", "{(x, x) for x in range(2000)}",
    "dict(zip(range(20_000), range(20_000)))", "list(enumerate(range(15_000)))",
    "[*range(20_000), *range(20_000)]", "list('a' * 45_000)", "list(reversed(range(40_000)))",
    "set([[x] for x in range(3000)])", "[].index(1)", "([1] * 40_000).index(2)",
    "[([1] * 400).count(1) for x in range(3000)]", "'a' < 1", "[] < {}", "None + 1", "-'a'",
    "min([])", "max()", "sum(['a'])", "mean([])", "largest({})", "largest([1])", "len(5)",
    "sorted([1, None])", "sorted([1], key=5)", "sorted([1], key=lambda: 1)",
    "sorted([1], key=lambda x, y: 1)", "sorted([1], key=lambda *x: 1)", "sorted(key=len)",
    "sorted($9, key=$3.get)", "max($3, key=$3.get)", "date('2026-13-01')", "date(10**9, 1, 1)",
    "$6 + 10**9", "$6 - 10**18", "$6 * 2", "$6 - $6", "date($6).month", "math.factorial(10**6)",
    "math.comb(10**6, 10**5)", "math.exp(1000)", "math.log(0)", "math.sqrt(-1)", "math.pow(0, -1)",
    "math.floor(1e300)", "factorial(9)", "1" + "+1" * 5000, "(" * 150 + "1" + ")" * 150,
    "-" * 5000 + "1", "not " * 5000 + "1", "[" * 150 + "]" * 150, "a" * 5000, "$999999999999",
    "$10", "$1.$2", "${1}", "${1", "$$1", "$", "__1", "__1.__class__", "$1__", "$1.__class__",
    "$5.__len__()", "$3['__class__']", "$3.get('__class__')", "$7.format($7)", "$7.translate({})",
    "$7.encode()", "''.join", "$3.pop('name')", "$5.append(1)", "$5.sort()", "str.upper('a')",
    "[].__class__", "(lambda x: x)(1)", "map(len, $5)", "filter(None, $5)", "eval('1')",
    "open('x')",
    "type(1)", "getattr($3, 'name')", "print(1)", "answer(1)", "input()", "globals()", "len(*[$5])",
    "len(**{})", "(x := 1)", "[x := 1]", "yield", "await 1", "... ", "b'a'", "1j", "f'{1!z}'",
    "$5[10**18]", "$5[1:10**18]", "$5[::0]", "$5['a':]", "$7[5]", "$7['a']", "$1[0]", "$8.name",
    "$3[$3]", "$3[[1]]", "{[1]: 2}", "{{}: 2}", "{$3: 1}", "$5[None]", "$5[1.0]", "$5[True]",
    "a if b else c", "$5 @ $5", "~1", "1 << 10**9", "1 | 2", "1 is 1", "$8 is None", "$5 is not $5",
)  # fmt: skip


def expressions(random: Random) -> Iterator[str]:
    """Without end: first every bomb and escape, then sound ones, damaged ones and nested ones."""
    yield from BOMBS
    yield from ESCAPES
    while True:
        match random.randint(0, 9):
            case 0 | 1 | 2:
                yield grown(random)
            case 3 | 4 | 5 | 6:
                yield mutated(random, grown(random))
            case 7:
                yield mutated(random, random.choice(BOMBS))
            case 8:
                yield nested(random)
            case _:
                yield mutated(random, random.choice(ESCAPES))[:2000]


def grown(random: Random) -> str:
    """A sound expression over the results."""
    writer = Writer(random, calls=False)
    writer.names |= {
        "$1": "num",
        "$2": "num",
        "$5": "nums",
        "$3": "dict",
        "$7": "text",
        "$9": "recs",
    }
    return writer.expression(random.choice(KINDS), random.randint(1, 6))


def nested(random: Random) -> str:
    """Comprehensions in comprehensions over ranges of chance lengths."""
    written = random.choice(
        ["x", "x * y", "[x, y]", "f'{x:>{y}}'", "str(x) * y", "{x: y}", "x ** y"]
    )
    for _ in range(random.randint(1, 4)):
        name = random.choice("xy")
        length = random.choice([3, 50, 1000, 10**5])
        form = random.choice(["[{}]", "sum({})", "sorted({})", "len([{}])", "str([{}])", "max({})"])
        written = form.format(f"{written} for {name} in range({length})")
    return f"[{written} for x in [1] for y in [2]]"
