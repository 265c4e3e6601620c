"""What tests of several folders share."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.scripted import Ledger

# LangGraph reads it once, when it is imported: checkpoints of the tests hold plain data only.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
# A shell starts what runs in the background (`pytest &`) deaf to Ctrl-C, and so are its children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server with the checkpointer's tables, for the whole session."""
    # Imported at need: few tests want a server.
    from tests.campaigns.postgres import server

    with server() as address:
        yield address


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()
