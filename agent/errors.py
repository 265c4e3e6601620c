"""What can go wrong, split by whose fault it is.

LLMCompilerError
├── PlanError    the model wrote something that does not compile; the planner is told
├── ToolError    a call failed; its dependants are skipped
├── ModelError   a model could not be reached or broke off; the person is told which and what to do
├── ThreadTakenError   the thread of a run has gone on without it; this run ends
└── SetupError   a key, file or setting is missing; the person is told what to set

Every message is one line, carries the value at fault and the nearest remedy, and never a key, a
prompt or a result.
"""


class LLMCompilerError(RuntimeError):
    """The root of this project's errors.

    Of other errors than a few of Python's own, LangGraph Server tells its clients the name alone,
    and whoever must set something up would not know what.
    """


class PlanError(LLMCompilerError):
    """A task of a plan does not compile."""


class ToolError(LLMCompilerError):
    """A tool call failed."""


class ModelError(LLMCompilerError):
    """A model gave no usable reply. What its server said is left out: it may quote the prompt."""

    def __init__(self, message: str, *, transient: bool = False, wait: float | None = None) -> None:
        super().__init__(message)
        self.transient = transient
        """Whether asking again may help."""
        self.wait = wait
        """Seconds to wait before, if it is known."""


class ThreadTakenError(LLMCompilerError):
    """The thread of a run has gone on without it."""


class SetupError(LLMCompilerError):
    """Something that a person must set up is missing or damaged."""
