"""What tests of several folders share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server with the checkpointer's tables, for the whole session."""
    # Imported at need: few tests want a server.
    from tests.campaigns.postgres import server

    with server() as address:
        yield address
