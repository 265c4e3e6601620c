"""Worked programs as earlier turns of the chat: a question, and the program that answers it.

Some are sent with every question, so that the prompt begins the same and a server reads that part
once. Of those that begin with a line "Like: …", the ones nearest to the question follow: a small
model copies the form of what it read last.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from llm_compiler.prompting.overrides import called_tools, question_and_program
from llm_compiler.prompting.question_form import asks_rates, changes, form_of, unwanted
from llm_compiler.prompts import examples

NEAREST: Final = 3
"""How many are chosen for a question."""
_SAME_FORM: Final = 0.7
"""How much likeness it adds that both change figures first, or ask for a rate."""


@dataclass(frozen=True)
class _Example:
    text: str
    """The question and the program."""
    words: frozenset[str] = frozenset()
    """What questions like it say, as stems."""
    always: bool = False
    """Whether it is sent with every question."""

    @cached_property
    def question(self) -> str:
        return question_and_program(self.text)[0]

    def asks_like(self, question: str) -> bool:
        """Whether it asks for the same: which one, or how much; True if that is unclear.

        One that changes a figure first is like no question that changes none. Of a question that
        asks for a rate, only those are that do so too: others look up each figure by itself.
        """
        if asks_rates(question):
            return asks_rates(self.question)
        own, its = unwanted(self.question), unwanted(question)
        same = own[:1] == its[:1] or not {"min", "largest"} & {*its[:1]}
        return same and (changes(question) or not changes(self.question))


_SHIPPED: Final = tuple(_Example(text, form_of(like), always) for like, always, text in examples())
_COUNTS: Final = Counter(word for example in _SHIPPED for word in example.words)


def worked_programs(
    tools: Collection[str], added: Sequence[str] = (), *, shipped: bool = True, question: str = ""
) -> list[BaseMessage]:
    """The worked programs that call only these tools, the nearest to the question last.

    If `shipped`, these are the ones for every question, those `added`, and those chosen; else those
    `added` alone.
    """
    offered = [it for it in _SHIPPED if shipped and _called(it.text) <= set(tools)]
    every = [it.text for it in offered if it.always]
    more = [text for text in added if _called(text) <= set(tools)]
    turns: list[BaseMessage] = []
    for text in (*every, *more, *_nearest(offered, question)):
        asked, program = question_and_program(text)
        turns += [HumanMessage(asked), AIMessage(f"```python\n{program}\n```")]
    return turns


def _called(text: str) -> set[str]:
    return called_tools(question_and_program(text)[1])


def _nearest(offered: Sequence[_Example], question: str) -> Iterator[str]:
    """The examples that share the most words with a question, rare words above all; the best last.

    Those that share none are left out, and those that ask for something else: of a question that
    asks which, no program that ends with a value. A question that says no more than one that is
    sent with every question needs none: each takes a small model's server a second to read.
    """
    said, changed, rates = form_of(question), changes(question), asks_rates(question)
    if said and any(said <= example.words for example in offered if example.always):
        return

    def likeness(example: _Example) -> float:
        # The order of a set differs from process to process, and so would the rounding of a sum.
        rarity = (math.log(len(_SHIPPED) / _COUNTS[word]) for word in said & example.words)
        same = (changed and changes(example.question)) or rates
        return _SAME_FORM * same + math.fsum(rarity) / math.sqrt(len(example.words) or 1)

    alike = [it for it in offered if not it.always and it.asks_like(question)]
    best = sorted(alike, key=likeness, reverse=True)[:NEAREST]
    yield from (example.text for example in reversed(best) if likeness(example) > 0)
