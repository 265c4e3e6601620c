"""The `local` models: llama.cpp's OpenAI-compatible server, one per process and model.

    absent ─endpoint()→ loading ─→ serving ─stop() or exit→ absent
                           └─fails→ absent (SetupError)

The first `endpoint()` fetches the weights and starts the server; later ones return at once. The
server is a child process (`server_process.py` says why) on a free loopback port, protected by a
random key. It ends with this process, even if that is killed. A forked process starts its own.

After `keep`, one that another process has kept is used, and one that is started outlives this
process until nobody has used it for some time (`kept.py`).
"""

import asyncio
import atexit
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
from llm_compiler.models.local import kept
from llm_compiler.models.local.named import weights_named
from llm_compiler.models.local.obtain import ensure
from llm_compiler.models.local.progress import progress_bar
from llm_compiler.models.local.server_settings import (
    LOG_VARIABLE,
    PROGRAM,
    launch_settings,
    library,
    version,
)

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
        self.keep_seconds = 0.0
        """How long a server stays after this process has used it; 0 keeps none."""
        self.began_to_keep = False
        """Whether this process started one that outlives it."""
        self._model = model
        self._forget()

    def _forget(self) -> None:
        # A forked process inherits the lock in any state, and a server that is not its own.
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._visit: kept.Visit | None = None
        self._endpoint: Endpoint | None = None

    def after_fork(self) -> None:
        if self._visit:
            self._visit.close()
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
            if self._endpoint and self._running():
                return self._endpoint
            # If the server died by itself (out of memory, say), its pipes are still open.
            self.stop()
            xllamacpp = library()
            with progress_bar() as progress:
                model = weights_named(self._model, progress) if self._model else ensure(progress)
            settings = launch_settings(xllamacpp, model)
            # What is logged is read by who started it, so that one is not kept.
            if self.keep_seconds and not os.environ.get(LOG_VARIABLE):
                try:
                    self._endpoint = self._kept(settings, model)
                    return self._endpoint
                except kept.NotKeptError:
                    self.stop()
            self._endpoint = self._start(settings, model)
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
        """Stop the server at once, whatever it is doing; a later `endpoint()` starts another.

        A kept one goes on for others, and until its time is over.
        """
        visit, self._visit = self._visit, None
        if visit:
            visit.close()
        # Without the lock: a start in progress ends because its process does.
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
            _close(process)

    def _running(self) -> bool:
        if self._visit:
            return self._visit.alive()
        return self._process is not None and self._process.poll() is None

    def _kept(self, settings: dict[str, Any], model: Path) -> Endpoint:
        """Use the kept server, or start one and have it kept."""
        file = kept.file_for(settings | version(model))
        with kept.starting(file):
            self._visit = kept.visit(file, "use", self.keep_seconds)
            if self._visit is None:
                self._start(settings, model)
                if (process := self._process) is None:
                    raise kept.NotKeptError("it was stopped")
                kept.keep(process, file, self.keep_seconds)
                self._process = None
                process.returncode = 0  # it is not waited for
                _close(process)
                self._visit = kept.visit(file, "use", self.keep_seconds)
                self.began_to_keep = True
        if self._visit is None:
            raise kept.NotKeptError("it is gone already")
        return Endpoint(self._visit.base_url, self._visit.api_key)

    def _start(self, settings: dict[str, Any], model: Path) -> Endpoint:
        api_key = secrets.token_urlsafe(24)
        # -P: the program's folder contains modules of this project that are not top-level modules.
        # A new session: Ctrl-C at the terminal must not reach the server.
        process = subprocess.Popen(
            [sys.executable, "-P", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=SPIN | os.environ,
            stderr=None if settings["verbosity"] >= 0 else subprocess.DEVNULL,
            # Unbuffered pipes have no locks, so a forked process can close its copies.
            bufsize=0,
            start_new_session=True,
        )
        self._process = process
        try:
            reply = _converse(process, {**settings, "api_key": api_key})
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


class LocalServers:
    """The servers of this process, by model."""

    def __init__(self) -> None:
        self._servers: dict[str, LocalServer] = {}
        self._keep_seconds = 0.0

    def of(self, model: str = "") -> LocalServer:
        """The server of a model, which may not have been started yet."""
        if model not in self._servers:
            self._servers.setdefault(model, LocalServer(model)).keep_seconds = self._keep_seconds
        return self._servers[model]

    def keep(self, seconds: float) -> None:
        """Use kept servers, and keep those that are started, for so long after their last use."""
        self._keep_seconds = seconds
        for server in self._servers.values():
            server.keep_seconds = seconds

    @property
    def began_to_keep(self) -> bool:
        """Whether this process started a server that outlives it."""
        return any(server.began_to_keep for server in self._servers.values())

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
