"""Fixtures that tests in several folders share."""

import gc
import importlib.util
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.distribution import Distribution, part_of
from tests.support.links import unlinked
from tests.support.turns import turn_to_run

if TYPE_CHECKING:
    from tests.support.scripted import Ledger

# LangGraph reads this once, when it is imported. With it, checkpoints accept only plain data.
os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
# A shell starts background jobs (`pytest &`) with SIGINT ignored, and their children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    """Fix the seeds, since a test that fails now and then teaches people to run it again.

    Stop if a file is not installed: an editable install has no links to files added after it.
    """
    if importlib.util.find_spec("hypothesis"):  # tests/workers goes without it
        from hypothesis import settings

        settings.load_profile("ci")
    spec = importlib.util.find_spec("llm_compiler")
    home = Path(spec.origin).parent if spec and spec.origin else None
    if file := next(unlinked(Path(__file__).parents[1], home), None):
        pytest.exit(f"{file} is not installed; run pip install -e . --no-deps", 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the parts that wait most, so that none of them is left for one worker alone."""
    waits = ("slow", "server", "local")
    slow = {part_of(it.nodeid) for it in items if any(map(it.get_closest_marker, waits))}
    items.sort(key=lambda item: part_of(item.nodeid) not in slow)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Distribution:
    return Distribution(config, log)


def pytest_collection_finish() -> None:
    """Spare Python's collector what all modules of tests hold: many tests call it."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Run tests that measure time alone, while those of the other workers wait."""
    folder = item.config.rootpath / ".pytest_cache"
    with turn_to_run(folder, alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server with the checkpointer's tables, for the whole session."""
    # Imported when needed: few tests use a server.
    from tests.campaigns.postgres import server

    with server() as address:
        yield address


@pytest.fixture
def ledger() -> "Ledger":
    from tests.support.scripted import Ledger

    return Ledger()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, built from what reaches an image."""
    from tests.support.packages import copied, pip

    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--wheel-dir", str(folder), str(copied(folder / "source")))
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="session", params=["wheel", "editable"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment in which the package is installed."""
    from tests.support.packages import copied, environment, pip

    folder = tmp_path_factory.mktemp(request.param)
    python = environment(folder / "environment")
    if request.param == "wheel":
        pip("install", str(request.getfixturevalue("wheel")), python=python)
    else:
        pip("install", "-e", str(copied(folder / "source")), python=python)
    return python
