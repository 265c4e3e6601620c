"""The models' instructions, as Markdown beside this file, read once at import."""

from importlib.resources import files


def prompt(name: str) -> str:
    """The text of `prompts/NAME.md`."""
    return files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8").strip()


def examples() -> list[str]:
    """The worked plans of `prompts/examples/`, in the order of their names."""
    folder = files(__name__).joinpath("examples")
    found = sorted((entry for entry in folder.iterdir()), key=lambda entry: entry.name)
    return [e.read_text(encoding="utf-8").strip() for e in found if e.name.endswith(".md")]
