"""The formats of an export: how a table is written, and how it is read back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import duckdb

from export import duckdb_file, iceberg
from export.gold import SCHEMA, Table, identifier
from project.database import literal

EXTRA: Final = "export"
DATABASE: Final = "gold.duckdb"
_READ_BACK: Final = "read_back"


@dataclass(frozen=True)
class Place:
    """Where the files of an export are, and where they are when it is complete."""

    folder: Path
    target: Path


# Writes a table in place of what may be there of it.
Write: TypeAlias = Callable[[duckdb.DuckDBPyConnection, Table, Place], None]
# Returns the relation, for a query of the connection, of a table with these columns and types.
Read: TypeAlias = Callable[[duckdb.DuckDBPyConnection, str, Mapping[str, str], Place], str]


@dataclass(frozen=True)
class Format:
    """A format: its functions, and what they create and need."""

    write: Write
    read: Read
    files: tuple[str, ...]
    """Names that it creates in the folder; `{}` stands for that of each table."""
    modules: tuple[str, ...] = ()
    """Modules of the extra that it needs."""


def _copy(connection: duckdb.DuckDBPyConnection, table: Table, path: Path, options: str) -> None:
    unfinished = path.with_name(f"{path.name}.unfinished")
    connection.execute(f"copy ({table.query}) to {literal(unfinished)} ({options})")
    unfinished.replace(path)


def _write_parquet(connection: duckdb.DuckDBPyConnection, table: Table, place: Place) -> None:
    options = "format parquet, compression zstd"
    _copy(connection, table, place.folder / f"{table.name}.parquet", options)


def _read_parquet(
    _: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], place: Place
) -> str:
    # A folder above may be called `name=value`, which would be one more column.
    path = literal(place.folder / f"{name}.parquet")
    return f"read_parquet({path}, hive_partitioning = false)"


def _write_csv(connection: duckdb.DuckDBPyConnection, table: Table, place: Place) -> None:
    # An empty text is quoted, null is not.
    _copy(connection, table, place.folder / f"{table.name}.csv", "format csv, header")


def _read_csv(
    _: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], place: Place
) -> str:
    types = ", ".join(f"{literal(column)}: {literal(kind)}" for column, kind in columns.items())
    return (
        f"read_csv({literal(place.folder / f'{name}.csv')}, header = true, auto_detect = false,"
        f" hive_partitioning = false, quote = '\"', escape = '\"', allow_quoted_nulls = false,"
        f" columns = {{{types}}})"
    )


def _write_duckdb(connection: duckdb.DuckDBPyConnection, table: Table, place: Place) -> None:
    duckdb_file.add_tables(connection, [table], place.folder / DATABASE)


def _read_duckdb(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], place: Place
) -> str:
    path = literal(place.folder / DATABASE)
    connection.execute(f"attach if not exists {path} as {_READ_BACK} (read_only)")
    return f"{_READ_BACK}.{SCHEMA}.{identifier(name)}"


def _write_delta(connection: duckdb.DuckDBPyConnection, table: Table, place: Place) -> None:
    from deltalake import write_deltalake

    path = place.folder / table.name
    shutil.rmtree(path, ignore_errors=True)
    rows = connection.sql(table.query).to_arrow_reader()
    # The commit is its last file, so that a table without one is known to be unfinished.
    write_deltalake(path, rows, name=table.name, description=table.comment or None)


def _read_delta(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], place: Place
) -> str:
    from deltalake import DeltaTable

    connection.register(_READ_BACK, DeltaTable(place.folder / name).to_pyarrow_table())
    return _READ_BACK


def _write_iceberg(connection: duckdb.DuckDBPyConnection, table: Table, place: Place) -> None:
    rows = connection.sql(table.query).to_arrow_table()
    iceberg.write(rows, table.name, table.comment, place.folder, place.target)


def _read_iceberg(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str], place: Place
) -> str:
    connection.register(_READ_BACK, iceberg.read(name, place.folder, place.target))
    return _READ_BACK


FORMATS: Final[Mapping[str, Format]] = {
    "parquet": Format(_write_parquet, _read_parquet, ("{}.parquet",)),
    "duckdb": Format(_write_duckdb, _read_duckdb, (DATABASE,)),
    "delta": Format(_write_delta, _read_delta, ("{}",), ("deltalake",)),
    "iceberg": Format(
        _write_iceberg,
        _read_iceberg,
        (SCHEMA, iceberg.CATALOG),
        ("pyiceberg.catalog.sql",),
    ),
    "csv": Format(_write_csv, _read_csv, ("{}.csv",)),
}
