"""What a kind of model needs from the agent: a `ModelProfile`, which `providers` chooses.

The nodes read its fields and never check which model it is. The defaults suit a large hosted model.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from llm_compiler.prompting.attachments import KINDS

Dialect = Literal["llama.cpp", "vllm"]
"""How a server accepts a grammar: under which key in the body of a request."""


@dataclass(frozen=True, kw_only=True)
class ModelProfile:
    """How the planner, the joiner and the model's stream treat a model."""

    few_shot: bool = False
    """Send the worked programs to the planner when the setting `examples` is "auto". A small model
    plans well only with them; for a large model they are wasted tokens."""
    grammar: Dialect | None = None
    """How its server accepts a grammar; None if it decodes without one. Under a grammar, a small
    model cannot write a plan that does not parse."""
    show_failures: bool = True
    """Show the planner of a later round which calls failed and why. A small model repeats the
    calls that it is shown."""
    replan_on_failure: bool = False
    """Replan without asking the joiner when the round's last task, which the others prepare, did
    not end `ok`. If a small model has to answer in that case, it invents a figure. A round that
    fails for no other reasons than an earlier one is the last: the model repeats itself."""
    offer_replan_when_all_ok: bool = True
    """Tell the joiner that it may replan even if every task ended `ok`. A small model mistakes the
    offer for the expected form of the answer."""
    answer: Literal["plan", "joiner"] = "plan"
    """Who writes the reply where a plan of this model ends in words of its own and the setting
    `answer` is "auto". "joiner" costs a call, and suits a model whose own words are often wrong."""
    names_which: bool = False
    """Leave out of the grammar what gives something else than the question asks for: a small model
    takes `min` for `smallest`, `smallest` for `min`, and compares where it has to choose."""
    max_tokens: int | None = None
    """The most tokens of a reply; a role may ask for fewer. None: no limit is sent, because hosted
    models count their reasoning as part of it. A small model may repeat itself until its context
    is full."""
    silence: float = 120.0
    """Seconds without a chunk, reasoning included, after which a reply counts as broken off. A
    model on a busy machine may take minutes to read a long prompt."""
    names_end: bool = False
    """Whether its server always gives the reason for the end of a reply. If so, a reply without a
    reason broke off."""
    thinks: bool = False
    """Whether its text may begin with a thought that no tag opens, because its chat template wrote
    the tag into the prompt. If so, no text is passed on before the thought's closing tag, or the
    reply's end."""
    refuses: frozenset[str] = frozenset()
    """The kinds of attachments (attachments.py) that it does not take. Others are tried."""


DEFAULT_PROFILE: Final = ModelProfile()
"""For any provider's chat model, about which nothing is known."""
OPENAI_PROFILE: Final = ModelProfile(names_end=True)
"""For models behind OpenAI's protocol."""
LOCAL_PROFILE: Final = ModelProfile(
    few_shot=True,
    grammar="llama.cpp",
    show_failures=False,
    replan_on_failure=True,
    offer_replan_when_all_ok=False,
    names_which=True,
    max_tokens=2048,
    silence=600.0,
    names_end=True,
    refuses=KINDS,
)
"""For the embedded model, which has 1.5 billion parameters."""

_INPUTS = {
    "image_inputs": "picture",
    "audio_inputs": "recording",
    "video_inputs": "video",
    "pdf_inputs": "file",
}
"""By the names of LangChain's model profiles."""

# Their templates open the thought. Models that write the opening tag themselves (Qwen3, Magistral,
# gpt-oss, …) are not among these: their thoughts are known at once, and nothing has to be held.
_THINKS = re.compile(
    r"deepseek[-_.]?r1|(?<![a-z0-9])r1(?![a-z0-9])|reasoner|qwq|thinking|(?<![a-z])think(?![a-z])"
    r"|minimax-m[2-9]|exaone-(?:deep|4)|nemotron-(?:nano|3)|sonar-reasoning|deephermes",
    re.IGNORECASE,
)
_THINKS_APART = re.compile(r"non?[-_]?think", re.IGNORECASE)


def with_inputs(profile: ModelProfile, known: Mapping[str, Any] | None) -> ModelProfile:
    """`profile`, with the attachments that the model does not take, as LangChain knows it."""
    refused = {kind for name, kind in _INPUTS.items() if known and known.get(name) is False}
    return replace(profile, refuses=frozenset(refused)) if refused else profile


def profile_of(name: str, profile: ModelProfile) -> ModelProfile:
    """`profile`, with what is known about the model of this name."""
    if _THINKS.search(name) and not _THINKS_APART.search(name):
        return replace(profile, thinks=True)
    return profile
