"""Clauses that the project sends to Databricks and that Spark 4.2 cannot parse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_NAME: Final = r"[\w`.]+"


@dataclass(frozen=True)
class Clause:
    """A clause or statement: matches of `pattern` are removed, and the rest must parse."""

    name: str
    pattern: str
    reason: str


CLAUSES: Final = (
    Clause(
        "`GRANT ... TO`, `SHOW GRANTS ON`",
        rf"\b(?:grant \w+|show grants) on {_NAME}(?: to {_NAME})?",
        "privileges are Unity Catalog's; open Spark has no principals",
    ),
    Clause(
        "`ALTER TABLE ... ALTER COLUMN ... SET MASK`",
        rf"\balter table {_NAME}\s+alter column {_NAME}\s+set mask {_NAME}",
        "column masks are Unity Catalog's; snapshots get theirs by this statement",
    ),
    Clause(
        "`MASK` of a column in `CREATE TABLE`",
        rf"\bmask {_NAME}",
        "column masks are Unity Catalog's; the rest of the statement is parsed",
    ),
    Clause(
        "`ALTER TABLE ... SET ROW FILTER`",
        rf"\balter table {_NAME}\s+set row filter {_NAME} on \([\w`, ]+\)",
        "row filters are Unity Catalog's; snapshots get theirs by this statement",
    ),
    Clause(
        "`WITH ROW FILTER` in `CREATE TABLE`",
        rf"\bwith row filter {_NAME} on \([\w`, ]+\)",
        "row filters are Unity Catalog's; the rest of the statement is parsed",
    ),
    Clause(
        "`ALTER TABLE ... ALTER COLUMN ... SET TAGS`",
        rf"\balter table {_NAME}\s+alter column {_NAME}\s+set tags \([^()]*\)",
        "tags are Unity Catalog's; these mark personal columns",
    ),
    Clause(
        "`COMMENT ON COLUMN`",
        rf"\bcomment on column {_NAME} is '(?:[^'\\]|\\.)*'",
        "open Spark comments tables only; dbt describes columns of snapshots by this statement",
    ),
    Clause(
        "`OPTIMIZE`",
        rf"\boptimize {_NAME}",
        "Delta Lake's; dbt clusters a table by it after each run",
    ),
)


def table() -> str:
    """Return the list as the documentation shows it."""
    rows = [f"| {clause.name} | {clause.reason} |" for clause in CLAUSES]
    return "\n".join(
        ["| Clause or statement | Why open Spark does not have it |", "|---|---|", *rows]
    )
