"""The `local` models: llama.cpp's OpenAI-compatible server, one per process and model.

    absent ─endpoint()→ loading ─→ serving ─stop() or exit→ absent
                           └─fails→ absent (SetupError)

The first `endpoint()` fetches the weights and starts the server; later ones return at once. The
server is a child process (`server_process.py` says why) on a free loopback port, protected by a
random key. It ends with this process, even if that is killed. A forked process starts its own.

What all prompts begin with is known to a server before the first of them (`prompt_cache.py`).

After `keep`, one that another process has kept is used, and one that is started outlives this
process until nobody has used it for some time (`kept.py`).
"""

import asyncio
import atexit
import os
import secrets
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from llm_compiler.errors import SetupError
from llm_compiler.models.local import kept
from llm_compiler.models.local.named import weights_named
from llm_compiler.models.local.obtain import at_hand, ensure
from llm_compiler.models.local.progress import progress_bar
from llm_compiler.models.local.prompt_cache import Beginning, PromptCache, folder
from llm_compiler.models.local.server_settings import (
    LOG_VARIABLE,
    converse,
    launch_settings,
    launched,
    library,
    version,
)

_MAX_BEGINNINGS: Final = 4
"""That one process has a server read ahead: more would push each other out."""
T = TypeVar("T")


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
        self._is_new = False
        """Whether this process started the server."""
        self._prompts: PromptCache | None = None
        self._reading = threading.Lock()
        self._read: list[Beginning] = []

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
            self._prompts = PromptCache(folder(), kept.digest(settings | version(model)))
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
        # Fetching the weights can take minutes.
        return await _in_thread(self.endpoint)

    def begin(self, beginning: Beginning = ()) -> None:
        """Start in a thread, if the weights are at hand, and have it know what prompts begin with.

        What goes wrong is told to whoever needs the server.
        """

        def run() -> None:
            with suppress(SetupError, OSError):
                if at_hand():
                    self.endpoint()
                    if beginning and self._is_new:
                        self._read_once(beginning)

        threading.Thread(target=run, name="local-model", daemon=True).start()

    async def read_ahead(self, beginning: Beginning) -> None:
        """Have a server that this process started know what prompts begin with.

        A prompt that comes meanwhile waits, because this is its beginning. One that was started by
        another process knows already what that has asked.
        """
        known = beginning in self._read or len(self._read) == _MAX_BEGINNINGS
        if self._is_new and not known:
            await _in_thread(lambda: self._read_once(beginning))

    def _read_once(self, beginning: Beginning) -> None:
        with self._reading:
            server, prompts = self._endpoint, self._prompts
            if server is not None and prompts is not None and beginning not in self._read:
                prompts.read(server.base_url, server.api_key, beginning)
                self._read.append(beginning)

    def stop(self) -> None:
        """Stop the server at once, whatever it is doing; a later `endpoint()` starts another.

        A kept one goes on for others, and until its time is over.
        """
        self._is_new, self._read = False, []
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
        process = launched(settings)
        self._process = process
        try:
            reply = converse(process, {**settings, "api_key": api_key})
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
        self._is_new = True
        return Endpoint(f"{reply['address']}/v1", api_key)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run something in a daemon thread: the interpreter waits for the loop's pool at exit."""
    result: Future[T] = Future()
    result.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, name="local-model", daemon=True).start()
    return await asyncio.wrap_future(result)


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
