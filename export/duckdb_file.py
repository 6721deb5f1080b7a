"""Gold as one DuckDB file that clients with DuckDB 1.4 or newer open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import duckdb

from export.gold import SCHEMA, Table, identifier, tables
from project.database import STORAGE_VERSION, literal

_ATTACHED: Final = "exported"


def write_gold(
    connection: duckdb.DuckDBPyConnection, target: Path, *, with_personal: bool = False
) -> None:
    """Write the tables of gold of the connection's database to the file `target`, replacing it.

    The file is complete or not there: it is written beside, then renamed. Its tables have the
    schema and the names of the platform's, so that the same SQL runs on both.
    """
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    add_tables(connection, tables(connection, with_personal=with_personal), unfinished)
    unfinished.replace(target)


def add_tables(connection: duckdb.DuckDBPyConnection, added: Sequence[Table], target: Path) -> None:
    """Write tables of gold, with their comments, into a file that may have others already.

    Each is there whole or not at all, however the process ends.
    """
    connection.execute(
        f"attach {literal(target)} as {_ATTACHED} (read_write, storage_version '{STORAGE_VERSION}')"
    )
    try:
        connection.execute(f"create schema if not exists {_ATTACHED}.{SCHEMA}")
        for table in added:
            _add(connection, table)
    finally:
        connection.execute(f"detach {_ATTACHED}")


def _add(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    name = f"{_ATTACHED}.{SCHEMA}.{identifier(table.name)}"
    connection.execute("begin")
    try:
        connection.execute(f"create or replace table {name} as {table.query}")
        connection.execute(f"comment on table {name} is {literal(table.comment)}")
        for column, text in table.comments.items():
            connection.execute(f"comment on column {name}.{identifier(column)} is {literal(text)}")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
