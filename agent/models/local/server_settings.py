"""How the local server is started: the settings of `server_process.py`."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from llm_compiler.errors import SetupError
from llm_compiler.models.local import prompt_cache

LOG_VARIABLE: Final = "LLM_COMPILER_LOCAL_LOG"
PROGRAM: Final = Path(__file__).with_name("server_process.py")
# Two requests at once: more would only share the same cores. 8192 tokens are enough for a joiner's
# prompt with several long results. The whole context takes 0.45 GB.
SLOTS: Final = 2
SLOT_TOKENS: Final = 8192
# Threads that wait for one another spin this long, then sleep. By default they never sleep, and one
# other busy process on 2 cores reduces the speed from 22 to 1 token/s; with this, to 13.
SPIN: Final = {"GOMP_SPINCOUNT": "300"}
# Cached prompts take 28 KB per token: this is room for about 18,000 tokens.
CACHE_MIB: Final = 512


def launch_settings(library: str, model: Path) -> dict[str, Any]:
    """How the server is started, without its key."""
    return {
        "library": library,
        "model": str(model.resolve()),
        "verbosity": 3 if os.environ.get(LOG_VARIABLE) else -1,
        "slots": SLOTS,
        "slot_tokens": SLOT_TOKENS,
        "threads": cores(),
        "cache_mib": CACHE_MIB,
        "prompts": None if (folder := prompt_cache.folder()) is None else f"{folder}{os.sep}",
    }


def launched(settings: Mapping[str, Any]) -> "subprocess.Popen[bytes]":
    """The server's process, which waits for its settings."""
    # -P: the program's folder contains modules of this project that are not top-level modules.
    # A new session: Ctrl-C at the terminal must not reach the server.
    return subprocess.Popen(
        [sys.executable, "-P", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=SPIN | os.environ,
        stderr=None if settings["verbosity"] >= 0 else subprocess.DEVNULL,
        # Unbuffered pipes have no locks, so a forked process can close its copies.
        bufsize=0,
        start_new_session=True,
    )


def converse(process: "subprocess.Popen[bytes]", settings: Mapping[str, Any]) -> dict[str, str]:
    """Send the settings and wait for the answer, which arrives when the model is loaded."""
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        answer: dict[str, str] = json.loads(process.stdout.readline())
        return answer
    except (OSError, ValueError):
        return {"error": f"it ended with code {process.wait()}"}


def version(model: Path) -> dict[str, Any]:
    """What else makes two servers different: the files of the model, the library, the program."""
    found = model.stat()
    return {
        "file": [found.st_size, found.st_mtime_ns],
        "xllamacpp": importlib.metadata.version("xllamacpp"),
        "program": hashlib.sha256(PROGRAM.read_bytes()).hexdigest(),
        "python": sys.executable,
    }


def library() -> str:
    """The folder that contains xllamacpp, located without importing it into this process."""
    spec = importlib.util.find_spec("xllamacpp")
    if spec is None or spec.origin is None:
        raise SetupError("the model 'local' needs xllamacpp; run: pip install xllamacpp")
    return str(Path(spec.origin).parents[1])


def cores() -> int:
    """The number of cores that this process may use, by its affinity and its container's quota."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
    except (OSError, ValueError):
        return count
    return count if quota == "max" else max(1, min(count, round(int(quota) / int(period))))
