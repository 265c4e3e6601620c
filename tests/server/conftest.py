"""Fixtures that the tests of a server share; each module has its own server."""

from collections.abc import AsyncIterator, Iterator

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.server import process
from tests.server.gates import Gates


@pytest.fixture(scope="module")
def gates() -> Iterator[Gates]:
    with Gates() as gates:
        yield gates


@pytest.fixture
async def client(server: process.Server) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=server.url) as client:
        yield client
