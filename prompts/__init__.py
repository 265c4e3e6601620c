"""The models' instructions: Markdown files in this folder, read once at import."""

import re
from importlib.resources import files


def prompt(name: str) -> str:
    """The text of `prompts/NAME.md`."""
    return files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8").strip()


def examples() -> list[str]:
    """The worked plans in `prompts/examples/`: one file per kind of question."""
    folder = files(__name__).joinpath("examples")
    found = sorted((entry for entry in folder.iterdir()), key=lambda entry: entry.name)
    texts = [entry.read_text(encoding="utf-8") for entry in found if entry.name.endswith(".md")]
    return [plan for text in texts for plan in re.split(r"\n\s*\n", text.strip())]
