"""A Python script that is stopped as Ctrl-C stops it."""

import signal
import subprocess
import sys
import time


def interrupted(script: str, lines: int) -> tuple[set[str], str, str, float]:
    """Interrupt a script once it has printed `lines` lines.

    Returns:
        Those lines, what it printed afterwards, its errors, and the seconds until its last line.
        How long Python then takes to free its modules is not counted.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first = {process.stdout.readline() for _ in range(lines)}
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, took = "", 0.0
    for line in process.stdout:
        output, took = output + line, time.monotonic() - began
    _, errors = process.communicate(timeout=20)
    return first, output, errors, took
