"""A graph whose tools write each call into the book of a test, for servers in other processes."""

import asyncio
import os
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool

from llm_compiler import build_graph
from tests.campaigns.dag import LOOKS, PAYS, WRITES, value
from tests.workers import book


async def _work(run: int, id: int, inputs: list[int], milliseconds: int) -> int:
    """Work for a while."""
    port, process = int(os.environ["BOOK"]), os.getpid()
    await book.note(port, run=run, what="begin", id=id, process=process)
    await asyncio.sleep(milliseconds / 1000)
    await book.note(port, run=run, what="end", id=id, process=process)
    return value(id, inputs)


def _tools() -> list[BaseTool]:
    kinds: Any = (
        (LOOKS, {"readOnlyHint": True}),
        (WRITES, {"readOnlyHint": False}),
        (PAYS, {"destructiveHint": True}),
    )
    return [
        StructuredTool.from_function(coroutine=_work, name=name, metadata=dict(hints))
        for names, hints in kinds
        for name in names
    ]


graph = build_graph(_tools())
