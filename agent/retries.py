"""How long to wait before a call, or a model's stream, is tried again."""

from tenacity import RetryCallState, wait_exponential_jitter

from llm_compiler.errors import ModelError, retry_after

_exponential = wait_exponential_jitter(multiplier=0.5, max=8.0, jitter=0.25)


def backoff(state: RetryCallState) -> float:
    """Seconds until the next attempt: about 0.5, 1, 2, … up to 8, or what the server asks for."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, ModelError) else retry_after(error)
    return _exponential(state) if asked is None else asked
