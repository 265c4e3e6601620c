"""The program that runs llama.cpp's server beside its parent process; `server.py` starts it.

    stdin   one line of JSON, the settings, then nothing until the parent ends
    stdout  one line of JSON: {"address": …} when the model is loaded, or {"error": …}

It ends when its stdin does, so it never outlives its parent, however that ended. It imports
nothing of this project, because it is run as a file.

Why llama.cpp is not loaded into the parent itself (measured with xllamacpp 2026.10): loading
holds Python's lock for seconds, which stops the event loop; stopping the server waits for the
prompt that it is reading, up to a minute, and not waiting crashes now and then; and a process
forked from one with llama.cpp's threads hangs when it exits.
"""

import importlib
import json
import os
import signal
import sys
from typing import Any


def main() -> None:
    """Serve until stdin ends."""
    # Ctrl-C at a terminal is the parent's affair.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # llama.cpp may print on stdout, so the answer's channel is moved out of its way.
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
    # Nothing here is worth an orderly end, which would wait for the prompt being read.
    os._exit(0)


def serve(settings: dict[str, Any]) -> Any:
    """Load the model and listen on a free loopback port."""
    # Not an import statement: the library has no types, and may not be installed where they
    # are checked.
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
    # Prompts of other kinds take turns in the slots; here an idle slot's prefix outlives them.
    params.cache_ram_mib = settings["cache_mib"]
    params.cache_idle_slots = True
    # Small batches: a long prompt lets the other slot in, and a cancelled one ends, at each.
    params.n_batch = params.n_ubatch = 128
    # Fitting and warming up add a second or more to the start and nothing to a model this small.
    params.fit_params = False
    params.warmup = False
    # Repacked weights write 10 % faster but read prompts 20 % slower, and cost 0.6 GB and 1 s.
    params.no_extra_bufts = True
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
