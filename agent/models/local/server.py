"""The `local` models: llama.cpp's OpenAI-compatible server, one per process and model.

    absent ─endpoint()→ loading ─→ serving ─stop() or exit→ absent
                           └─fails→ absent (SetupError)

The first `endpoint()` fetches the weights and starts the server; later ones return at once. The
server is a child process (`server_process.py` says why) on a free loopback port, protected by a
random key. It ends with this process, even if that is killed. A forked process starts its own.
"""

import asyncio
import atexit
import importlib.util
import json
import os
import secrets
import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from llm_compiler.errors import SetupError
from llm_compiler.models.local.named import weights_named
from llm_compiler.models.local.obtain import ensure
from llm_compiler.models.local.progress import progress_bar

LOG_VARIABLE: Final = "LLM_COMPILER_LOCAL_LOG"
PROGRAM: Final = Path(__file__).with_name("server_process.py")
# Two requests at once: more would only share the same cores. 8192 tokens are enough for a joiner's
# prompt with several long results. The whole context takes 0.45 GB.
SLOTS: Final = 2
SLOT_TOKENS: Final = 8192
# Cached prompts take 28 KB per token: this is room for about 18,000 tokens.
CACHE_MIB: Final = 512
# Threads that wait for one another spin this long, then sleep. By default they never sleep, and one
# other busy process on 2 cores reduces the speed from 22 to 1 token/s; with this, to 13.
SPIN: Final = {"GOMP_SPINCOUNT": "300"}


@dataclass(frozen=True)
class Endpoint:
    """Where the server listens (`base_url` ends in `/v1`), and its key, which only we know."""

    base_url: str
    api_key: str = field(repr=False)


class LocalServer:
    """A model's server in this process. Every method may be called from any thread.

    Args:
        model: The model: a GGUF file or its name on the hub; empty for the embedded one.
    """

    def __init__(self, model: str = "") -> None:
        self._model = model
        self._forget()

    def _forget(self) -> None:
        # A forked process inherits the lock in any state, and a server that is not its own.
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._endpoint: Endpoint | None = None

    def after_fork(self) -> None:
        if process := self._process:
            # Only the parent may wait for it, and a copy of its stdin would keep it alive.
            process.returncode = 0
            _close(process)
        self._forget()

    def endpoint(self) -> Endpoint:
        """Return where the server listens; start it first if it is not running.

        Starting takes about a second, and longer if the weights must be fetched. Raises SetupError
        if the weights, the library or the memory are missing.
        """
        with self._lock:
            if self._endpoint and self._process and self._process.poll() is None:
                return self._endpoint
            # If the server died by itself (out of memory, say), its pipes are still open.
            self.stop()
            library = _library()
            with progress_bar() as progress:
                model = weights_named(self._model, progress) if self._model else ensure(progress)
            self._endpoint = self._start(library, model)
            return self._endpoint

    async def start(self) -> Endpoint:
        """The same as `endpoint` for an event loop, which keeps running while the server starts."""
        result: Future[Endpoint] = Future()
        result.set_running_or_notify_cancel()

        def run() -> None:
            try:
                result.set_result(self.endpoint())
            except BaseException as error:
                result.set_exception(error)

        # A daemon thread, not the loop's pool: the interpreter waits for the pool at exit, and
        # fetching the weights can take minutes.
        threading.Thread(target=run, name="local-model", daemon=True).start()
        return await asyncio.wrap_future(result)

    def stop(self) -> None:
        """Stop the server at once, whatever it is doing; a later `endpoint()` starts another."""
        # Without the lock: a start in progress ends because its process does.
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
            _close(process)

    def _start(self, library: str, model: Path) -> Endpoint:
        log = bool(os.environ.get(LOG_VARIABLE))
        api_key = secrets.token_urlsafe(24)
        settings = {
            "library": library,
            "model": str(model),
            "api_key": api_key,
            "verbosity": 3 if log else -1,
            "slots": SLOTS,
            "slot_tokens": SLOT_TOKENS,
            "threads": cores(),
            "cache_mib": CACHE_MIB,
        }
        # -P: the program's folder contains modules of this project that are not top-level modules.
        # A new session: Ctrl-C at the terminal must not reach the server.
        process = subprocess.Popen(
            [sys.executable, "-P", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=SPIN | os.environ,
            stderr=None if log else subprocess.DEVNULL,
            # Unbuffered pipes have no locks, so a forked process can close its copies.
            bufsize=0,
            start_new_session=True,
        )
        self._process = process
        try:
            reply = _converse(process, settings)
        except BaseException:
            # Ctrl-C may be pressed while the model loads.
            self.stop()
            raise
        if "address" not in reply:
            self.stop()
            raise SetupError(
                f"the local model {model.name} did not start ({reply['error']}); free some "
                f"memory, or set {LOG_VARIABLE}=1 to see why"
            )
        return Endpoint(f"{reply['address']}/v1", api_key)


def _converse(process: subprocess.Popen[bytes], settings: dict[str, Any]) -> dict[str, str]:
    """Send the settings and wait for the answer, which arrives when the model is loaded."""
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        answer: dict[str, str] = json.loads(process.stdout.readline())
        return answer
    except (OSError, ValueError):
        return {"error": f"it ended with code {process.wait()}"}


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def _library() -> str:
    """The folder that contains xllamacpp, located without importing it into this process."""
    spec = importlib.util.find_spec("xllamacpp")
    if spec is None or spec.origin is None:
        raise SetupError(
            "the model 'local' needs xllamacpp; run: pip install 'llm-compiler[local]'"
        )
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


class LocalServers:
    """The servers of this process, by model."""

    def __init__(self) -> None:
        self._servers: dict[str, LocalServer] = {}

    def of(self, model: str = "") -> LocalServer:
        """The server of a model, which may not have been started yet."""
        return self._servers.setdefault(model, LocalServer(model))

    def stop(self) -> None:
        """Stop them all."""
        for server in self._servers.values():
            server.stop()

    def after_fork(self) -> None:
        """They belong to the parent: start anew where one is needed."""
        for server in self._servers.values():
            server.after_fork()


# Nothing runs yet: this only registers what ends or forgets the servers.
LOCAL_SERVERS: Final = LocalServers()
"""Those of this process."""
LOCAL_SERVER: Final = LOCAL_SERVERS.of()
"""That of the embedded model."""
atexit.register(LOCAL_SERVERS.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=LOCAL_SERVERS.after_fork)
