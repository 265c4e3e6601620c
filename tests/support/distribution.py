"""How the worker processes of a test run share its tests: file by file, with two exceptions.

Files that set up the same costly thing go to one worker, which sets it up once. And a long file
whose tests share nothing is handed out test by test, so that no worker is left alone with it.
"""

from typing import Final

from xdist.scheduler import LoadScopeScheduling

_TOGETHER: Final = {
    "tests/server/test_dockerfile.py": "installed",
    "tests/test_installed.py": "installed",
    "tests/test_user_types.py": "installed",
}
"""Files, and the name of what they share."""
_APART: Final = (
    "tests/campaigns/test_campaigns.py",
    "tests/execution/test_changes_between_runs.py",
    "tests/mcp/test_mcp.py",
    "tests/mcp/test_names.py",
    "tests/nodes/test_text_limits.py",
    "tests/run/test_restart.py",
    "tests/test_faults.py",
)
"""Files whose functions are handed out one by one."""


class Distribution(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out tests in parts, in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return part_of(nodeid)


def part_of(nodeid: str) -> str:
    """The name of the part to which a test belongs. One worker runs a part as a whole."""
    path, _, name = nodeid.partition("::")
    if path in _APART:
        return f"{path}::{name.partition('[')[0]}"
    return _TOGETHER.get(path, path)
