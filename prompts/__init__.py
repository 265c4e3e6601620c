"""The models' instructions: Markdown files in this folder, read once at import."""

from importlib.resources import files


def prompt(name: str) -> str:
    """The text of `prompts/NAME.md`."""
    return files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8").strip()


def examples() -> list[str]:
    """The worked programs in `prompts/examples/`, one a file, in the order of their names."""
    folder = files(__name__).joinpath("examples")
    found = sorted((entry for entry in folder.iterdir()), key=lambda entry: entry.name)
    return [it.read_text(encoding="utf-8").strip() for it in found if it.name.endswith(".md")]
