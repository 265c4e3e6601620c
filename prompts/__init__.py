"""The models' instructions: Markdown files in this folder, read once at import."""

import re
from importlib.resources import files

_LIKE = re.compile(r"(?P<always>Always )?[Ll]ike: (?P<words>.*)\n")


def prompt(name: str) -> str:
    """The text of `prompts/NAME.md`."""
    return files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8").strip()


def examples() -> list[tuple[str, bool, str]]:
    """The worked programs in `prompts/examples/`, one a file, in the order of their names.

    Each with the words of its first line "Like: …", which questions like it say, and whether it is
    sent with every question: that line begins with "Always", or there is none.
    """
    folder = files(__name__).joinpath("examples")
    found = sorted((entry for entry in folder.iterdir()), key=lambda entry: entry.name)
    texts = [it.read_text(encoding="utf-8").strip() for it in found if it.name.endswith(".md")]
    found_in = [_LIKE.match(text) for text in texts]
    return [
        (it["words"], bool(it["always"]), text[it.end() :]) if it else ("", True, text)
        for it, text in zip(found_in, texts, strict=True)
    ]
