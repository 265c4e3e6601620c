"""A folder of Markdown, searchable: SQLite FTS5 in memory, rebuilt when a file changes.

    folder ─► files ─► passages (title, text) ─► FTS5, ranked by bm25

Ranking: BM25 with the title weighted above the text, words reduced to stems by Porter's algorithm
and stripped of accents, all of it SQLite's own. What is found must be about the query: `subjects`.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

from .subjects import Subjects
from .words import significant

MAX_PASSAGE = 1500
"""Characters of a passage; a longer file is cut at its headings and paragraphs."""
MAX_TITLE = 200
MAX_PASSAGES = 3
_MAX_CANDIDATES = 50
WORTH = 0.6
"""A passage is shown if its score is at least this part of the best one's."""

_TITLE_WEIGHT, _TEXT_WEIGHT = 10.0, 1.0
_GAP = re.compile(r"\n\s*\n")
_HEADING = re.compile(r"^#{1,6}[^\S\n]+(?P<text>\S.*)$", re.MULTILINE)


class FolderError(Exception):
    """The folder cannot be searched; the text says why and what to do."""


@dataclass(frozen=True)
class Passage:
    """A piece of a file: enough to be read alone."""

    file: str
    """Its path below the folder, with forward slashes."""
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.title}\n{self.text}"


@lru_cache(maxsize=8)
def folder_at(path: Path) -> "Folder":
    """Return the one searchable folder at `path`, so that its index is built once."""
    return Folder(path)


class Folder:
    """The Markdown files below a path. Its methods block, and may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._signature: frozenset[tuple[str, int, int]] = frozenset()
        self._database: sqlite3.Connection | None = None
        self._subjects = Subjects([])
        # SQLite takes one thread at a time; the index must not change under a search either.
        self._lock = Lock()

    def search(self, query: str) -> list[Passage]:
        """Return the passages that are about `query`, the best first; none if no passage is.

        A query that names pages (by title or alias) gets the best passage of each, and no other.
        Raises FolderError for a folder that cannot be searched.
        """
        words = significant(query)
        if not words:
            return []
        with self._lock:
            database = self._current()
            asked = self._subjects.asked(query)
            if named := self._subjects.named(asked):
                # In the subject's own file its title does not distinguish passages.
                rest = self._subjects.besides(named[0], words)
                return [_best_of(database, file, rest or words) for file in named]
            return _ranked(
                database, words, lambda it: self._subjects.is_about(asked, it.file, it.text)
            )

    def titles(self) -> dict[str, str]:
        """Return the title of each file; raises FolderError if the folder cannot be searched."""
        with (
            self._lock,
            closing(self._current().execute("SELECT file, title FROM passages")) as rows,
        ):
            return dict(rows.fetchall())

    def close(self) -> None:
        """Drop the index; the next search builds it again."""
        with self._lock:
            if self._database is not None:
                self._database.close()
            self._database, self._signature = None, frozenset()

    def _current(self) -> sqlite3.Connection:
        """Return an index of the files as they are now."""
        files = dict(_markdown_in(self._path))
        signature = frozenset(
            (name, status.st_mtime_ns, status.st_size) for name, status in files.items()
        )
        if self._database is None or signature != self._signature:
            passages = list(_passages_in(self._path, sorted(files)))
            database = _indexed(passages)
            if self._database is not None:
                self._database.close()
            self._database, self._signature = database, signature
            self._subjects = Subjects((it.file, it.title, it.text) for it in passages)
        return self._database


def _markdown_in(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the Markdown files below `path` with their status; links out of it are not followed."""
    if not path.is_dir():
        raise FolderError(
            f"the folder {path.name!r} does not exist; name an existing one in documents"
        )
    found = False

    def refuse(error: OSError) -> None:
        reason = error.strerror or type(error).__name__
        raise FolderError(f"cannot read the folder {path.name!r}: {reason}; give read permission")

    for folder, _, names in os.walk(path, onerror=refuse):
        for name in names:
            file = Path(folder, name)
            if file.suffix.casefold() in (".md", ".markdown") and not file.is_symlink():
                found = True
                yield file.relative_to(path).as_posix(), file.stat()
    if not found:
        raise FolderError(f"the folder {path.name!r} has no Markdown files; put .md files into it")


def _passages_in(path: Path, files: list[str]) -> Iterator[Passage]:
    readable = 0
    for name in files:
        try:
            text = (path / name).read_bytes().decode("utf-8-sig", errors="replace")
        except OSError:
            # One unreadable file does not hide the others.
            continue
        readable += 1
        yield from passages_of(name, text)
    if not readable:
        raise FolderError(f"no file in {path.name!r} can be read; give read permission")


