"""docs/changing.md leads to each file of `agent/`."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "changing.md").read_text(encoding="utf-8")


def test_each_file_of_the_agent_is_named_once() -> None:
    table = "\n".join(line for line in TEXT.splitlines() if line.startswith("|"))
    named = re.findall(r"`([\w/]+(?:\.py|/))`", table)
    files = [p.name for p in (ROOT / "agent").glob("*.py")]
    folders = [f"{p.parent.name}/" for p in (ROOT / "agent").glob("*/__init__.py")]
    assert sorted(set(named) - {"prompts/", "prompts/examples/"}) == sorted([*files, *folders])
    assert len(named) == len(set(named))


def test_its_command_shows_worked_plans() -> None:
    [command] = re.findall(r'^python -c "\n(.*?)"$', TEXT, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("Question: ") == 2
    assert 'math("$11 / $12")' in done.stdout
