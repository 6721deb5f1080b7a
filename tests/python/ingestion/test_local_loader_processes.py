"""Other processes: killed loaders, concurrent loaders, unfinished writers."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest

from ingestion.file_load import LARGE_BYTES, Status
from ingestion.local_loader import load
from project.errors import UserError
from project.home import CHECKOUT
from support.dirty_files import HEADER, Lines

PROGRAM = """
import os, signal, sys
from pathlib import Path
from ingestion import file_load
from ingestion.local_loader import load
judge = file_load.judge_file

def judge_or_die(connection, path, *rest):
    if path.name == sys.argv[4]:
        os.kill(os.getpid(), signal.SIGKILL)
    return judge(connection, path, *rest)

file_load.LARGE_BYTES = int(sys.argv[3])
file_load.judge_file = judge_or_die
print("ready", flush=True)
load(Path(sys.argv[1]), Path(sys.argv[2]))
"""
TABLES = "select count(*) from duckdb_tables() where schema_name = 'bronze_layer'"
ROWS = "select _source_file, count(*) from bronze_layer.events_raw group by all"


def start_loader(
    data: Path, database: Path, large: int = LARGE_BYTES, dies_at: str = ""
) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(data), str(database), str(large), dies_at]
    loader = subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    # Delays count from here, because the time of the imports varies with the machine's load.
    assert loader.stdout is not None
    assert loader.stdout.readline() == "ready\n"
    return loader


def test_a_database_is_created_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing, database = tmp_path / "landing", tmp_path / "shop.duckdb"
    landing.mkdir()
    (landing / "a.csv").write_text("\n".join([HEADER, Lines().line(), ""]))

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", end)
    with pytest.raises(KeyboardInterrupt):
        load(landing, database)
    monkeypatch.undo()
    [left] = {*tmp_path.iterdir()} - {landing}
    # DuckDB cannot open this.
    os.truncate(left, 8192)
    assert load(landing, database).count(Status.LOADED) == 1
    assert {*tmp_path.iterdir()} == {landing, database}


def test_a_file_system_without_links_holds_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a.csv").write_text("\n".join([HEADER, Lines().line(), ""]))
    assert load(tmp_path, tmp_path / "shop.duckdb").count(Status.LOADED) == 1


@pytest.mark.kills
@pytest.mark.parametrize(
    ("large", "kept"),
    [pytest.param(0, 3, id="each_alone"), pytest.param(LARGE_BYTES, 0, id="in_one_transaction")],
)
def test_loader_killed_at_a_file_keeps_what_it_committed(
    tmp_path: Path, large: int, kept: int
) -> None:
    landing, database = tmp_path.resolve() / "landing", tmp_path / "shop.duckdb"
    landing.mkdir()
    lines = Lines()
    for number in range(5):
        (landing / f"{number}.csv").write_text("\n".join([HEADER, lines.line(), ""]))
    rows = dict.fromkeys(map(str, sorted(landing.iterdir())), 1)
    assert start_loader(landing, database, large, "3.csv").wait() == -signal.SIGKILL
    with duckdb.connect(str(database)) as connection:
        assert dict(connection.execute(ROWS).fetchall()) == dict([*rows.items()][:kept])
    assert start_loader(landing, database, large).wait() == 0
    with duckdb.connect(str(database)) as connection:
        assert dict(connection.execute(ROWS).fetchall()) == rows


@pytest.mark.kills
def test_killed_loaders_leave_whole_files_and_the_next_run_continues(tmp_path: Path) -> None:
    landing, database = tmp_path.resolve() / "landing", tmp_path / "shop.duckdb"
    landing.mkdir()
    lines = Lines()
    rows = {}
    malformed = 0
    for number in range(12):
        body = [lines.line() for _ in range(6_000 + number)]
        # Every third file takes the slow path, which makes many inserts in one transaction.
        if number % 3 == 0:
            body.append("malformed")
            malformed += 1
        path = landing / f"{number:02}.csv"
        path.write_text("\n".join([HEADER, *body, ""]))
        rows[str(path)] = len(body)

    # Delays are a share of the time that a whole load takes on this machine now.
    started = time.perf_counter()
    assert start_loader(landing, tmp_path / "whole.duckdb").wait() == 0
    whole = time.perf_counter() - started
    random.seed(20191001)
    for kill in range(8):
        # Each file alone, counted while it is scanned, or two in one transaction.
        loader = start_loader(landing, database, 2_000_000 if kill % 2 else 0)
        time.sleep(random.uniform(0.02, 0.4) * whole)
        loader.kill()
        loader.communicate()
        with duckdb.connect(str(database)) as connection:
            # A kill before the tables exist leaves no tables.
            if connection.execute(TABLES).fetchall() == [(2,)]:
                loaded = dict(connection.execute(ROWS).fetchall())
                assert loaded == {path: rows[path] for path in loaded}
    loader = start_loader(landing, database)
    assert loader.communicate()[1] == ""
    assert loader.returncode == 0
    with duckdb.connect(str(database)) as connection:
        assert dict(connection.execute(ROWS).fetchall()) == rows
        ledger = "select path, rows from bronze_layer.loaded_files"
        assert dict(connection.execute(ledger).fetchall()) == rows
        distinct = "select count(distinct user_id) from bronze_layer.events_raw"
        assert connection.execute(distinct).fetchall() == [(sum(rows.values()) - malformed,)]


def test_second_loader_learns_that_the_database_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(f"{HEADER}\n{Lines().line()}\n")
    database = tmp_path / "shop.duckdb"
    with duckdb.connect(str(database)):
        command = [sys.executable, "-m", "ecommerce", "load", "--data", str(tmp_path)]
        loader = subprocess.run(
            [*command, "--database", str(database)], cwd=CHECKOUT, capture_output=True, text=True
        )
    message = loader.stderr
    assert loader.returncode == 2
    assert str(database) in message
    assert "another process has this database open" in message
    assert load(tmp_path, database).count(Status.LOADED) == 1


@pytest.mark.parametrize("last_line", ["", "malformed\n"], ids=["fast path", "slow path"])
def test_file_that_grows_while_it_is_read_is_loaded_by_the_next_run(
    tmp_path: Path, last_line: str
) -> None:
    path, database = tmp_path / "f.csv", tmp_path / "shop.duckdb"
    lines = Lines()
    path.write_text("\n".join([HEADER, *[lines.line() for _ in range(20_000)], ""]) + last_line)
    stop = threading.Event()
    appended = []

    def write() -> None:
        with path.open("a") as file:
            while not stop.is_set():
                file.write(lines.line() + "\n")
                file.flush()
                appended.append(1)
                time.sleep(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        [report] = load(tmp_path, database).files
    finally:
        stop.set()
        writer.join()
    assert report.status is Status.GROWING
    assert "run again" in report.message
    with duckdb.connect(str(database)) as connection:
        for table in ("events_raw", "loaded_files"):
            count = f"select count(*) from bronze_layer.{table}"
            assert connection.execute(count).fetchall() == [(0,)]
    [report] = load(tmp_path, database).files
    assert report.status is Status.LOADED
    assert report.rows == 20_000 + len(appended) + bool(last_line)


def test_database_in_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(HEADER)
    with pytest.raises(UserError, match="set ECOMMERCE_HOME to a writable folder"):
        load(tmp_path, tmp_path / "f.csv" / "shop.duckdb")
