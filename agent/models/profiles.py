"""What one kind of model needs of the agent: a `ModelProfile`, which `providers` chooses.

The nodes read its fields and never ask which model it is. The defaults suit a large hosted model.
"""

from dataclasses import dataclass
from typing import Final, Literal

Dialect = Literal["llama.cpp", "vllm"]
"""How a server takes a grammar: under which name in the body of a request."""


@dataclass(frozen=True, kw_only=True)
class ModelProfile:
    """How the planner, the joiner and the model's stream treat a model."""

    few_shot: bool = False
    """Send the planner worked plans while the setting `examples` is "auto", and under a grammar
    ask for plans like them. A small model plans well only by copying the form of a worked plan;
    for a large one they are tokens without use."""
    grammar: Dialect | None = None
    """The dialect in which its server takes a grammar; None if it decodes freely. Under a grammar
    a small model cannot write a plan that does not parse."""
    show_failures: bool = True
    """Show the planner of a later round which calls failed and why. A small model repeats the
    calls that it is shown."""
    replan_on_failure: bool = False
    """Replan without asking the joiner when the round's last task, to which the others lead, did
    not end `ok`. Asked to answer then, a small model makes a figure up."""
    offer_replan_when_all_ok: bool = True
    """Tell the joiner that it may replan even though every task ended `ok`. A small model takes
    the offer for the form of the answer."""
    max_tokens: int | None = None
    """The most tokens of a reply; a role may ask for fewer. None: no limit is sent, because hosted
    models count their reasoning in it. A small model may repeat itself until its context is
    full."""
    silence: float = 120.0
    """Seconds without a chunk, reasoning included, after which a reply counts as broken. A model
    on a busy machine reads a full prompt for minutes."""
    names_end: bool = False
    """Whether its server always gives a reason for a reply's end: one without it broke off."""


DEFAULT_PROFILE: Final = ModelProfile()
"""Any provider's chat model, of which nothing is known."""
OPENAI_PROFILE: Final = ModelProfile(names_end=True)
"""Models behind OpenAI's protocol."""
LOCAL_PROFILE: Final = ModelProfile(
    few_shot=True,
    grammar="llama.cpp",
    show_failures=False,
    replan_on_failure=True,
    offer_replan_when_all_ok=False,
    max_tokens=2048,
    silence=600.0,
    names_end=True,
)
"""The embedded model, of 1.5 billion parameters."""
