"""Results of the named queries in `queries/`, each run at most once in a build."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

import duckdb

from project.errors import UserError, reason

Row = Mapping[str, Any]

_NAME: Final = re.compile(r"^-- name: (\w+)( \(optional\))?$", re.MULTILINE)
# Control characters and others that XML, and so a picture, cannot have: the one that draws aborts.
_UNDRAWABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")


@dataclass(frozen=True)
class Query:
    """A figure's query."""

    sql: str
    is_optional: bool
    """Whether a database without its table is fine: the figure is left out then."""


@cache
def read_queries(page: str) -> Mapping[str, Query]:
    """Return the queries of a page's file by name."""
    return split_queries((files("dashboard") / "queries" / f"{page}.sql").read_text("utf-8"))


def split_queries(text: str) -> Mapping[str, Query]:
    """Return the queries of a file's text by name."""
    parts = _NAME.split(text)[1:]
    return {
        name: Query(sql.strip().rstrip(";"), bool(optional))
        for name, optional, sql in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


@dataclass
class Tables:
    """The results of queries on one database, kept for the pages that share them."""

    connection: duckdb.DuckDBPyConnection
    _results: dict[tuple[str, str], list[Row] | None] = field(default_factory=dict)

    def rows(self, page: str, name: str) -> list[Row]:
        """Return the rows of a query; UserError if a table or a column of it is missing."""
        found = self.optional_rows(page, name)
        if found is None:
            raise ValueError(f"{page}.{name} is optional: read it by optional_rows")
        return found

    def row(self, page: str, name: str) -> Row:
        """Return the only row of a query."""
        [found] = self.rows(page, name)
        return found

    def optional_rows(self, page: str, name: str) -> list[Row] | None:
        """Return the rows of a query, None where its table is missing and may be."""
        key = (page, name)
        if key not in self._results:
            self._results[key] = self._run(page, name)
        return self._results[key]

    def _run(self, page: str, name: str) -> list[Row] | None:
        query = read_queries(page)[name]
        try:
            result = self.connection.execute(query.sql)
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            if query.is_optional:
                return None
            raise UserError(
                f"the tables are not those that the dashboard reads ({page}.{name}:"
                f" {reason(error).partition(' LINE ')[0]}); run `make run`, and where that has"
                " nothing to do, `make run FULL=1`"
            ) from error
        columns = [column[0] for column in result.description or []]
        return [
            dict(zip(columns, map(_drawable, values), strict=True)) for values in result.fetchall()
        ]


def leading(rows: Iterable[Row], column: str) -> Row | None:
    """Return the row with the highest value; None unless it is above that of another row."""
    known = sorted((row for row in rows if row[column] is not None), key=lambda row: row[column])
    return known[-1] if len(known) > 1 and known[-1][column] > known[-2][column] else None


def _drawable(value: object) -> object:
    return _UNDRAWABLE.sub("\ufffd", value) if isinstance(value, str) else value
