"""Builds of two batches on target dev and locally, made once in a session of tests, and copied."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest

from project.home import CHECKOUT
from support.databricks_runs import (
    WITHOUT_TESTS,
    DatabricksHome,
    differences,
    running_warehouse,
)
from support.event_batches import FIRST, SECOND, THIRD, repeat_buyers, views_before, write
from support.fork_server import SESSION_FOLDER
from support.platform_runs import Home
from warehouse.context import Context
from warehouse.server import Warehouse
from warehouse.session import Entry

# Enough for most quality rules and for every segment; the lifetime model gets buyers of its own.
# More would only take longer: Spark in tests interprets its plans for each row.
EVENTS, DIRTY, BUYERS, REAL_OF_A_MONTH = 4_000, 0.03, 250, 2_000
# In the query that compares the rows of a model with those that its unit test expects.
UNIT_TEST: Final = "dbt_internal_unit_test_expected as"


@dataclass(frozen=True)
class Build:
    """The statements of one `dbt build` on dev, and how its tables differ from DuckDB's."""

    sent: list[Entry]
    differences: dict[str, int]

    def texts(self, kind: str) -> list[str]:
        """Return the statements of a kind, without dbt's leading comment."""
        return [entry.text for entry in self.sent if entry.kind == kind]


@dataclass(frozen=True)
class Builds:
    """The builds on dev: of a first and of a second batch, one without new rows, a full refresh.

    Only the second runs tests. The statements of `dbt docs generate` follow.
    """

    first: Build
    second: Build
    again: Build
    refreshed: Build
    docs: list[Entry]

    def sent(self) -> list[str]:
        """Return all statements in order."""
        builds = (self.first, self.second, self.again, self.refreshed)
        entries = [*(entry for build in builds for entry in build.sent), *self.docs]
        return [entry.text for entry in entries if entry.kind != "REST"]


@dataclass(frozen=True)
class DevBuilds:
    """The builds, and what they left: `first` is the local home after the first batch."""

    builds: Builds
    first: Home
    local: Home
    dev: DatabricksHome
    whole: Path
    """The folder with the manifest of the first build."""
    incremental: Path
    """The folder with the manifest of a build that would follow."""


@contextmanager
def dev_builds(folder: Path) -> Iterator[DevBuilds]:
    """Start a warehouse with the tables after all builds, and copy the rest to the folder."""
    saved = Path(os.environ[SESSION_FOLDER]) / "dev_builds"
    with saved.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not saved.exists():
            with running_warehouse() as warehouse:
                _build(saved.with_suffix(".unfinished"), warehouse)
            saved.with_suffix(".unfinished").rename(saved)
    for part in ("first", "local", "dev"):
        shutil.copytree(saved / part, folder / part)
    builds: Builds = pickle.loads((saved / "builds.pickle").read_bytes())
    with running_warehouse() as warehouse:
        warehouse.restore(saved / "warehouse")
        dev = DatabricksHome(folder / "dev", warehouse)
        first, local = Home(folder / "first"), Home(folder / "local")
        yield DevBuilds(builds, first, local, dev, folder / "first", folder / "dev" / "target")


def _build(folder: Path, warehouse: Warehouse) -> None:
    """Generated days except every third, hand-made lines, and real rows of October if present.

    Then the other days, all late except the last, and events that join and move sessions.
    """
    home, first = Home(folder / "local"), Home(folder / "first")
    dev = DatabricksHome(folder / "dev", warehouse)
    pool, landing, late = folder / "pool", folder / "landing", folder / "late"
    home.run(
        *("generate", "--events", str(EVENTS), "--days", "61"),
        *("--dirty", str(DIRTY), "--out", str(pool)),
    )
    write(landing / "batch_1.csv", [*FIRST, *repeat_buyers(BUYERS)])
    write(late / "batch_2.csv", [*SECOND, *views_before(repeat_buyers(BUYERS)[:40])])
    write(late / "batch_3.csv", THIRD)
    for number, file in enumerate(sorted(pool.glob("*.csv"))):
        shutil.move(file, landing if number % 3 else late)
    for month, batch in (("2019-10", landing), ("2019-11", late)):
        for file in _real_rows(month):
            lines = file.read_text("utf-8").splitlines()[1 : REAL_OF_A_MONTH + 1]
            write(batch / file.name, lines)

    def build(*arguments: str) -> Build:
        warehouse.journal.clear()
        dev.dbt("build", *arguments)
        sent = list(warehouse.journal.entries)
        is_refreshed = "--full-refresh" in arguments
        return Build(sent, differences(home, dev, is_refreshed=is_refreshed))

    home.load(landing)
    home.dbt("build", *WITHOUT_TESTS)
    dev.land(home)
    first_build = build(*WITHOUT_TESTS, "--write-json")
    first.folder.mkdir()
    shutil.copyfile(home.database, first.database)
    shutil.copy(dev.folder / "target" / "manifest.json", first.folder)

    [(newest,)] = home.query("select max(_ingested_at) from bronze_layer.events_raw")
    home.load(late)
    home.dbt("build", *WITHOUT_TESTS)
    dev.land(home, f"_ingested_at > '{newest}'")
    with _unit_tests_answered():
        second_build = build()
    again, refreshed = build(*WITHOUT_TESTS), build(*WITHOUT_TESTS, "--full-refresh")
    # Compiles every model, test and analysis as a further build would.
    warehouse.journal.clear()
    dev.dbt("docs", "generate", "--write-json")
    docs = list(warehouse.journal.entries)
    builds = Builds(first_build, second_build, again, refreshed, docs)
    (folder / "builds.pickle").write_bytes(pickle.dumps(builds))
    warehouse.save(folder / "warehouse")


def _real_rows(month: str) -> list[Path]:
    """Return files of real rows, if they are beside the checkout."""
    return sorted((CHECKOUT.parent / "shared" / "data").glob(f"{month}*_head.csv"))


@contextmanager
def _unit_tests_answered() -> Iterator[None]:
    """Answer the queries of unit tests, which Spark and DuckDB compute, with no row."""
    query = Context.query

    def answer(context: Context, text: str) -> pa.Table:
        return pa.table({"actual_or_expected": []}) if UNIT_TEST in text else query(context, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Context, "query", answer)
        yield
