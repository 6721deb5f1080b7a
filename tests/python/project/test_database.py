"""Databases that cannot be opened: one line with the cause and the remedy, whatever the command."""

from __future__ import annotations

import os
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from ecommerce import cli
from ingestion.local_loader import connect
from project.database import explained
from project.errors import UserError
from project.home import CATALOG, claim

DAMAGED = "is damaged; restore a copy of it, or remove it (`make clean`) and run again"
OTHER = "is not a DuckDB database; restore a copy of it, or remove it"
EMPTY = "is empty, so no DuckDB database; restore a copy of it, or remove it"
NO_FILE = "is no file, so no database; move it away"
NEWER = f"was written by a newer version of DuckDB, which version {duckdb.__version__} cannot read"
OLDER = "was written by another version of DuckDB"
HELD = "another process has this database open"


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("intact") / "shop.duckdb"
    with connect(path) as connection:
        connection.execute(
            "create table numbers as select range as n, md5(n::text) from range(99999)"
        )
    return path.read_bytes()


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path.resolve() / "home"
    monkeypatch.setenv("ECOMMERCE_HOME", str(home))
    claim(home)
    landing = home / "landing"
    landing.mkdir()
    (landing / "f.csv").write_text("x\n")
    return home / f"{CATALOG}.duckdb"


def checksum(block: bytes) -> int:
    """DuckDB's checksum, without which a changed header is only a damaged one."""
    found = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        found ^= word * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return found


def of_version(intact: bytes, version: int) -> bytes:
    header = intact[8:12] + struct.pack("<Q", version) + intact[20:4096]
    return struct.pack("<Q", checksum(header)) + header + intact[4096:]


def cut_after(size: int) -> Callable[[bytes, Path], bytes]:
    return lambda intact, _: intact[:size]


def flipped(intact: bytes, start: int) -> bytes:
    return (
        intact[:start]
        + bytes(byte ^ 255 for byte in intact[start : start + 64])
        + intact[start + 64 :]
    )


def sqlite_file(folder: Path) -> bytes:
    with sqlite3.connect(folder / "x.sqlite") as connection:
        connection.execute("create table t (x)")
    connection.close()
    return (folder / "x.sqlite").read_bytes()


CONTENTS: dict[str, tuple[Callable[[bytes, Path], bytes], str]] = {
    "empty": (lambda intact, _: b"", EMPTY),
    **{f"first {size} bytes": (cut_after(size), OTHER) for size in (1, 8, 11)},
    **{
        f"first {size} bytes": (cut_after(size), DAMAGED)
        for size in (12, 100, 4095, 4096, 8192, 12288, 20_000)
    },
    "random": (lambda intact, _: os.urandom(20_000), OTHER),
    "zeros": (lambda intact, _: bytes(20_000), OTHER),
    "text": (lambda intact, _: b"event_time,event_type\n" * 999, OTHER),
    "gzip": (lambda intact, _: b"\x1f\x8b" + bytes(99), OTHER),
    "sqlite": (lambda intact, folder: sqlite_file(folder), OTHER),
    "file header flipped": (lambda intact, _: flipped(intact, 12), DAMAGED),
    "both headers flipped": (lambda intact, _: flipped(flipped(intact, 4200), 8300), DAMAGED),
    "newer": (lambda intact, _: of_version(intact, 70), NEWER),
    "much newer": (lambda intact, _: of_version(intact, 2**63), NEWER),
    "old": (lambda intact, _: of_version(intact, 1), OLDER),
}


def one_line(capsys: pytest.CaptureFixture[str], database: Path) -> str:
    message = capsys.readouterr().err
    assert message.startswith(f"error: {database}: ")
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_file_that_is_no_intact_database_is_named_with_the_remedy(
    kind: str, intact: bytes, database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, expected = CONTENTS[kind]
    database.write_bytes(content(intact, tmp_path))
    before = database.read_bytes()
    for command in (["load"], ["run", "--events", "1000"], ["verify-published"]):
        assert cli.main(command) == 2
        assert f"{database}: {expected}" in one_line(capsys, database), command
    assert database.read_bytes() == before
    assert not (database.parent / "target").exists()
    assert cli.main(["clean"]) == 0
    assert not database.exists()


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "fifo"])
def test_what_is_no_file_is_neither_opened_nor_removed(
    make: Callable[[Path], None], database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(database)
    for command in (["load"], ["run", "--events", "1000"], ["verify-published"], ["clean"]):
        assert cli.main(command) == 2
        assert NO_FILE in one_line(capsys, database), command
    assert database.exists()


@pytest.fixture(params=["reads", "writes"])
def holder(request: pytest.FixtureRequest, database: Path) -> Iterator[None]:
    connect(database).close()
    options = ", read_only=True" if request.param == "reads" else ""
    opened = f"c = duckdb.connect({str(database)!r}{options})"
    program = f"import duckdb; {opened}; print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


def test_a_database_that_another_process_has_open(
    holder: None, database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["load"], ["run", "--events", "1000"], ["clean"]):
        assert cli.main(command) == 2
        message = one_line(capsys, database)
        assert HELD in message, command
        assert "wait until it ends or close it, then run again" in message
    assert database.exists()
    assert not (database.parent / "target").exists()


@pytest.mark.parametrize("name", [":memory:", "md:shop", "s3:x", "x?y", "it's 100% {a}"])
def test_a_database_is_a_file_whatever_its_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    connect(Path(name)).close()
    with connect(Path(name)) as connection:
        assert connection.execute("select count(*) from bronze_layer.events_raw").fetchall() == [
            (0,)
        ]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (duckdb.OutOfMemoryException("failed\nto allocate"), "raise ECOMMERCE_MEMORY_LIMIT"),
        (duckdb.IOException("write: No space left on device"), "free some space, then run again"),
        (duckdb.IOException("Cannot open: Permission denied"), "get permission to write it"),
        (duckdb.BinderException("no column x"), "its tables may be those of something else"),
        (duckdb.FatalException("database has been invalidated"), DAMAGED),
        (duckdb.Error("Corrupt database file: checksum"), DAMAGED),
    ],
)
def test_what_goes_wrong_later_has_a_remedy_too(error: duckdb.Error, expected: str) -> None:
    with pytest.raises(UserError) as caught, explained(Path("shop.duckdb")):
        raise error
    assert str(caught.value).startswith("shop.duckdb: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tables_of_something_else_are_no_traceback(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute("create schema bronze_layer")
        connection.execute("create table bronze_layer.loaded_files (mine int)")
    assert cli.main(["load"]) == 2
    message = capsys.readouterr().err
    assert f"{database}: cannot be opened: Binder Error" in message
    assert "its tables may be those of something else" in message
    assert message.count("\n") == 1
