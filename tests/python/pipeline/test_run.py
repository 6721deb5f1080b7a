"""The home of a run: what may use it, what stops a run, what `clean` leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from ecommerce import cli
from ingestion.file_load import FileReport, Status
from ingestion.load_report import LoadReport
from pipeline import run, summary
from project.errors import UserError
from project.home import CHECKOUT, claim, locked
from support.databricks_runs import copy_project
from support.platform_runs import LOSE_ROWS, Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path.resolve() / "home"
    folder.mkdir()
    monkeypatch.setenv("ECOMMERCE_HOME", str(folder))
    return folder


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x", encoding="utf-8")
    return path


def fill(home: Path) -> None:
    """Fill the home like a run of few events, with stand-ins for dbt's files."""
    claim(home)
    assert cli.main(["generate", "--events", "1000", "--days", "2"]) == 0
    assert cli.main(["load"]) == 0
    for name in ("target/manifest.json", "logs/dbt.log", "docs/index.html"):
        write(home / name)
    write(home / "landing" / ".events_2019-10-01.csv.partial")


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_clean_removes_a_home_with_only_results(home: Path) -> None:
    fill(home)
    assert cli.main(["clean"]) == 0
    assert not home.exists()
    assert cli.main(["clean"]) == 0


def test_clean_keeps_files_that_no_run_created(home: Path) -> None:
    names = ("notes.txt", "logs/mine.log", "docs/mine.html", "landing/events_2031-01-01.csv")
    mine = {write(home / name) for name in names}
    mine.add(write(home / "ecommerce_analytics_local.duckdb.backup"))
    (home / "landing" / "events_2031-01-01.csv").rename(home / "later.csv")
    fill(home)
    (home / "later.csv").rename(home / "landing" / "events_2031-01-01.csv")
    assert cli.main(["clean"]) == 0
    assert files(home) == mine | {home / "logs" / "dbt.log"}


def test_clean_refuses_a_folder_without_the_marker_of_a_run(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = write(home / "target" / "mine.txt")
    database = write(home / "ecommerce_analytics_local.duckdb")
    assert cli.main(["clean"]) == 2
    assert f"{home} is not the home of a run" in capsys.readouterr().err
    assert files(home) == {mine, database}


def test_run_refuses_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECOMMERCE_HOME", str(CHECKOUT))
    assert cli.main(["run", "--data", str(tmp_path / "none")]) == 2
    assert "is the checkout itself" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "clean"])
def test_only_one_command_at_a_time(home: Path, command: str) -> None:
    claim(home)
    with locked(home):
        before = files(home)
        message = Home(home).run(command, expect=2).stderr
    assert f"another run or clean is using {home}; wait until it ends" in message
    assert files(home) == before


def test_a_stale_database_stops_a_run_on_new_generated_files(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run("generate", "--events", "1000", "--days", "2", "--out", str(tmp_path / "landing"))
    home.load(tmp_path / "landing")
    shutil.rmtree(tmp_path / "landing")
    message = home.run("run", "--events", "2000", expect=2).stderr
    assert "has other events than the generated files" in message
    assert "run `make clean` first, or set ECOMMERCE_HOME to another folder" in message


@pytest.mark.kills
def test_ctrl_c_during_dbt_ends_the_run_and_releases_the_lock(home: Path) -> None:
    command = [sys.executable, "-u", "-m", "ecommerce", "run", "--events", "1000"]
    with subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=os.environ | {"DBT_USE_COLORS": "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert any(line == "build ...\n" for line in process.stdout)
        # dbt's log starts once its imports are done.
        log = home / "logs" / "dbt.log"
        while process.poll() is None and not (log.exists() and log.stat().st_size):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    # Shells report both as 130. Python ends by the signal itself if that hits an exec of text, as
    # in the creation of a dataclass.
    assert process.returncode in (130, -signal.SIGINT)
    assert errors.endswith("interrupted; run again to continue\n")
    with locked(home):
        pass


def test_docs_that_cannot_be_written_are_a_user_error(home: Path) -> None:
    write(home / "target" / "static_index.html")
    (home / "docs" / "index.html").mkdir(parents=True)
    with pytest.raises(UserError, match=r"index\.html: cannot be written: Is a directory"):
        run.publish_docs()


@pytest.mark.parametrize(("number", "listed", "more"), [(40, 40, False), (43, 40, True)])
def test_a_long_list_of_refused_files_is_truncated(number: int, listed: int, more: bool) -> None:
    reports = [FileReport(Path(f"{n}.csv"), Status.REFUSED, message="no") for n in range(number)]
    text = summary.nothing_loaded(Path("data"), LoadReport(tuple(reports)))
    assert text.count("refused: ") == listed
    assert ("and 3 more" in text) is more


@pytest.mark.slow
def test_a_run_with_nothing_to_build_ends_at_once(tmp_path: Path) -> None:
    home = Home(tmp_path)
    # Enough for quarantined rows of several files, of which the oldest ones get lost below.
    command = ("run", "--events", "4000")
    assert "build ..." in home.run(*command).stdout
    idle = home.run(*command).stdout
    assert "build ..." not in idle
    assert "nothing to build" in idle
    assert "Revenue" in idle
    assert "build ..." in home.run(*command, "--full").stdout
    assert "nothing to build" in home.run(*command).stdout

    # Somebody changed the database: the failure is found, and is no success for the next run.
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(LOSE_ROWS)
    for _ in range(2):
        assert "dbt failed" in home.run(*command, expect=1).stdout


def test_a_wrong_variable_stops_a_run_before_any_work(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = copy_project(tmp_path)
    shutil.copy(CHECKOUT / "profiles.yml", project)
    settings = project / "dbt_project.yml"
    text = settings.read_text("utf-8")
    settings.write_text(
        text.replace("session_gap_minutes: 30", "session_gap_minutes: soon"), "utf-8"
    )
    monkeypatch.setattr("pipeline.dbt.CHECKOUT", project)
    assert cli.main(["run", "--events", "3000"]) == 2
    message = capsys.readouterr().err
    assert 'session_gap_minutes must be a whole number above 0; it is "soon"' in message
    assert "in macro" not in message
    assert not (home / "landing").exists()
    assert not list(home.glob("*.duckdb"))
