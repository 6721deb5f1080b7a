"""Runs of the dbt project on target dev, against a loopback warehouse, with the real profile."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import duckdb
import pyarrow as pa
import yaml

from governance.access_policy import load
from ingestion.event_schema import EVENT_COLUMNS, METADATA_COLUMNS
from project.home import CHECKOUT
from project.variables import project_variables
from support.fork_server import PROBED_HOST
from support.platform_runs import (
    BEFORE_IMAGES,
    DEFINITIONS,
    HISTORY,
    LAYERS,
    PREPARED,
    WITHOUT_ARTIFACTS,
    Home,
    run_dbt,
)
from warehouse.server import Warehouse

CATALOG: Final = "ecommerce_analytics_dev"
PIPELINE: Final = "pipeline"
PIPELINE_GROUP: Final = "ecommerce_pipeline"
# Every group that the project names exists, even without members.
GROUPS: Final = (
    "ecommerce_platform_admins",
    "ecommerce_data_engineers",
    "ecommerce_data_scientists",
    "ecommerce_business_analysts",
    "ecommerce_all_segments",
    *(f"ecommerce_segment_{segment}" for segment in project_variables()["user_segments"]),
)
WITHOUT_TESTS: Final = ("--exclude-resource-type", "test", "unit_test")


@contextmanager
def running_warehouse(
    principals: Mapping[str, Iterable[str]] | None = None, owner: str = PIPELINE
) -> Iterator[Warehouse]:
    """Start a warehouse with the dev catalog, its pipeline principal and all account groups."""
    members = {PIPELINE: [PIPELINE_GROUP]} | dict(principals or {})
    with Warehouse([CATALOG], members, owner, GROUPS) as warehouse:
        yield warehouse


class DatabricksHome:
    """One target dev: a warehouse, and a folder for dbt's files."""

    def __init__(self, folder: Path, warehouse: Warehouse, project: Path = CHECKOUT) -> None:
        self.folder = folder
        self.warehouse = warehouse
        self.project = project

    def dbt(
        self,
        *arguments: str,
        expect: int = 0,
        connect_to: str = "",
        **variables: str | None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `dbt ... --target dev` and check its exit code; None unsets a variable."""
        connection: dict[str, str | None] = {
            "DATABRICKS_HOST": self.warehouse.host,
            "DATABRICKS_HTTP_PATH": self.warehouse.http_path,
            "DATABRICKS_TOKEN": self.warehouse.token(PIPELINE),
            **WITHOUT_ARTIFACTS,
            "DBT_PROFILES_DIR": str(self._profiles(connect_to or self.warehouse.host)),
            PROBED_HOST: None if connect_to else self.warehouse.host,
        }
        command = [*arguments, "--target", "dev"]
        return run_dbt(self.folder, command, expect, connection | variables, self.project)

    def _profiles(self, host: str) -> Path:
        """Return a folder with the real profile, whose connections use a host without TLS."""
        profile: dict[str, Any] = yaml.safe_load((CHECKOUT / "profiles.yml").read_text("utf-8"))
        for output in profile["ecommerce_analytics"]["outputs"].values():
            if output["type"] == "databricks":
                output.setdefault("connection_parameters", {}).update(
                    _connection_uri=host + self.warehouse.http_path, enable_telemetry=False
                )
        folder = self.folder / "profiles"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "profiles.yml").write_text(yaml.safe_dump(profile), "utf-8")
        return folder

    def land(self, home: Home, where: str = "true") -> None:
        """Copy rows of a local bronze table to the warehouse's, as Auto Loader would load them."""
        rows = bronze_rows(home, where)
        self.warehouse.load(f"{CATALOG}.bronze_layer.events_raw", rows, PIPELINE)

    def query(self, statement: str) -> pa.Table:
        """Return the rows of a query that the pipeline sends.

        Without the network: the connector prints each response, with all of its rows, for a log.
        """
        return self.warehouse.execute(statement, PIPELINE, CATALOG)

    def read(self, table: str, columns: Sequence[str]) -> pa.Table:
        """Return the rows of a table."""
        return self.query(f"select {', '.join(columns)} from {table}")


def unprotected(warehouse: Warehouse) -> list[str]:
    """Return policies in silver and gold that differ from the access policy."""
    policy = load()
    personal = {name for one in policy.classes for name in one.columns}
    by_segment = [name for name, exception in policy.exceptions.items() if exception.rows_by]
    found = []
    for relation in warehouse.ledger.relations.values():
        name = ".".join(relation.key[1:])
        if relation.is_view or relation.key[1] == "bronze_layer":
            continue
        if (relation.row_filter is not None) != (name in by_segment):
            found.append(f"{'no ' if name in by_segment else ''}row filter: {name}")
        for column in relation.columns:
            for what, held in (("mask", column.mask), ("tag", column.tags.get("personal"))):
                if bool(held) != (column.name in personal):
                    prefix = "no " if column.name in personal else ""
                    found.append(f"{prefix}{what}: {name}.{column.name}")
    return found


def bronze_rows(home: Home, where: str = "true") -> pa.Table:
    """Return rows of a local bronze table, with times as instants in UTC for Spark."""
    columns = ", ".join(
        f"cast({c.name} as timestamptz) as {c.name}" if c.sql_type == "timestamp" else c.name
        for c in EVENT_COLUMNS + METADATA_COLUMNS
    )
    with duckdb.connect(str(home.database), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.sql(
            f"select {columns} from bronze_layer.events_raw where {where}"
        ).to_arrow_table()


def copy_project(folder: Path, *edits: tuple[str, str, str]) -> Path:
    """Copy the dbt project and edit the copy: (file, old text, new text); old text must exist."""
    project = folder / "project"
    for part in (
        "dbt_project.yml",
        "models",
        "macros",
        "snapshots",
        "functions",
        "analyses",
        "tests/generic",
        "tests/silver",
        "tests/gold",
    ):
        source, target = CHECKOUT / part, project / part
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    for name, old, new in edits:
        text = (project / name).read_text("utf-8")
        assert old in text, f"{name} has no {old!r}"
        (project / name).write_text(text.replace(old, new), "utf-8")
    return project


class Readable(Protocol):
    """An engine with the tables of target dev."""

    def read(self, table: str, columns: Sequence[str], /) -> pa.Table:
        """Return the rows of a table, `schema.name`."""


def differences(
    home: Home,
    databricks: Readable,
    ignore: Collection[str] = (),
    *,
    is_refreshed: bool = False,
    only: Collection[str] = (),
) -> dict[str, int]:
    """Return the number of rows that only one engine has, by table.

    Snapshots are compared without run times; `ignore` lists further columns to leave out. After a
    full refresh of one engine alone, `is_refreshed`, tables of updates alone are left out. `only`
    names the tables to compare, instead of all.
    """
    found = {}
    of_updates = (BEFORE_IMAGES, "event_changes") if is_refreshed else ()
    left_out = (DEFINITIONS, *HISTORY, *PREPARED, *of_updates)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{home.database}' as duck (read_only)")
        tables = connection.execute(
            "select table_schema || '.' || table_name, list(column_name order by ordinal_position),"
            " list(data_type order by ordinal_position) from information_schema.columns"
            " join information_schema.tables using (table_catalog, table_schema, table_name)"
            f" where table_catalog = 'duck' and table_schema in {LAYERS}"
            f" and table_name not in {left_out}"
            f" and (table_name in {[*only]} or {not only})"
            " and not starts_with(column_name, 'dbt_')"
            f" and not ({is_refreshed} and ends_with(column_name, '_batch_id'))"
            " group by all order by 1"
        ).fetchall()
        for table, all_names, all_types in tables:
            kept = [at for at, name in enumerate(all_names) if name not in ignore]
            names, types = [all_names[at] for at in kept], [all_types[at] for at in kept]
            # DuckDB reads the local variable `other`.
            other = databricks.read(table, names)
            typed = ", ".join(
                f"cast({name} as {type_}) as {name}"
                for name, type_ in zip(names, types, strict=True)
            )
            ours, theirs = f"select {typed} from duck.{table}", f"select {typed} from other"
            # A third of the time: rows are compared only where their hashes differ.
            hashed = "(select row(count(*), sum(hash(row))) from ({}) as row)".format
            [(is_same,)] = connection.execute(
                f"select {hashed(ours)} is not distinct from {hashed(theirs)}"
            ).fetchall()
            assert other.num_columns == len(names)
            if is_same:
                continue
            only_ours, only_theirs = f"{ours} except all {theirs}", f"{theirs} except all {ours}"
            # With as many rows on both sides, rows that only one has are missing on the other.
            [(extra, rows)] = connection.execute(
                f"select (select count(*) from ({only_ours})), (select count(*) from duck.{table})"
            ).fetchall()
            if extra or rows != other.num_rows:
                [(more,)] = connection.execute(f"select count(*) from ({only_theirs})").fetchall()
                found[table] = extra + more
        assert len(tables) > 25, "a build without tables equals anything"
    return found
