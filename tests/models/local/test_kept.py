"""A kept server: found by later commands of the same user, and gone when nobody uses it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from llm_compiler.models.local import kept
from llm_compiler.models.local.obtain import ensure
from llm_compiler.models.local.server import LocalServer
from llm_compiler.models.local.server_settings import PROGRAM
from llm_compiler.models.local.weights import VARIABLE, cache_folder

KEY = "key of the test"
ADDRESS = "http://127.0.0.1:1"
SERVE = f"""
import sys
sys.path.insert(0, {str(PROGRAM.parent)!r})
from server_process import KeptServer
server = KeptServer({ADDRESS!r}, {KEY!r}, sys.argv[1], float(sys.argv[2]))
print("kept", flush=True)
server.wait()
"""
# Nobody waits for it: a test that fails leaves it for this long.
LONG = 30.0


class Served:
    """The part of a kept server that is found and counts, in a process of its own."""

    def __init__(self, file: Path, seconds: float = LONG) -> None:
        self.file = file
        arguments = [sys.executable, "-IS", "-c", SERVE, str(file), str(seconds)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        assert self.process.stdout
        assert self.process.stdout.readline() == b"kept\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.kill()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return kept.file_for({"model": "m"})


@pytest.fixture
def served(file: Path) -> Iterator[Served]:
    with Served(file) as served:
        yield served


def written(file: Path, port: int, mode: int = 0o600) -> None:
    file.write_text(json.dumps({"pid": os.getpid(), "port": port, "key": KEY}))
    file.chmod(mode)


def test_file_is_for_its_user_alone_and_says_where_the_server_is(served: Served) -> None:
    found = json.loads(served.file.read_text())
    assert found["pid"] == served.process.pid
    assert served.file.stat().st_mode & 0o777 == 0o600
    assert served.file.parent.stat().st_mode & 0o777 == 0o700


def test_later_command_finds_it_and_counts_as_a_guest(served: Served) -> None:
    one = kept.visit(served.file, "use", LONG)
    assert one is not None
    assert (one.base_url, one.api_key, one.guests) == (f"{ADDRESS}/v1", KEY, 0)
    assert KEY not in repr(one)
    [seen] = kept.kept_servers()
    assert (seen.pid, seen.guests) == (served.process.pid, 1)
    assert one.alive()
    one.close()


def test_another_model_or_version_is_not_found(served: Served) -> None:
    other = kept.file_for({"model": "another"})
    assert other != served.file
    assert kept.visit(other, "use") is None


def test_it_ends_when_its_time_is_over(file: Path) -> None:
    with Served(file, 0.05) as served:
        assert served.process.wait(10) == 0
        assert not file.exists()


def test_it_stays_while_somebody_uses_it_and_ends_when_they_crash(file: Path) -> None:
    # The guest is a process that is killed: nobody says goodbye.
    ask = (
        "import sys; from pathlib import Path; from llm_compiler.models.local import kept\n"
        "visit = kept.visit(Path(sys.argv[1]), 'use', 1.0); print(visit, flush=True)\n"
        "sys.stdin.read()"
    )
    with Served(file, 1.0) as served:
        one = kept.visit(file, "use", 1.0)
        assert one is not None
        arguments = [sys.executable, "-c", ask, str(file)]
        with subprocess.Popen(arguments, stdin=-1, stdout=-1) as guest:
            assert guest.stdout
            assert b"Visit(" in guest.stdout.readline()
            one.close()
            assert served.process.poll() is None
            guest.kill()
        assert served.process.wait(10) == 0


def test_the_longest_wish_holds(served: Served) -> None:
    for seconds in (0.0, 3600.0, 1.0):
        visit = kept.visit(served.file, "use", seconds)
        assert visit is not None
        visit.close()
    # The server sees a guest leave a moment after it has left.
    while True:
        [seen] = kept.kept_servers()
        if seen.guests == 0 and seen.seconds > LONG:
            break
        time.sleep(0.005)
    assert 3500 < seen.seconds <= 3600


def test_stop_ends_it_though_it_is_used(served: Served) -> None:
    one = kept.visit(served.file, "use", LONG)
    assert one is not None
    assert kept.stop_kept() == [served.process.pid]
    assert served.process.wait(10) == 0
    assert not served.file.exists()
    assert not one.alive()
    assert kept.stop_kept() == []
    one.close()


def test_dead_server_is_not_found_and_its_file_is_deleted(served: Served) -> None:
    served.process.kill()
    served.process.wait()
    assert served.file.exists()
    assert kept.visit(served.file, "use") is None
    assert [*kept.kept_servers()] == []
    assert not served.file.exists()


def test_program_that_has_its_port_by_now_is_not_ours_and_learns_nothing(file: Path) -> None:
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as foreign:

        def answer() -> None:
            connection, _ = foreign.accept()
            with connection, connection.makefile("rwb", buffering=0) as talk:
                heard.append(talk.readline())
                talk.write(json.dumps({"proof": "00" * 32, "nonce": "0"}).encode() + b"\n")
                heard.append(talk.readline())

        thread = threading.Thread(target=answer)
        thread.start()
        written(file, foreign.getsockname()[1])
        assert kept.visit(file, "use") is None
        thread.join()
    assert set(json.loads(heard[0])) == {"nonce"}
    assert heard[1] == b""


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n", b"[]\n", b"\xff\n"])
def test_program_that_speaks_otherwise_is_not_ours(file: Path, said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:

        def answer() -> None:
            connection, _ = foreign.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        written(file, foreign.getsockname()[1])
        assert kept.visit(file, "use") is None
        thread.join()


@pytest.mark.parametrize("said", [b"", b"\n", b"{}\n", b"[" * 2000, b'{"nonce": "0"}\n{}\n'])
def test_who_does_not_know_the_key_gets_nothing(served: Served, said: bytes) -> None:
    port = json.loads(served.file.read_text())["port"]
    with socket.create_connection(("127.0.0.1", port), 10) as stranger:
        stranger.sendall(said)
        heard = b""
        with suppress(OSError):  # it may leave before it has read all, or before it is told the end
            stranger.shutdown(socket.SHUT_WR)
            while more := stranger.recv(1024):
                heard += more
    assert KEY.encode() not in heard
    assert ADDRESS.encode() not in heard
    [seen] = kept.kept_servers()
    assert seen.guests == 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "port": "x"}'])
def test_file_that_is_none_counts_for_nothing(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)
    assert kept.visit(file, "use") is None


def test_file_that_others_can_read_counts_for_nothing(served: Served) -> None:
    served.file.chmod(0o644)
    assert kept.visit(served.file, "use") is None


def test_folder_that_others_can_reach_keeps_nothing(file: Path) -> None:
    file.parent.chmod(0o755)
    with pytest.raises(kept.NotKeptError, match="others can reach"):
        kept.file_for({})


def test_server_replaced_by_another_leaves_the_others_file(file: Path) -> None:
    with Served(file) as first:
        file.unlink()
        with Served(file) as second:
            one = kept.visit(file, "look")
            assert one is not None
            assert one.pid == second.process.pid
            one.close()
            first.process.kill()
            assert kept.stop_kept() == [second.process.pid]


# ── with the real model ───────────────────────────────────────────────────────────────────────

START = """
import sys
from llm_compiler.models.local.server import LOCAL_SERVER, LOCAL_SERVERS
LOCAL_SERVERS.keep(float(sys.argv[1]))
served = LOCAL_SERVER.endpoint()
print(served.base_url, LOCAL_SERVERS.began_to_keep, flush=True)
sys.stdin.read()
"""


def command(seconds: float) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-W", "error", "-c", START, str(seconds)]
    return subprocess.Popen(arguments, stdin=-1, stdout=-1, stderr=-1, text=True)


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The real model, and a cache of its own for the files of its servers."""
    weights = ensure()
    folder = tmp_path / "llm-compiler"
    folder.mkdir()
    # It was checked: reading it again would take seconds.
    shutil.copy(cache_folder() / "checked.json", folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(VARIABLE, str(weights))
    yield
    kept.stop_kept()


@pytest.mark.local
def test_two_commands_at_once_start_one_server_which_outlives_both(real: None) -> None:
    with command(LONG) as one, command(LONG) as two:
        assert one.stdout
        assert two.stdout
        said = sorted([one.stdout.readline().split(), two.stdout.readline().split()])
        assert said[0][0] == said[1][0]
        assert {began for _, began in said} == {"True", "False"}
        one.kill()
        two.kill()
    [seen] = kept.kept_servers()
    assert f"{seen.base_url}" == said[0][0]


@pytest.mark.local
def test_kept_server_that_was_stopped_is_started_again(real: None) -> None:
    server = LocalServer()
    server.keep_seconds = LONG
    first = server.endpoint()
    assert server.endpoint() == first
    assert len(kept.stop_kept()) == 1
    assert server.endpoint() != first
    server.stop()
    assert len(kept.stop_kept()) == 1


@pytest.mark.local
def test_server_of_a_command_that_keeps_nothing_ends_with_it(real: None) -> None:
    with command(0) as one:
        assert one.stdout
        assert one.stdout.readline().split()[1] == "False"
        assert [*kept.kept_servers()] == []
        one.kill()
