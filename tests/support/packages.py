"""The package as a user installs it: built from the checkout, in a new environment."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pathspec

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("agent", "tools", "prompts")
"""The folders that make the package."""


def tracked() -> list[str]:
    """What git has or would take, so that a file made a moment ago is checked too."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]


def not_ignored(paths: Iterable[str]) -> list[str]:
    """The paths that `.dockerignore` lets pass."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    # As Docker reads it: a pattern without ** is anchored at the top.
    anchored = [re.sub(r"^(!?)(?!\*\*)", r"\1/", line) for line in lines if line and line[0] != "#"]
    ignored = pathspec.PathSpec.from_lines("gitignore", anchored)
    return [path for path in paths if not ignored.match_file(path)]


def copied(folder: Path) -> Path:
    """A copy of the checkout as an image holds it; building there leaves the checkout alone."""
    for path in not_ignored(tracked()):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, folder / path)
    return folder


def pip(verb: str, *arguments: str, python: Path | str = sys.executable) -> None:
    """Run pip for an interpreter, without dependencies and without a network."""
    command = [sys.executable, "-m", "pip", "--python", str(python), verb, "-q", "--no-deps"]
    command += ["--no-build-isolation", *(["--ignore-installed"] if verb == "install" else [])]
    subprocess.run([*command, *arguments], env=clean(), check=True, timeout=100)


def environment(folder: Path) -> Path:
    """A new environment with all that is installed here but this package; its interpreter."""
    venv.create(folder, symlinks=os.name != "nt")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True)
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    # Only folders: the .pth files in them, and so an editable install, do not count.
    Path(own.stdout.strip(), "here.pth").write_text("\n".join(ours))
    return python


def clean() -> dict[str, str]:
    """This process's environment without what would put a copy of the package on the path."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "MYPYPATH") and not name.startswith("LLM_COMPILER_")
    }
