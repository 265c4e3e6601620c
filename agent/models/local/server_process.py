"""The program that runs llama.cpp's server in a process of its own; `server.py` starts it.

    stdin   one line of JSON with the settings, then nothing until the parent ends
    stdout  one line of JSON: {"address": …} when the model is loaded, or {"error": …}

It ends when its stdin is closed, so it never outlives its parent, however that ends. It imports
nothing from this project, because it is run as a file.

llama.cpp is not loaded into the parent (measured with xllamacpp 2026.10) because loading holds
Python's global lock for seconds, which stops the event loop; stopping the server waits up to a
minute for the prompt that it is reading, and not waiting sometimes crashes; and a process forked
from one with llama.cpp's threads hangs at exit.
"""

import importlib
import json
import os
import signal
import sys
from typing import Any


def main() -> None:
    """Serve until stdin ends."""
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
    # Small batches: after each, the other slot gets its turn, and a cancelled prompt ends.
    params.n_batch = params.n_ubatch = 128
    # Fitting and warming up take a second or more and gain nothing with a model this small.
    params.fit_params = False
    params.warmup = False
    # Repacked weights generate 10 % faster but read prompts 20 % slower, and take 0.6 GB and 1 s.
    params.no_extra_bufts = True
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
