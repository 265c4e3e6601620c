"""The places that `--tools` names, read before anything is imported or a model starts."""

from pathlib import Path

from llm_compiler.errors import SetupError


def file_and_name(place: str) -> tuple[Path, str]:
    """A place that --tools names.

    Raises:
        SetupError: it is not written as one, or there is no such file.
    """
    file, colon, name = place.rpartition(":")
    if not colon or not file.endswith(".py") or not name.isidentifier():
        raise SetupError(f"--tools {place}: write FILE.py:NAME, for example my_tools.py:TOOLS")
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise SetupError(f"--tools {place}: there is no file {path}")
    return path, name
