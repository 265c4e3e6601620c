"""How long the local model stays loaded after a command: `--keep`, and `llm-compiler stop`."""

import os
import re
import sys
from typing import Final

from llm_compiler.cli import wording
from llm_compiler.cli.exit_status import ANSWERED, explained, say

KEEP: Final = "LLM_COMPILER_KEEP"
DEFAULT_KEEP: Final = "5m"
_MAX_SECONDS: Final = 86_400.0
_DURATION: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?) ?(?P<unit>[smh]?)", re.ASCII)
_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def keep_seconds(given: str | None) -> float:
    """Seconds of what is given, else of the environment, else of the default.

    Raises:
        ValueError: it is no duration; the text says what is one.
    """
    text = given if given is not None else os.environ.get(KEEP) or DEFAULT_KEEP
    found = _DURATION.fullmatch(text.strip())
    seconds = float(found["number"]) * _UNITS[found["unit"]] if found else -1.0
    if not 0 <= seconds <= _MAX_SECONDS:
        name = "" if given is not None else f"{KEEP}="
        raise ValueError(f"{name}{text!r} is not a time up to 24h, such as 30s, 5m, 1h or 0")
    return seconds


def tell_what_is_kept(seconds: float) -> None:
    """Say so on stderr, if this process started a model that outlives it."""
    # Not imported here: a command that was stopped while it started must not wait for that.
    servers = getattr(sys.modules.get("llm_compiler.models.local.server"), "LOCAL_SERVERS", None)
    if servers is not None and servers.began_to_keep:
        say(
            f"the local model stays loaded for {wording.duration(seconds)} after its last use;"
            " `llm-compiler stop` ends it now, --keep 0 never keeps it"
        )


def stop() -> int:
    """End all kept models; return the exit status."""
    from llm_compiler.models.local.kept import stop_kept

    try:
        stopped = stop_kept()
        for pid in stopped:
            print(f"stopped the local model (process {pid})")
        if not stopped:
            print("no local model is loaded")
        sys.stdout.flush()
        return ANSWERED
    except Exception as error:
        return explained(error)
