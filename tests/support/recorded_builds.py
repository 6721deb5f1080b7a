"""Builds of dbt, recorded once in a session of tests, that all its tests can replay.

That a replay does what dbt does, for any data, test_histories.py shows.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from ingestion.local_loader import load
from support.dbt_replay import Recording, record, replay
from support.fork_server import SESSION_FOLDER
from support.platform_runs import Home

# Rows of a few days need neither several threads nor, time and again, a checkpoint.
_SMALL: Final = "set threads = 1; set checkpoint_threshold = '10GB'"


@dataclass(frozen=True)
class Builds:
    """Recorded builds: on an empty database, an update of it, and a full refresh."""

    first: Recording
    update: Recording
    refresh: Recording

    def build(self, home: Home, models: Sequence[str] | None = None) -> None:
        """Replay a build of the home's database, by default of all models."""
        with duckdb.connect(str(home.database)) as connection:
            connection.execute(_SMALL)
            replay(connection, self.first, self.update, models, few_rows=True)

    def full_refresh(self, home: Home) -> None:
        """Replay a full refresh of the home's database."""
        with duckdb.connect(str(home.database)) as connection:
            connection.execute(_SMALL)
            replay(connection, self.first, self.refresh, few_rows=True)


@dataclass(frozen=True)
class Recorded:
    """Real runs of dbt: their statements, and databases before, between and after them."""

    builds: Builds
    idle_update: Recording
    loaded: Path
    updated: Home
    refreshed: Home


def recorded_runs() -> Recorded:
    """Return the runs of this session, which the first test process that asks for them records."""
    folder = Path(os.environ[SESSION_FOLDER]) / "recorded_runs"
    saved = folder / "runs.pickle"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not saved.exists():
            saved.write_bytes(pickle.dumps(_recorded_in(folder)))
    found: Recorded = pickle.loads(saved.read_bytes())
    return found


def _recorded_in(folder: Path) -> Recorded:
    home, updated = Home(folder / "refreshed"), Home(folder / "updated")
    pool, landing = folder / "pool", folder / "landing"
    for new in (home.folder, updated.folder, landing):
        new.mkdir(parents=True)
    home.run("generate", "--events", "3000", "--days", "9", "--dirty", "0.02", "--out", str(pool))
    days = sorted(pool.glob("*.csv"))
    # Late days: the update changes sessions, users and products of the first build.
    for day in (*days[:3], *days[6:]):
        shutil.copy(day, landing)
    load(landing, home.database)
    loaded = Path(shutil.copy(home.database, folder / "loaded.duckdb"))
    first = record(home)
    for day in days[3:6]:
        shutil.copy(day, landing)
    load(landing, home.database)
    update = record(home)
    idle_update = record(home)
    shutil.copy(home.database, updated.database)
    builds = Builds(first, update, record(home, "--full-refresh"))
    return Recorded(builds, idle_update, loaded, updated, home)
