"""What can go wrong, split by whose fault it is.

LLMCompilerError
├── PlanError    the model wrote something that does not compile; the planner is told
├── ToolError    a call failed; its dependants are skipped
├── ModelError   a model could not be reached or broke off; the person is told which and what to do
├── ThreadTakenError   the thread of a run has gone on without it; this run ends
└── SetupError   a key, file or setting is missing; the person is told what to set

Every message is one line that contains the wrong value and a remedy, but never a key, a prompt or a
result.
"""


class LLMCompilerError(RuntimeError):
    """The root of this project's errors.

    A RuntimeError, because LangGraph Server sends its clients the messages of only a few of
    Python's own errors. Of others it sends only the name, which does not say what to set up.
    """


class PlanError(LLMCompilerError):
    """A task of a plan does not compile."""

    def __init__(self, message: str, *, argument: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument
        """The parameter whose argument is wrong, if it is one."""


class ToolError(LLMCompilerError):
    """A tool call failed."""


class ModelError(LLMCompilerError):
    """A model gave no usable reply. Its server's message is omitted: it may quote the prompt."""

    def __init__(self, message: str, *, transient: bool = False, wait: float | None = None) -> None:
        super().__init__(message)
        self.transient = transient
        """Whether asking again may help."""
        self.wait = wait
        """Seconds to wait before asking again, if known."""


class ThreadTakenError(LLMCompilerError):
    """The thread of a run has gone on without it."""


class SetupError(LLMCompilerError):
    """Something that a person must set up is missing or wrong."""
