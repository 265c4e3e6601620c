"""What `tools` exports, and what importing it loads."""

import subprocess
import sys

from llm_compiler import tools


def test_exports_are_few() -> None:
    assert tools.__all__ == ["SHIPPED", "Reader", "Resources", "math"]


def test_shipped_tools_are_the_three_of_the_design() -> None:
    assert [tool.name for tool in tools.SHIPPED] == ["search", "number", "read"]


def test_all_only_read_and_say_so() -> None:
    assert all((tool.metadata or {})["readOnlyHint"] is True for tool in tools.SHIPPED)
    worldly = [tool.name for tool in tools.SHIPPED if (tool.metadata or {}).get("openWorldHint")]
    assert worldly == ["search"]


def test_first_lines_fit_into_a_prompt() -> None:
    for tool in tools.SHIPPED:
        assert len(tool.description.splitlines()[0]) <= 90


def test_config_is_no_argument() -> None:
    assert [list(tool.args) for tool in tools.SHIPPED] == [
        ["query"],
        ["what", "text"],
        ["question", "text"],
    ]


def test_import_starts_no_thread_and_brings_no_heavy_package() -> None:
    program = (
        "import sys, threading, tools\n"
        "heavy = {'numpy', 'numexpr', 'tavily'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert threading.active_count() == 1\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=50)
