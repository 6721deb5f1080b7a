"""The tables of gold that leave the platform, and the columns that stay in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from project.database import explained, require_database, require_usable_path
from project.errors import UserError
from project.home import CHECKOUT
from project.yml import read_yml

SCHEMA: Final = "gold_layer"
_DECLARED_IN: Final = ("models", "snapshots")


@dataclass(frozen=True)
class Table:
    """A table of gold as it is exported."""

    name: str
    columns: Mapping[str, str]
    """The exported columns in order, with their types of DuckDB."""
    comments: Mapping[str, str]
    """What each described column means."""
    comment: str
    """What the table holds, empty if it is not described."""
    left_out: tuple[str, ...]
    """Personal columns that are not exported."""

    @property
    def source(self) -> str:
        """The name of the table, on a connection to the platform's database."""
        return f"{SCHEMA}.{identifier(self.name)}"

    @property
    def query(self) -> str:
        """The query of the exported columns."""
        return f"select {', '.join(map(identifier, self.columns))} from {self.source}"


@contextmanager
def opened(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the database for reading; no other process can write to it until the block ends.

    Everything that is read in the block is therefore of one state. Raises UserError if there is no
    database, or it cannot be read.
    """
    require_usable_path(database)
    if not database.exists():
        raise UserError(
            f"{database}: there is no database yet; create one by `make run`, or set"
            " ECOMMERCE_HOME to the folder of a run"
        )
    require_database(database)
    with (
        explained(database, f"{database}: cannot be read"),
        duckdb.connect(str(database), read_only=True) as connection,
    ):
        yield connection


def tables(connection: duckdb.DuckDBPyConnection, *, with_personal: bool) -> list[Table]:
    """Return the tables of gold in the connection's database, in order of name.

    These are all of its schema that a yml declares, so that a mart needs no entry here. The table
    of a mart that was removed stays behind: no build updates it, and no yml names what is personal
    in it. Raises UserError if there is no table.
    """
    personal = frozenset() if with_personal else personal_columns()
    marts = {model["name"] for content in declared() for model in content.get("models") or []}
    comments = dict(
        connection.execute(
            "select table_name, coalesce(comment, '') from duckdb_tables()"
            f" where schema_name = '{SCHEMA}' and database_name = current_database()"
        ).fetchall()
    )
    columns = connection.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns()"
        f" where schema_name = '{SCHEMA}' and database_name = current_database()"
        " order by table_name, column_index"
    ).fetchall()
    names = sorted(marts & {name for name, *_ in columns})
    if not names:
        raise UserError(
            "the database has no table of gold yet: build it by `make run`, then run again"
        )
    found = []
    for name in names:
        own = [column for table, *column in columns if table == name]
        found.append(
            Table(
                name,
                {column: kind for column, kind, _ in own if column.lower() not in personal},
                {c: text for c, _, text in own if text and c.lower() not in personal},
                comments.get(name, ""),
                tuple(column for column, *_ in own if column.lower() in personal),
            )
        )
    return found


def personal_columns(project: Path = CHECKOUT) -> frozenset[str]:
    """Return the names of columns that the project's yml tags as personal, in lower case.

    The name of a column that is tagged in any table counts in all, as in macro `personal_tables`.
    """
    return frozenset(
        column["name"].lower()
        for content in declared(project)
        for node in [*(content.get("models") or []), *(content.get("snapshots") or [])]
        for column in node.get("columns") or []
        if "personal" in _tags(column)
    )


def declared(project: Path = CHECKOUT) -> Iterator[Mapping[str, Any]]:
    """Return the content of every yml beside models and snapshots."""
    for folder in _DECLARED_IN:
        for file in sorted((project / folder).rglob("*.yml")):
            yield read_yml(file)


def _tags(column: Mapping[str, Any]) -> Mapping[str, Any]:
    config = column.get("config") or {}
    return {**(config.get("databricks_tags") or {}), **(column.get("databricks_tags") or {})}


def identifier(name: str) -> str:
    """Return a name as SQL writes it."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
