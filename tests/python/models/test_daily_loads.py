"""Loading and building on each of 45 days gives the same tables as one load of all days."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Final

import duckdb
import pytest

from ingestion.file_load import Status
from ingestion.local_loader import load
from support.dbt_replay import replay
from support.platform_runs import Home, differences
from support.recorded_builds import Builds, recorded_runs

pytestmark = pytest.mark.slow

# More than one of DuckDB's row groups, in days that each are a small part of one.
EVENTS: Final = 125_000
# More than the 42 days that the longest period of a definition has.
DAYS: Final = 45


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = Home(tmp_path_factory.mktemp("generated"))
    command = ["generate", "--events", str(EVENTS), "--days", str(DAYS), "--dirty", "0.001"]
    home.run(*command, "--out", str(home.folder / "files"))
    return sorted((home.folder / "files").glob("*.csv"))


@pytest.fixture(scope="module")
def builds() -> Builds:
    return recorded_runs().builds


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory, files: list[Path], builds: Builds) -> Home:
    """One file a day, a build after each, which is replayed."""
    home = Home(tmp_path_factory.mktemp("daily"))
    landing = home.folder / "landing"
    landing.mkdir()
    logging.disable(logging.WARNING)
    with duckdb.connect(str(home.database)) as connection:
        # Checkpoints would take a third of the time.
        connection.execute("set checkpoint_threshold = '10GB'")
        # A day has too few rows for several threads.
        connection.execute("set threads = 1")
        for file in files:
            shutil.copy2(file, landing)
            assert load(landing, home.database).count(Status.LOADED) == 1
            # The last build rebuilds all other tables.
            models = None if file == files[-1] else builds.update.lasting
            replay(connection, builds.first, builds.update, models)
    logging.disable(logging.NOTSET)
    return home


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory, daily: Home, builds: Builds) -> Home:
    """All files in one load and one build, which is replayed."""
    home = Home(tmp_path_factory.mktemp("at_once"))
    assert load(daily.folder / "landing", home.database).count(Status.LOADED) == DAYS
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(f"attach '{daily.database}' as daily (read_only)")
        # The load time of a file is in many tables and differs by design.
        connection.execute(
            "update bronze_layer.events_raw set _ingested_at = loaded_files._ingested_at"
            " from daily.bronze_layer.loaded_files where _source_file = path"
        )
        connection.execute("detach daily")
        replay(connection, builds.first, builds.update)
    return home


def test_daily_loads_equal_one_load(daily: Home, at_once: Home, files: list[Path]) -> None:
    assert differences(daily, at_once, ("bronze_layer.events_raw",)) == {}
    [(rows, days)] = daily.query("select sum(raw_rows), count(*) from silver_layer.source_files")
    # A dirty event may be two lines, and a file begins with a header.
    lines = sum(file.read_bytes().count(b"\n") - 1 for file in files)
    assert (rows, days) == (lines, DAYS)
    assert lines >= EVENTS
