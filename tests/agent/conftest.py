"""What tests of the agent share."""

import pytest

from tests.agent.scripted import Ledger


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()
