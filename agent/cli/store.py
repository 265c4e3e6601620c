"""Where conversations are stored: LangGraph's SQLite saver, in the user's state folder.

A question without a name is stored in memory; only if a person must decide before it can go on, and
nobody can be asked, it moves to the file.
"""

import os
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import platformdirs
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import StateSnapshot

from llm_compiler.errors import SetupError

THREADS: Final = "LLM_COMPILER_THREADS"
MEMORY: Final = ":memory:"
_TABLES: Final = ("checkpoints", "writes")


def threads_file() -> str:
    """The SQLite file that holds the conversations; `:memory:` if they are not to be stored."""
    given = os.environ.get(THREADS)
    if given == MEMORY:
        return MEMORY
    if given:
        return str(Path(given).expanduser().absolute())
    return str(Path(platformdirs.user_state_dir("llm-compiler")) / "threads.sqlite")


def any_stored() -> bool:
    """Whether there is a file of conversations."""
    return Path(threads_file()).is_file()


def unfinished(snapshot: StateSnapshot) -> bool:
    """Whether a conversation has a turn that stopped before its end."""
    return bool(snapshot.next or snapshot.interrupts)


def history_file() -> str | None:
    """The file of the questions that the arrow keys bring back in a chat; None to store none."""
    file = threads_file()
    return None if file == MEMORY else str(Path(file).with_name("history"))


def new_name() -> str:
    """A name for a conversation that was given none: the date, and four characters."""
    return f"{time.strftime('%Y-%m-%d')}-{secrets.token_hex(2)}"


@asynccontextmanager
async def opened(file: str) -> AsyncIterator[AsyncSqliteSaver]:
    """The saver of a file.

    Raises:
        SetupError: it cannot be read or written, then or later.
    """
    try:
        if file != MEMORY:
            _make(Path(file))
        async with AsyncSqliteSaver.from_conn_string(file) as saver:
            await saver.setup()
            yield saver
    except sqlite3.Error as error:
        raise _not_stored(file, error) from error


def _make(file: Path) -> None:
    """Make an empty file that only its user can read, if there is none."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
    except OSError as error:
        raise _not_stored(str(file), error) from error


def _not_stored(file: str, error: Exception) -> SetupError:
    return SetupError(
        f"conversations cannot be stored in {file} ({error}); make that folder writable,"
        f" set {THREADS} to another file, or to {MEMORY} to store none"
    )


async def move_to_file(memory: AsyncSqliteSaver, file: str) -> None:
    """Copy what is stored in memory to the file, as it is.

    Raises:
        SetupError: the file cannot be written.
    """
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(opened(file))
        await memory.conn.commit()
        await memory.conn.execute("ATTACH DATABASE ? AS file", (file,))
        try:
            for table in _TABLES:
                async with memory.conn.execute(f"PRAGMA table_info({table})") as rows:
                    columns = ", ".join([row[1] async for row in rows])
                await memory.conn.execute(
                    f"INSERT OR REPLACE INTO file.{table} ({columns}) SELECT {columns} FROM {table}"
                )
            await memory.conn.commit()
        finally:
            await memory.conn.execute("DETACH DATABASE file")
