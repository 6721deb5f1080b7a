"""The home of a run: what may use it, what stops a run, what `clean` leaves behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from ecommerce import cli
from ingestion import local_loader
from ingestion.file_load import FileReport, Status
from ingestion.load_report import LoadReport
from pipeline import run, summary
from project.errors import UserError
from project.home import CHECKOUT, claim, database_path, locked
from support.databricks_runs import copy_project
from support.dbt_flags import variables_of_dbt
from support.dirty_files import HEADER, Lines
from support.pins import RUNTIME, versions, with_only
from support.platform_runs import Home, differences


def reject_mixed_data(database: Path, data: Path, *, generating: bool) -> None:
    connection = local_loader.connect(database) if database.exists() else None
    with connection or nullcontext():
        run.reject_mixed_data(connection, data, generating=generating)


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
    names = ("target/manifest.json", "logs/dbt.log", "docs/index.html", "dashboard/index.html")
    for name in (*names, "last_run.json"):
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


def generated(home: Path) -> Path:
    """Put generated files and their manifest into the home, as `run` does."""
    assert cli.main(["generate", "--events", "1000", "--days", "2"]) == 0
    return home / "landing"


def own_file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}\n{Lines().line()}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["mine.csv", "deep/mine.csv", "deep/events_2019-10-01.csv"])
def test_own_files_in_the_landing_folder_are_not_taken_for_generated_ones(
    home: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = own_file(home / "landing" / name)
    database = database_path()
    # Without --data the run generates.
    assert cli.main(["run"]) == 2
    assert f"{own}: is not a generated file, and generated" in capsys.readouterr().err
    assert files(home / "landing") == {own}
    # Loaded by itself, and moved away.
    assert cli.main(["load"]) == 0
    reject_mixed_data(database, home / "landing", generating=False)
    own.rename(home / "moved.csv")
    assert cli.main(["run"]) == 2
    assert "already has events of another origin" in capsys.readouterr().err
    # Put back beside files that were generated by hand.
    (home / "moved.csv").rename(own)
    landing = generated(home)
    with pytest.raises(UserError, match="has generated files and others, such as"):
        reject_mixed_data(database, landing, generating=False)
    with pytest.raises(UserError, match="is not a generated file"):
        reject_mixed_data(database, landing, generating=True)
    with pytest.raises(UserError, match="already has events of another origin"):
        reject_mixed_data(database, landing / "events_2019-10-01.csv", generating=False)


def test_generated_files_and_own_files_elsewhere_do_not_mix(home: Path) -> None:
    landing = generated(home)
    assert cli.main(["load"]) == 0
    database = database_path()
    own = own_file(home.parent / "mine" / "a.csv")
    reject_mixed_data(database, landing, generating=True)
    reject_mixed_data(database, landing, generating=False)
    with pytest.raises(UserError, match="already has events of another origin"):
        reject_mixed_data(database, own.parent, generating=False)
    more = ["generate", "--events", "1000", "--days", "1", "--from", "2020-01-01", "--out"]
    assert cli.main([*more, str(landing / "more")]) == 0
    reject_mixed_data(database, landing, generating=True)
    # A link, and a file that is gone from the landing folder.
    (home.parent / "link").symlink_to(landing)
    reject_mixed_data(database, home.parent / "link", generating=False)
    shutil.rmtree(landing)
    reject_mixed_data(database, landing, generating=True)
    with pytest.raises(UserError, match="already has events of another origin"):
        reject_mixed_data(database, own, generating=False)


def test_a_home_that_was_moved_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    landing = generated(home)
    assert cli.main(["load"]) == 0
    moved = home.rename(home.parent / "moved")
    monkeypatch.setenv("ECOMMERCE_HOME", str(moved))
    before = database_path().read_bytes()
    assert cli.main(["run", "--events", "1000"]) == 2
    message = capsys.readouterr().err
    assert f"it has {landing / 'events_2019-10-01.csv'}: if this home was moved" in message
    assert database_path().read_bytes() == before


@dataclass(frozen=True)
class Twins:
    """Two homes with the same rows in bronze, of the same files: one is built, one is not yet."""

    files: Path
    plain: Home
    disturbed: Home


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Twins:
    folder = tmp_path_factory.mktemp("twins")
    plain, disturbed, files = Home(folder / "plain"), Home(folder / "disturbed"), folder / "files"
    plain.run("generate", "--events", "3000", "--out", str(files))
    plain.load(files)
    # With the same times of loading, all tables are to be the same.
    disturbed.folder.mkdir()
    shutil.copyfile(plain.database, disturbed.database)
    plain.dbt("build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
    return Twins(files, plain, disturbed)


def started_program(twins: Twins, variables: dict[str, str]) -> subprocess.Popen[str]:
    """Start `ecommerce run` in the disturbed home, as a user does."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "ecommerce", "run", "--data", str(twins.files)],
        cwd=CHECKOUT,
        env=os.environ | {"ECOMMERCE_HOME": str(twins.disturbed.folder)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.kills
def test_ctrl_c_during_dbt_ends_the_run_and_releases_the_lock(twins: Twins) -> None:
    with started_program(twins, {"DBT_USE_COLORS": "false"}) as process:
        assert process.stdout is not None
        assert any(line == "build ...\n" for line in process.stdout)
        # dbt's log starts once its imports are done.
        log = twins.disturbed.folder / "logs" / "dbt.log"
        while process.poll() is None and not (log.exists() and log.stat().st_size):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            # One in some hundred is lost within dbt, and a user presses again.
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
    # Shells report both as 130. Python ends by the signal itself if that hits an exec of text, as
    # in the creation of a dataclass.
    assert process.returncode in (130, -signal.SIGINT)
    assert errors.endswith("interrupted; run again to continue\n"), errors
    with locked(twins.disturbed.folder):
        pass


@pytest.mark.parametrize(("number", "listed", "more"), [(40, 40, False), (43, 40, True)])
def test_a_long_list_of_refused_files_is_truncated(number: int, listed: int, more: bool) -> None:
    reports = [FileReport(Path(f"{n}.csv"), Status.REFUSED, message="no") for n in range(number)]
    text = "\n".join(summary.nothing_loaded(Path("data"), LoadReport(tuple(reports))))
    assert text.count("refused: ") == listed
    assert ("and 3 more" in text) is more


@pytest.mark.slow
def test_neither_dbts_variables_nor_readers_nor_a_closed_pipe_change_a_run(
    twins: Twins, tmp_path: Path
) -> None:
    """After Ctrl-C above, it continues; what dbt has parsed is there then.

    It has only the packages of the short list, which must be enough.
    """
    disturbed = twins.disturbed
    foreign = variables_of_dbt() | {
        "DBT_SCHEMA_PREFIX": "x_",
        "DBT_ENGINE_RECORDER_MODE": "replay",
        "DBT_MACRO_DEBUGGING": "1",
    }
    short_list = with_only(set(versions(RUNTIME, "3.11")), tmp_path)
    with started_program(twins, foreign | short_list) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "parse ...\n"
        process.stdout.close()
        attempts = 0
        while process.poll() is None:
            # From the first line to the last step, no other process gets the database.
            with suppress(duckdb.IOException):
                duckdb.connect(str(disturbed.database), read_only=True).close()
                assert is_ending(disturbed)
            attempts += 1
            time.sleep(0.1)
        errors = process.stderr.read()
    assert "Traceback" not in errors
    assert process.returncode == 0, errors
    assert attempts > 20
    assert differences(twins.plain, disturbed) == {}


def is_ending(home: Home) -> bool:
    """Whether a run has written its docs, after which it closes the database."""
    return (home.folder / "docs" / "index.html").exists()


@pytest.mark.slow
def test_a_wrong_variable_stops_a_run_before_any_work(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = copy_project(tmp_path)
    shutil.copy(CHECKOUT / "profiles.yml", project)
    settings = project / "dbt_project.yml"
    text = settings.read_text("utf-8")
    settings.write_text(
        re.sub(r"session_gap_minutes: \d+", "session_gap_minutes: soon", text), "utf-8"
    )
    monkeypatch.setattr("pipeline.dbt.CHECKOUT", project)
    assert cli.main(["run", "--events", "3000"]) == 2
    message = capsys.readouterr().err
    assert 'session_gap_minutes must be a whole number from 1 to 99999; it is "soon"' in message
    assert "in macro" not in message
    assert not (home / "landing").exists()
    assert not list(home.glob("*.duckdb"))
