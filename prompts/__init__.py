"""The models' instructions: Markdown files in this folder, read once at import."""

from importlib.resources import files


def prompt(name: str) -> str:
    """The text of `prompts/NAME.md`."""
    return files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8").strip()


def examples() -> list[tuple[str, str]]:
    """The worked programs in `prompts/examples/`, one a file, in the order of their names.

    Each with the words of its first line "Like: …", which questions like it say; "" without one.
    """
    folder = files(__name__).joinpath("examples")
    found = sorted((entry for entry in folder.iterdir()), key=lambda entry: entry.name)
    texts = [it.read_text(encoding="utf-8").strip() for it in found if it.name.endswith(".md")]
    apart = [text.partition("\n") for text in texts]
    return [
        (first.removeprefix("Like: "), rest) if first.startswith("Like: ") else ("", text)
        for text, (first, _, rest) in zip(texts, apart, strict=True)
    ]