def passages_of(name: str, text: str) -> Iterator[Passage]:
    """Cut a file into passages of at most MAX_PASSAGE characters."""
    text = text.replace("\r\n", "\n").strip()
    heading = _HEADING.search(text)
    if heading is None:
        title = re.sub(r"[-_]+", " ", Path(name).stem)
    else:
        # A heading may be closed by marks like those that open it.
        title = heading["text"].rstrip().rstrip("#").rstrip() or heading["text"].strip()
        if heading.start() == 0:
            text = text[heading.end() :].strip()
    for piece in _pieces(text):
        yield Passage(name, title[:MAX_TITLE], piece)


def _pieces(text: str) -> Iterator[str]:
    """Yield `text` whole if it is short, else cut where it hurts least."""
    piece = ""
    for block in _blocks(text):
        starts_section = block.startswith("#") and len(piece) > MAX_PASSAGE // 2
        if piece and (starts_section or len(piece) + len(block) + 2 > MAX_PASSAGE):
            yield piece
            piece = ""
        piece = f"{piece}\n\n{block}" if piece else block
    # A title alone is a passage too: it can be found.
    yield piece


def _blocks(text: str) -> Iterator[str]:
    """Yield the paragraphs of `text`; one that is too long is cut at a line, sentence or word."""
    for paragraph in _paragraphs(text):
        rest = paragraph.strip("\n")
        if len(rest) > MAX_PASSAGE:
            rest = rest.rstrip()
        start = 0
        while len(rest) - start > MAX_PASSAGE:
            head = rest[start : start + MAX_PASSAGE]
            cut = max(head.rfind("\n"), head.rfind(". ") + 1) or head.rfind(" ")
            cut = cut if cut > MAX_PASSAGE // 3 else MAX_PASSAGE
            yield head[:cut].strip()
            start += cut
            while start < len(rest) and rest[start].isspace():
                start += 1
        yield rest[start:]


def _paragraphs(text: str) -> Iterator[str]:
    """Yield what is between empty lines, one by one: `re.split` would not let other threads
    run before it has them all."""
    start = 0
    for gap in _GAP.finditer(text):
        yield text[start : gap.start()]
        start = gap.end()
    yield text[start:]


def _indexed(passages: list[Passage]) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.execute(
        "CREATE VIRTUAL TABLE passages USING fts5("
        "title, text, file UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2')"
    )
    database.executemany(
        "INSERT INTO passages (title, text, file) VALUES (?, ?, ?)",
        [(passage.title, passage.text, passage.file) for passage in passages],
    )
    return database


def _match(words: list[str]) -> str:
    """Return an FTS5 expression that asks for any of `words`; quoted, so that none is syntax."""
    return " OR ".join(f'"{word}"' for word in dict.fromkeys(words))


def _ranked(
    database: sqlite3.Connection, words: list[str], is_about: Callable[[Passage], bool]
) -> list[Passage]:
    """Return the best passages about the query, without those much worse than the best."""
    with closing(
        database.execute(
            f"SELECT file, title, text, -bm25(passages, {_TITLE_WEIGHT}, {_TEXT_WEIGHT}) AS score "
            "FROM passages WHERE passages MATCH ? ORDER BY score DESC, rowid LIMIT ?",
            (_match(words), _MAX_CANDIDATES),
        )
    ) as rows:
        found = [(Passage(*row[:3]), row[3]) for row in rows]
    about = [(passage, score) for passage, score in found if is_about(passage)][:MAX_PASSAGES]
    return [passage for passage, score in about if score >= about[0][1] * WORTH]


def _best_of(database: sqlite3.Connection, file: str, words: list[str]) -> Passage:
    """Return the passage of `file` that fits `words` best, its first one if none does."""
    with closing(
        database.execute(
            "SELECT file, title, text FROM passages WHERE passages MATCH ? AND file = ? "
            f"ORDER BY bm25(passages, 0.0, {_TEXT_WEIGHT}), rowid LIMIT 1",
            (f"text : ({_match(words)})", file),
        )
    ) as rows:
        row = rows.fetchone()
    if row is None:
        with closing(
            database.execute(
                "SELECT file, title, text FROM passages WHERE file = ? ORDER BY rowid LIMIT 1",
                (file,),
            )
        ) as rows:
            row = rows.fetchone()
    return Passage(*row)
