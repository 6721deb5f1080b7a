"""The platform and its competitors, each run as a user would run it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from benchmarks.measure import Measured, Usage, measure
from project.home import CATALOG, CHECKOUT

_WITHOUT_TESTS: Final = ("--exclude-resource-type", "test", "unit_test")
PEERS: Final = {
    "DuckDB by hand": "duckdb_sql",
    "Polars": "polars_frames",
    "chDB": "chdb_sql",
}
CORE_MODELS: Final = ("+sessions", "+daily_traffic")
# The columns of `benchmarks.peers.core`.
_CORE_DAYS: Final = """
    select
        cast(event_date as varchar), events, views, carts, purchases,
        cast(revenue * 100 as bigint), coalesce(sessions, 0), coalesce(session_seconds, 0),
        coalesce(orders, 0)
    from intermediate_layer.daily_traffic
    left join (
        select
            session_date as event_date, count(*) as sessions,
            cast(sum(duration_seconds) as bigint) as session_seconds, count_if(is_order) as orders
        from silver_layer.sessions
        group by all
    ) using (event_date)
    order by event_date
"""


@dataclass(frozen=True)
class Built:
    """The cost of a build, and of each of its nodes by name."""

    usage: Usage
    nodes: dict[str, Usage]


@dataclass(frozen=True)
class Core:
    """The cost of the core steps, and their table by day."""

    usage: Usage
    days: list[list[Any]]


class Platform:
    """The real loader and dbt project, in a separate home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.database = home / f"{CATALOG}.duckdb"
        self._saved = home / "saved.duckdb"

    def reset(self) -> None:
        """Delete everything loaded and built."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)

    def save(self) -> None:
        """Save a copy of the database."""
        _copy(self.database, self._saved)

    def restore(self) -> None:
        """Restore the saved database."""
        _copy(self._saved, self.database)

    def load(self, data: Path) -> Usage:
        """Load a file or a folder into bronze."""
        command = ("-m", "ecommerce", "load", "--data", str(data), "--database", str(self.database))
        return measure([sys.executable, *command], CHECKOUT).usage

    def build(self) -> Built:
        """Build models and snapshots."""
        return self._dbt("build", *_WITHOUT_TESTS)

    def needed_for(self, tables: Iterable[str]) -> set[str]:
        """Return the names of the last build's nodes that tables are made of, with their own."""
        manifest = json.loads((self.home / "target" / "manifest.json").read_text("utf-8"))
        parents = {
            _name(node): [_name(parent) for parent in parents]
            for node, parents in manifest["parent_map"].items()
            if node.startswith(("model.", "snapshot.", "seed."))
        }
        found: set[str] = set()
        to_follow = [name for name in tables if name in parents]
        while to_follow:
            name = to_follow.pop()
            if name not in found:
                found.add(name)
                to_follow += [parent for parent in parents[name] if parent in parents]
        return found

    def core(self, data: Path) -> Core:
        """Load a folder, and build what the peers build and all that it needs."""
        self.reset()
        load = self.load(data)
        built = self._dbt("build", *_WITHOUT_TESTS, "--select", *CORE_MODELS)
        return Core(load + built.usage, self.core_days())

    def core_days(self) -> list[list[Any]]:
        """Return the table by day that each peer builds."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return [list(day) for day in connection.execute(_CORE_DAYS).fetchall()]

    def test(self) -> Built:
        """Run every data test."""
        return self._dbt("test", "--exclude-resource-type", "unit_test")

    def document(self) -> Usage:
        """Write the docs site."""
        return self._dbt("docs", "generate", "--static").usage

    def _dbt(self, *arguments: str) -> Built:
        target = self.home / "target"
        variables = {
            "ECOMMERCE_HOME": str(self.home),
            "DBT_TARGET_PATH": str(target),
            "DBT_LOG_PATH": str(self.home / "logs"),
        }
        dbt = str(Path(sys.executable).with_name("dbt"))
        measured = measure([dbt, "--no-use-colors", *arguments], CHECKOUT, variables)
        results = json.loads((target / "run_results.json").read_text("utf-8"))["results"]
        return Built(
            measured.usage, {_name(part["unique_id"]): _part(measured, part) for part in results}
        )


def _name(unique_id: str) -> str:
    return unique_id.split(".")[2]


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    # The next measurement must neither wait for the copy to reach the disk nor find the page cache
    # full of the other file.
    with source.open("rb") as file:
        os.sync()
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _part(measured: Measured, result: dict[str, Any]) -> Usage:
    times = [datetime.fromisoformat(part[end]).timestamp()
             for part in result["timing"] for end in ("started_at", "completed_at")]  # fmt: skip
    return measured.between(min(times), max(times)) if times else Usage(0, 0, 0, 0, 0)


def plain(data: Path, database: Path) -> Built:
    """Run the plain script on a folder of CSV files into a new database."""
    database.parent.mkdir(parents=True, exist_ok=True)
    for path in (database, database.with_name(database.name + ".wal")):
        path.unlink(missing_ok=True)
    return _steps(["-m", "benchmarks.plain", str(data), str(database)])


def spark(data: Path, folder: Path) -> Built:
    """Run the models, as compiled for Databricks, on local PySpark over a folder of CSV files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return _steps(["-m", "benchmarks.spark", str(data), str(folder)])


def peer(name: str, data: Path, folder: Path) -> Core:
    """Run the core steps in another engine over a folder of CSV files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = ("-m", f"benchmarks.peers.{PEERS[name]}", str(data), str(folder))
    measured = measure([sys.executable, *command], CHECKOUT)
    shutil.rmtree(folder)
    return Core(measured.usage, json.loads(measured.output.splitlines()[-1])["days"])


def _steps(command: Sequence[str]) -> Built:
    measured = measure([sys.executable, *command], CHECKOUT)
    # The last line of the output has the steps: name, start and end in Unix time.
    steps = json.loads(measured.output.splitlines()[-1])
    return Built(measured.usage, {name: measured.between(*times) for name, *times in steps})
