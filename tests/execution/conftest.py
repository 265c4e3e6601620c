from collections.abc import Iterator

import pytest

from llm_compiler.execution.tool_threads import Threads


@pytest.fixture
def threads() -> Iterator[Threads]:
    opened = Threads()
    yield opened
    opened.close()
