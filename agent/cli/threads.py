"""`llm-compiler threads`: the stored conversations, listed, shown and deleted."""

import asyncio
import difflib
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from llm_compiler.cli import wording
from llm_compiler.cli.store import any_stored, opened, threads_file, unfinished
from llm_compiler.errors import SetupError
from llm_compiler.graph import build_graph
from llm_compiler.text import shortened

_MAX_QUESTION_CHARS: Final = 60
_IDS: Final = (
    "SELECT thread_id FROM checkpoints WHERE checkpoint_ns = ''"
    " GROUP BY thread_id ORDER BY MAX(checkpoint_id) DESC"
)


@dataclass(frozen=True)
class ThreadRow:
    """One conversation in the list."""

    name: str
    questions: int
    last_used: str
    """Local time, to the minute."""
    last_question: str
    unfinished: bool
    """Whether its last turn stopped before its end."""


def list_threads(*, as_json: bool) -> None:
    """Print the conversations, the last used first."""
    rows = asyncio.run(_rows())
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
        return
    if not rows:
        print(f"there are no threads in {threads_file()}; `llm-compiler chat` begins one")
    width = max((len(row.name) for row in rows), default=0)
    for row in rows:
        question = shortened(wording.one_line(row.last_question), _MAX_QUESTION_CHARS)
        count = wording.counted(row.questions, "question")
        mark = "  (unfinished)" if row.unfinished else ""
        name = wording.one_line(row.name)
        print(f"{name:<{width}}  {row.last_used}  {count:>12}  {question}{mark}")


def show_thread(name: str, *, as_json: bool) -> None:
    """Print the questions and answers of a conversation.

    Raises:
        SetupError: there is none of that name.
    """
    snapshot = asyncio.run(_snapshot(name))
    messages = snapshot.values.get("messages", [])
    if as_json:
        data = [message.model_dump(mode="json") for message in messages]
        print(json.dumps(data, indent=2, ensure_ascii=False))
        return
    from llm_compiler.cli.markdown import print_markdown

    for message in messages:
        if message.type == "human":
            print(f"› {wording.visible(message.text)}\n")
        elif message.type == "ai" and message.text and not message.tool_calls:
            print_markdown(message.text)
            print()
    if unfinished(snapshot):
        print(f"(The last turn is unfinished: llm-compiler --thread {name})", file=sys.stderr)


def delete_threads(names: Sequence[str]) -> None:
    """Delete conversations.

    Raises:
        SetupError: there is none of one of the names; then none is deleted.
    """

    async def delete() -> None:
        async with _there(*names) as saver:
            for name in names:
                await saver.adelete_thread(name)

    asyncio.run(delete())
    for name in names:
        print(f"deleted thread {name!r}")


async def _rows() -> list[ThreadRow]:
    if not any_stored():
        return []
    async with opened(threads_file()) as saver:
        graph = build_graph(checkpointer=saver)
        return [_row(name, await graph.aget_state(_config(name))) for name in await _ids(saver)]


def _row(name: str, snapshot: Any) -> ThreadRow:
    questions = [it.text for it in snapshot.values.get("messages", ()) if it.type == "human"]
    used = datetime.fromisoformat(snapshot.created_at).astimezone()
    return ThreadRow(
        name,
        len(questions),
        f"{used:%Y-%m-%d %H:%M}",
        questions[-1] if questions else "",
        unfinished(snapshot),
    )


async def _snapshot(name: str) -> Any:
    async with _there(name) as saver:
        return await build_graph(checkpointer=saver).aget_state(_config(name))


@asynccontextmanager
async def _there(*names: str) -> AsyncIterator[AsyncSqliteSaver]:
    """The saver, if it has conversations of all these names."""
    missing, known = names[0], list[str]()
    if any_stored():
        async with opened(threads_file()) as saver:
            known = await _ids(saver)
            missing = next((name for name in names if name not in known), "")
            if not missing:
                yield saver
                return
    near = difflib.get_close_matches(missing, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else "`llm-compiler threads` lists them"
    raise SetupError(f"there is no thread {missing!r}; {hint}")


async def _ids(saver: AsyncSqliteSaver) -> list[str]:
    async with saver.conn.execute(_IDS) as rows:
        return [row[0] async for row in rows]


def _config(name: str) -> Any:
    return {"configurable": {"thread_id": name}}
