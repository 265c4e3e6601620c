"""Errors and texts without secrets in them."""

import os
import re

from langchain_core.tools import ToolException

from llm_compiler.errors import LLMCompilerError
from llm_compiler.text import clean, shortened

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"\b(?:sk|tvly|ls|pk|ghp|hf)[-_][\w-]{8,}|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)|(?<=Bearer )\S+"
)
_SECRET_IN_URL = re.compile(
    r"([?&][\w-]*(?:key|token|secret|password|auth|signature)[\w-]*=)[^&\s'\"]+", re.IGNORECASE
)
_MAX_CHARS = 300
"""Of an error."""


def one_line(error: BaseException) -> str:
    """An error as one short line without secrets, for an outcome or a person."""
    # A lone surrogate would break the checkpoint that holds the outcome.
    text = masked(" ".join(clean(str(error)).split()))
    if not isinstance(error, LLMCompilerError | ToolException):
        name = type(error).__name__
        text = f"{name}: {text}" if text else name
    return shortened(text, _MAX_CHARS)


def masked(text: str) -> str:
    """A text without what looks like a key, and without the values of the environment's own."""
    for name, value in os.environ.items():
        if len(value) >= 8 and _SECRET_NAME.search(name):
            text = text.replace(value, "***")
    return _SECRET_IN_URL.sub(r"\1***", _SECRET_TEXT.sub("***", text))
