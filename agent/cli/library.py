"""`llm-compiler library`: what can be asked without the web, as the pages that `search` reads."""

import difflib
import json
import os
import shutil
from pathlib import Path
from typing import Final

from llm_compiler.cli import wording
from llm_compiler.cli.exit_status import say
from llm_compiler.context import Context
from llm_compiler.errors import SetupError
from llm_compiler.tools.documents import FolderError, folder_at
from llm_compiler.tools.search import LIBRARY

_GAP: Final = 2


def list_pages(context: Context, *, as_json: bool) -> None:
    """Print the titles of the pages.

    Raises:
        SetupError: the folder cannot be read.
    """
    folder = _folder(context)
    titles = _titles(folder)
    if as_json:
        print(json.dumps(titles, indent=2, ensure_ascii=False))
        return
    for line in _columns(sorted(map(wording.one_line, titles.values()), key=str.casefold)):
        print(line)
    where = "the shipped library" if folder == LIBRARY else f"the folder {folder}"
    print(f"\n{wording.counted(len(titles), 'page')} in {where}.", end=" ")
    print('`llm-compiler library "TITLE"` shows one; --documents DIR reads another folder.')
    if context.documents is None and os.environ.get("TAVILY_API_KEY", "").strip():
        say("TAVILY_API_KEY is set, so `search` asks the web and not this library")


def show_page(context: Context, name: str) -> None:
    """Print one page, named by its title or its file.

    Raises:
        SetupError: there is none of that name, or it cannot be read.
    """
    from llm_compiler.cli.markdown import print_markdown

    folder = _folder(context)
    titles = _titles(folder)
    named = {title.casefold(): file for file, title in titles.items()}
    named |= {Path(file).stem.casefold(): file for file in titles}
    named |= {file.casefold(): file for file in titles}
    file = named.get(name.strip().casefold()) or _found(folder, name)
    if file is None:
        near = difflib.get_close_matches(name.casefold(), named, 1)
        hint = f"did you mean {titles[named[near[0]]]!r}?" if near else "see `llm-compiler library`"
        raise SetupError(f"there is no page {name!r} in {folder}; {hint}")
    try:
        text = (folder / file).read_bytes().decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise SetupError(f"cannot read {folder / file} ({error.strerror})") from error
    print_markdown(text.strip())


def _folder(context: Context) -> Path:
    return context.folder(on_server=False) or LIBRARY


def _titles(folder: Path) -> dict[str, str]:
    try:
        return folder_at(folder).titles()
    except FolderError as error:
        raise SetupError(str(error)) from error


def _found(folder: Path, name: str) -> str | None:
    """The page that a search for the name finds, if it is the only one."""
    files = {passage.file for passage in folder_at(folder).search(name)}
    return files.pop() if len(files) == 1 else None


def _columns(words: list[str]) -> list[str]:
    """Words in as many columns as fit, to be read downwards."""
    width = max(map(len, words), default=0) + _GAP
    across = max(1, (shutil.get_terminal_size().columns + _GAP - 1) // width)
    down = -(-len(words) // across)
    rows = (words[row::down] for row in range(down))
    return ["".join(f"{word:<{width}}" for word in row).rstrip() for row in rows]
