"""A graph whose tools knock at the gates of a test (gates.py), for a server in another process."""

import os

import httpx
from langchain_core.tools import StructuredTool

from llm_compiler import build_graph


async def _knock(name: str) -> str:
    # The environment's proxies are not for loopback.
    async with httpx.AsyncClient(timeout=None, trust_env=False) as client:
        (await client.get(f"{os.environ['GATES']}/{name}")).raise_for_status()
    return f"passed {name}"


async def knock(name: str) -> str:
    """Wait at the gate of that name."""
    return await _knock(name)


async def wipe(name: str) -> str:
    """Wipe what has that name, once."""
    return await _knock(name)


graph = build_graph(
    [
        knock,
        StructuredTool.from_function(coroutine=wipe, metadata={"destructiveHint": True}),
    ]
)
