"""Runs of the whole platform in separate homes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

import duckdb

from project.home import CATALOG, CHECKOUT
from support.fork_server import Run, start

# Writing these takes a quarter of the time of a run; tests that read them ask for them.
WITHOUT_ARTIFACTS: Final = {"DBT_WRITE_JSON": "false", "DBT_LOG_LEVEL_FILE": "none"}
# Snapshots record when a run saw a change, so they differ between runs by design.
SNAPSHOTS: Final = ("users_snapshot", "products_snapshot")
# The record of the definitions that each table was built with, and when.
DEFINITIONS: Final = "model_definitions"
# What each run did, and when.
HISTORY: Final = ("run_history", "test_history")
# Before images, which only an update writes.
BEFORE_IMAGES: Final = "events_replaced"
# What one build prepares for itself; the next build replaces all of it.
PREPARED: Final = ("event_copies", "session_starts", "batch_totals")
# Tables that differ between runs by design.
OF_RUNS: Final = (*SNAPSHOTS, BEFORE_IMAGES, DEFINITIONS, *HISTORY, *PREPARED)
# Every column except those that record the batch that wrote a row first or last.
FACTS: Final = "columns(lambda name: not ends_with(name, '_batch_id'))"
# Rows of the oldest batch: the next build would look for those of the newest one again.
LOSE_ROWS: Final = (
    "delete from silver_layer.events_quarantined"
    " where _batch_id = (select min(_batch_id) from silver_layer.events_quarantined)"
)
# Schemas of what dbt builds.
LAYERS: Final = ("silver_layer", "intermediate_layer", "gold_layer")


def run_command(
    command: Sequence[str],
    expect: int,
    variables: Mapping[str, str | None],
    folder: Path = CHECKOUT,
) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder and check its exit code; None unsets a variable."""
    result = subprocess.run(
        command, cwd=folder, env=_with(variables), capture_output=True, text=True, check=False
    )
    assert result.returncode == expect, result.stdout[-6000:] + result.stderr[-3000:]
    return result


def run_dbt(
    home: Path,
    arguments: Sequence[str],
    expect: int,
    variables: Mapping[str, str | None],
    project: Path = CHECKOUT,
) -> subprocess.CompletedProcess[str]:
    """Run dbt on a project, with all of its output below `home`, and check its exit code."""
    return _start_dbt(home, arguments, variables, project).ends(expect)


def _start_dbt(
    home: Path,
    arguments: Sequence[str],
    variables: Mapping[str, str | None],
    project: Path = CHECKOUT,
) -> Run:
    environment = _with({**_below(home), **variables})
    return start("dbt", ["--no-use-colors", *arguments], environment, project)


def _below(home: Path) -> dict[str, str | None]:
    return {
        "ECOMMERCE_HOME": str(home),
        "DBT_TARGET_PATH": str(home / "target"),
        "DBT_LOG_PATH": str(home / "logs"),
    }


def _with(variables: Mapping[str, str | None]) -> dict[str, str]:
    environment = {**os.environ, **variables}
    return {name: value for name, value in environment.items() if value is not None}


class Home:
    """One `ECOMMERCE_HOME`: a database and its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / f"{CATALOG}.duckdb"

    def run(self, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """Run `ecommerce ...` and check its exit code."""
        return self.start(*arguments).ends(expect)

    def start(self, *arguments: str) -> Run:
        """Start `ecommerce ...`."""
        return start("ecommerce", arguments, _with({"ECOMMERCE_HOME": str(self.folder)}))

    def dbt(
        self, *arguments: str, expect: int = 0, **variables: str | None
    ) -> subprocess.CompletedProcess[str]:
        """Run `dbt ...`, by default on the local target, and check its exit code."""
        return run_dbt(self.folder, arguments, expect, WITHOUT_ARTIFACTS | variables)

    def start_dbt(self, *arguments: str) -> Run:
        """Start `dbt ...` on the local target."""
        return _start_dbt(self.folder, arguments, WITHOUT_ARTIFACTS)

    @contextmanager
    def held(self, run: Run) -> Iterator[None]:
        """Stop a run while it has the database open, and continue it after the block."""
        deadline = monotonic() + 60
        while not self._is_stopped_with_database(run):
            assert monotonic() < deadline, "the run never opened the database"
            os.kill(run.pid, signal.SIGCONT)
            sleep(0.01)
        try:
            yield
        finally:
            os.kill(run.pid, signal.SIGCONT)

    def _is_stopped_with_database(self, run: Run) -> bool:
        os.kill(run.pid, signal.SIGSTOP)
        # Wait until it has stopped, because opening the database would interfere with it.
        sleep(0.005)
        try:
            duckdb.connect(str(self.database), read_only=True).close()
        except duckdb.IOException as error:
            return "Could not set lock" in str(error)
        return False

    def artifact(self, name: str) -> dict[str, Any]:
        """Return what a run with `--write-json` wrote as `<name>.json`."""
        text = (self.folder / "target" / f"{name}.json").read_text("utf-8")
        found: dict[str, Any] = json.loads(text)
        return found

    def load(self, data: Path) -> None:
        """Load a file or a folder."""
        self.run("load", "--data", str(data))

    def load_generated(self, events: int, days: int) -> None:
        """Generate click streams in the home's folder `files` and load them."""
        files = self.folder / "files"
        self.run("generate", "--events", str(events), "--days", str(days), "--out", str(files))
        self.load(files)

    @contextmanager
    def database_restored(self) -> Iterator[None]:
        """Restore the database after the block, under the same path, so that dbt need not parse."""
        saved = self.folder / "saved.duckdb"
        shutil.copyfile(self.database, saved)
        yield
        saved.replace(self.database)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the database."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def tables(self) -> list[str]:
        """Return the tables of all layers above bronze as `schema.name`, without snapshots."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return tables(connection)


def tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the tables of all layers above bronze as `schema.name`, without snapshots."""
    rows = connection.execute(
        "select table_schema || '.' || table_name from information_schema.tables"
        f" where table_schema in {LAYERS} and table_type = 'BASE TABLE'"
        f" and table_name not in {OF_RUNS} order by 1"
    )
    return [name for (name,) in rows.fetchall()]


def differences(left: Home, right: Home, more: Sequence[str] = ()) -> dict[str, int]:
    """Return the number of rows that only one database has, by table; `more` adds tables.

    The same events can be loaded in different batches, so their numbers are not compared.
    """
    found = {}
    assert left.tables() == right.tables()
    with duckdb.connect() as connection:
        connection.execute(f"attach '{left.database}' as a (read_only)")
        connection.execute(f"attach '{right.database}' as b (read_only)")
        for table in [*left.tables(), *more]:
            one, other = (f"select {FACTS} from {database}.{table}" for database in ("a", "b"))
            # A third of the time: rows are compared only where their hashes differ.
            hashes = [
                connection.execute(
                    f"select count(*), sum(hash(row)) from ({rows}) as row"
                ).fetchall()
                for rows in (one, other)
            ]
            if hashes[0] == hashes[1]:
                continue
            only_one, only_other = f"{one} except all {other}", f"{other} except all {one}"
            [(extra, missing)] = connection.execute(
                f"select (select count(*) from ({only_one})), (select count(*) from ({only_other}))"
            ).fetchall()
            if extra or missing:
                found[table] = extra + missing
    return found
