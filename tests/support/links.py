"""An editable install is a folder of links to the checkout's files, made when it is installed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

PLACES: Final = {"agent": ".", "tools": "tools", "prompts": "prompts"}
"""Where each folder of the checkout lies in the package."""


def unlinked(root: Path, home: Path | None) -> Iterator[Path]:
    """The files of the checkout `root` that the package at `home` lacks, or has of another's."""
    for folder, place in PLACES.items():
        for file in (*(root / folder).rglob("*.py"), *(root / folder).rglob("*.md")):
            link = home and home / place / file.relative_to(root / folder)
            if not (link and link.exists() and link.samefile(file)):
                yield file.relative_to(root)
