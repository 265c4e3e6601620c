"""The program that runs llama.cpp's server in a process of its own; `server.py` starts it.

    stdin   one line of JSON with the settings, then nothing until the parent ends;
            or, to keep it, one more line: {"file": …, "seconds": …}
    stdout  one line of JSON: {"address": …} when the model is loaded, or {"error": …};
            one more when it is kept: {"kept": true}, or {"error": …}

    loading ─→ serving its parent ─stdin closed→ ended
                    └─second line→ kept ─nobody used it for so long, or asked to stop→ ended

Unless it is kept, it ends when its stdin is closed, so it never outlives its parent, however that
ends. A kept one is found by its file, which only its user can read: {"pid", "port", "key"}. Who
uses it holds a connection to that port, so whoever crashes is known to be gone. It imports nothing
from this project, because it is run as a file.

llama.cpp is not loaded into the parent (measured with xllamacpp 2026.10) because loading holds
Python's global lock for seconds, which stops the event loop; stopping the server waits up to a
minute for the prompt that it is reading, and not waiting sometimes crashes; and a process forked
from one with llama.cpp's threads hangs at exit.
"""

import contextlib
import hmac
import importlib
import json
import os
import secrets
import signal
import socket
import sys
import threading
import time
from typing import Any

_GREETING_SECONDS = 5.0
"""What a guest has to show that it knows the key."""
_MAX_LINE = 1024


def main() -> None:
    """Serve until stdin ends, or until nobody has used a kept server for long enough."""
    # The parent handles Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # llama.cpp may print to stdout, so the answer goes through a copy of it.
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)
        settings = json.loads(sys.stdin.readline())
        sys.path.append(settings["library"])
        try:
            server = serve(settings)
            reply = {"address": server.listening_address}
        except (ImportError, RuntimeError, ValueError) as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        answer.write(json.dumps(reply) + "\n")
        answer.flush()
        if wish := sys.stdin.readline():
            wanted = json.loads(wish)
            try:
                kept = KeptServer(reply["address"], settings["api_key"], **wanted)
                reply = {"kept": True}
            except OSError as error:
                reply = {"error": str(error)}
            answer.write(json.dumps(reply) + "\n")
    if "kept" in reply:
        # Nothing of the parent is held: no pipe that it waits on, no folder.
        os.chdir(os.path.dirname(os.path.abspath(wanted["file"])))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nowhere, descriptor)
        kept.wait()
    else:
        sys.stdin.read()
    # There is nothing to clean up, and an orderly end would wait for the prompt being read.
    os._exit(0)


def serve(settings: dict[str, Any]) -> Any:
    """Load the model and listen on a free loopback port."""
    # Not an import statement: the library has no types, and may not be installed where types are
    # checked.
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.model_alias = {"local"}
    params.api_keys = [settings["api_key"]]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.ui = False
    params.verbosity = settings["verbosity"]
    params.n_ctx = settings["slots"] * settings["slot_tokens"]
    params.n_parallel = settings["slots"]
    params.cpuparams.n_threads = settings["threads"]
    params.cpuparams_batch.n_threads = settings["threads"]
    # Different kinds of prompts share the slots; with this, an idle slot's prefix stays cached.
    params.cache_ram_mib = settings["cache_mib"]
    params.cache_idle_slots = True
    if settings["prompts"] is not None:
        params.slot_save_path = settings["prompts"]
    # Small batches: after each, the other slot gets its turn, and a cancelled prompt ends.
    params.n_batch = params.n_ubatch = 128
    # Fitting and warming up take a second or more and gain nothing with a model this small.
    params.fit_params = False
    params.warmup = False
    # Repacked weights generate 10 % faster but read prompts 20 % slower, and take 0.6 GB and 1 s.
    params.no_extra_bufts = True
    return xllamacpp.Server(params)


class KeptServer:
    """Counts who uses the server, and knows when it has been idle for long enough.

    A guest connects, both show that they know the key (a port may have become another program's),
    and the guest says what it wants: {"do": "use" | "look" | "stop", "seconds": …}. One that uses
    the server holds its connection while it does, and has it kept for `seconds` after that.
    """

    def __init__(self, address: str, key: str, file: str, seconds: float) -> None:
        self._address, self._key, self._file = address, key.encode(), file
        self._changed = threading.Condition()
        self._guests: set[socket.socket] = set()
        self._until = time.monotonic() + seconds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._write_file(key)
        threading.Thread(target=self._welcome, daemon=True).start()

    def wait(self) -> None:
        """Return when nobody uses the server and its time is over; its file is gone then."""
        with self._changed:
            while self._guests or time.monotonic() < self._until:
                left = None if self._guests else self._until - time.monotonic()
                self._changed.wait(left)
            # Holding the lock: a guest that comes now finds its connection closed, and starts
            # another server.
            self._end()

    def _end(self) -> None:
        for guest in self._guests:
            # Each knows before whoever asked for this.
            with contextlib.suppress(OSError):
                guest.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError, ValueError), open(self._file, encoding="utf-8") as file:
            if json.load(file)["pid"] == os.getpid():
                os.unlink(self._file)
        os._exit(0)

    def _write_file(self, key: str) -> None:
        fresh = f"{self._file}.{os.getpid()}.tmp"
        found = {"pid": os.getpid(), "port": self._listener.getsockname()[1], "key": key}
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(found, file)
        os.replace(fresh, self._file)

    def _welcome(self) -> None:
        while True:
            guest, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(guest,), daemon=True).start()

    def _serve(self, guest: socket.socket) -> None:
        with guest, guest.makefile("rwb", buffering=0) as talk:
            try:
                guest.settimeout(_GREETING_SECONDS)
                wish = self._greet(talk)
                guest.settimeout(None)
                self._do(guest, talk, wish["do"], float(wish["seconds"]))
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                return  # no guest of ours, or one that is gone

    def _greet(self, talk: Any) -> dict[str, Any]:
        """What a guest wants that knows the key."""
        asked = json.loads(talk.readline(_MAX_LINE))["nonce"]
        nonce = secrets.token_hex(16)
        _tell(talk, {"proof": proof(self._key, "server", asked), "nonce": nonce})
        wish: dict[str, Any] = json.loads(talk.readline(_MAX_LINE))
        if not hmac.compare_digest(wish["proof"], proof(self._key, "guest", nonce)):
            raise ValueError("the key is wrong")
        return wish

    def _do(self, guest: socket.socket, talk: Any, do: str, seconds: float) -> None:
        left = max(0.0, self._until - time.monotonic())
        state = {"address": self._address, "guests": len(self._guests), "seconds": left}
        if do == "stop":
            with self._changed:
                self._end()
        if do != "use":
            _tell(talk, state)
            return
        with self._changed:
            self._guests.add(guest)
        try:
            _tell(talk, state)
            talk.read(1)  # until the guest is gone
        finally:
            with self._changed:
                self._guests.remove(guest)
                self._until = max(self._until, time.monotonic() + seconds)
                self._changed.notify()


def proof(key: bytes, who: str, nonce: str) -> str:
    """What shows that `who` knows the key, without telling it."""
    return hmac.new(key, f"{who} {nonce}".encode(), "sha256").hexdigest()


def _tell(talk: Any, what: dict[str, Any]) -> None:
    talk.write(json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
