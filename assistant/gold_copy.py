"""A copy of gold without personal columns, the only data that an assistant's queries can reach.

A server that runs for days must not hold the platform's database open: runs could not write it.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypedDict

import duckdb

from assistant.worker import open_gold
from export.duckdb_file import write_gold
from export.gold import SCHEMA, declared, identifier, opened
from project.database import identity
from project.errors import UserError
from project.home import database_path, home

_MEMORY: Final = 2**29


class Column(TypedDict):
    """A column as the dictionary describes it."""

    name: str
    type: str
    description: str
    adds_up_over: list[str] | None
    """Key columns over which a sum has a meaning; null where the yml does not say."""


class Table(TypedDict):
    """A table as the dictionary describes it; the first sentence is its grain."""

    name: str
    description: str
    rows: int
    columns: list[Column]


@dataclass(frozen=True)
class Copy:
    """A copy that is there."""

    file: Path
    tables: dict[str, Table]
    stale: str
    """Why it is older than the database; empty if it is not."""


def folder() -> Path:
    """Return the folder of the copy and of what it was made from."""
    return home() / "assistant"


def refreshed() -> Copy:
    """Return the copy, made again if the database has changed since.

    While the database cannot be read, as during a run, the last copy serves. Raises UserError if
    there is none either.
    """
    file, state = folder() / "gold.duckdb", folder() / "gold.json"
    stale = ""
    try:
        now = identity(database_path())
        if now is None or _read(state) != now:
            with opened(database_path()) as connection, _locked():
                # What is read is what is copied: nothing can write the database meanwhile.
                now = identity(database_path())
                state.unlink(missing_ok=True)
                write_gold(connection, file)
                state.write_text(json.dumps(now), encoding="utf-8")
    except UserError as error:
        if not file.exists():
            raise
        stale = error.lines[0]
    return Copy(file, _tables(file, file.stat().st_mtime_ns), stale)


def _read(state: Path) -> Any:
    try:
        return json.loads(state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


@contextmanager
def _locked() -> Iterator[None]:
    """Wait for other servers of the same home that make the copy."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / "gold.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@lru_cache(maxsize=1)
def _tables(file: Path, _: int) -> dict[str, Table]:
    additive = _adds_up_over()
    with open_gold(file, _MEMORY) as connection:
        named = connection.execute(
            "select table_name, coalesce(comment, '') from duckdb_tables() order by table_name"
        ).fetchall()
        return {
            name: {
                "name": f"{SCHEMA}.{name}",
                "description": comment.strip(),
                "rows": _rows(connection, name),
                "columns": [
                    {
                        "name": column,
                        "type": kind,
                        "description": text.strip(),
                        "adds_up_over": additive.get((name, column)),
                    }
                    for column, kind, text in connection.execute(
                        "select column_name, data_type, coalesce(comment, '')"
                        " from duckdb_columns() where table_name = ? order by column_index",
                        [name],
                    ).fetchall()
                ],
            }
            for name, comment in named
        }


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    [(rows,)] = connection.execute(f"select count(*) from {SCHEMA}.{identifier(table)}").fetchall()
    return int(rows)


def _adds_up_over() -> dict[tuple[str, str], list[str]]:
    found = {}
    for content in declared():
        for model in content.get("models") or []:
            for column in model.get("columns") or []:
                meta = (column.get("config") or {}).get("meta") or {}
                if "adds_up_over" in meta:
                    found[model["name"], column["name"]] = meta["adds_up_over"]
    return found
