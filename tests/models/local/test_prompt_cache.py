"""What a server has read of a prompt's beginning is kept on disk for the next server."""

import datetime
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from llm_compiler import Context, build_graph
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.models.local.prompt_cache import PromptCache
from llm_compiler.models.profiles import LOCAL_PROFILE
from llm_compiler.nodes.beginning import beginning, constant
from llm_compiler.prompting.messages import planner_messages
from llm_compiler.tools import SHIPPED

KEY = "key of the test"
HELLO = [{"role": "system", "content": "Be brief."}]
BYE = [{"role": "system", "content": "Be polite."}]


class Slots(BaseHTTPRequestHandler):
    """The part of llama.cpp's server that reads prompts and writes slots."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == f"Bearer {KEY}"
        server = self.server
        assert isinstance(server, Http)
        what = self.path.partition("action=")[2] or "read"
        server.asked.append((what, body.get("filename", body.get("messages"))))
        if what == "save":
            (server.folder / body["filename"]).write_bytes(b"a slot")
        self.send_response(server.status.get(what, 200))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Http(ThreadingHTTPServer):
    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Slots)
        self.folder = folder
        self.asked: list[tuple[str, Any]] = []
        self.status: dict[str, int] = {}


class Served:
    def __init__(self, folder: Path) -> None:
        self.http = Http(folder)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def asked(self) -> list[str]:
        said = [what for what, _ in self.http.asked]
        self.http.asked.clear()
        return said


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.http.shutdown()
    served.http.server_close()


def test_beginning_is_read_once_and_restored_by_the_next_server(served: Served) -> None:
    cache = PromptCache(served.http.folder, "one")
    cache.read(served.url, KEY, HELLO)
    assert served.asked() == ["read", "save"]
    [file] = served.http.folder.iterdir()
    assert file.suffix == ".bin"
    cache.read(served.url, KEY, HELLO)
    assert served.http.asked == [("restore", file.name)]


def test_another_beginning_goes_on_from_the_newest_of_the_same_server(served: Served) -> None:
    PromptCache(served.http.folder, "other").read(served.url, KEY, HELLO)
    served.asked()
    cache = PromptCache(served.http.folder, "one")
    cache.read(served.url, KEY, HELLO)
    assert served.asked() == ["read", "save"]
    cache.read(served.url, KEY, BYE)
    assert served.asked() == ["restore", "read", "save"]


def test_file_that_cannot_be_restored_is_replaced(served: Served) -> None:
    cache = PromptCache(served.http.folder, "one")
    cache.read(served.url, KEY, HELLO)
    served.asked()
    served.http.status["restore"] = 400
    cache.read(served.url, KEY, HELLO)
    assert served.asked() == ["restore", "read", "save"]


@pytest.mark.parametrize("refused", ["read", "save"])
def test_server_that_cannot_leaves_nothing(served: Served, refused: str) -> None:
    served.http.status[refused] = 500
    PromptCache(served.http.folder, "one").read(served.url, KEY, HELLO)
    assert [*served.http.folder.iterdir()] == []


def test_no_server_and_no_folder_are_no_error(tmp_path: Path) -> None:
    gone = Served(tmp_path)
    gone.http.shutdown()
    gone.http.server_close()
    PromptCache(tmp_path, "one").read(gone.url, KEY, HELLO)
    PromptCache(None, "one").read(gone.url, KEY, HELLO)
    assert [*tmp_path.iterdir()] == []


def test_oldest_files_and_what_was_left_half_written_are_deleted(served: Served) -> None:
    folder, now = served.http.folder, time.time()
    for age in range(8):
        file = folder / f"one-{age}.{'bin' if age else 'tmp'}"
        file.write_bytes(b"")
        os.utime(file, (now - 1000 * (age + 1),) * 2)
    PromptCache(folder, "one").read(served.url, KEY, HELLO)
    left = {file.name for file in folder.iterdir()}
    assert len(left) == 4
    assert "one-1.bin" in left
    assert "one-0.tmp" not in left


def test_very_long_beginning_is_not_kept(served: Served) -> None:
    long = [{"role": "system", "content": "word " * 10_000}]
    PromptCache(served.http.folder, "one").read(served.url, KEY, long)
    assert served.asked() == []


@pytest.mark.parametrize("question", ["How tall is K2?", "Which is higher, K2 or Denali?"])
def test_every_prompt_of_a_day_begins_with_the_beginning(question: str) -> None:
    tools, today = Toolbox.of(SHIPPED), datetime.date(2026, 11, 28)
    context = Context(more_examples=("Question: Hi\nanswer('Hi')",))
    told = "Be polite."
    start = beginning(tools, context, LOCAL_PROFILE, told, today)
    options = constant(context, LOCAL_PROFILE, told, today)
    prompt = planner_messages(tools, [HumanMessage("Hello")], question, **options)
    assert [it.content for it in prompt[: len(start)]] == [it.content for it in start]
    assert len(start) > 5
    assert len(prompt) > len(start)


def test_prepare_starts_nothing_that_is_not_the_planners() -> None:
    before = {*threading.enumerate()}
    build_graph().prepare(Context(model="openai:x"))
    assert {*threading.enumerate()} == before
