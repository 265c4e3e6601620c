"""How a command ends: its exit status, and its errors as one line on stderr.

command ─→ answered 0
        ├→ not answered, or an error 1
        ├→ wrong use, missing setup 2
        ├→ a person must decide, and nobody can be asked 3
        └→ Ctrl-C 130
"""

import os
import sys
import traceback
from contextlib import suppress
from typing import Final

from llm_compiler.cli import wording

DEBUG: Final = "LLM_COMPILER_DEBUG"
ANSWERED, NOT_ANSWERED, WRONG_USE, UNDECIDED, STOPPED = 0, 1, 2, 3, 130


def explained(error: BaseException) -> int:
    """Print an error as one line on stderr; return the exit status."""
    from pydantic import ValidationError

    from llm_compiler.errors import ModelError, SetupError
    from llm_compiler.redaction import one_line

    if isinstance(error, BrokenPipeError):
        # The reader has closed the pipe (`| head`). The interpreter flushes once more at exit.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_ANSWERED
    if isinstance(error, ValidationError):
        refused = error.errors(include_url=False, include_context=False)[0]
        name = "--" + str(refused["loc"][0]).replace("_", "-") if refused["loc"] else "the settings"
        say(f"{name} {refused['input']!r}: {refused['msg']}")
        return WRONG_USE
    if os.environ.get(DEBUG) == "1" and not isinstance(error, SetupError | ModelError):
        traceback.print_exception(error)
        return NOT_ANSWERED
    say(one_line(error))
    return WRONG_USE if isinstance(error, SetupError) else NOT_ANSWERED


def say(line: str) -> None:
    """Print a line on stderr, whatever has become of it."""
    with suppress(OSError, ValueError):
        print(f"llm-compiler: {wording.one_line(line)}", file=sys.stderr, flush=True)
