"""The SQL that finds and deletes a user's rows, for every table of a catalog that can hold some."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ingestion.bronze import EVENTS
from project.errors import UserError

USER_COLUMN: Final = "user_id"
DEFINITIONS: Final = "silver_layer.model_definitions"
ERASED: Final = "erased"
"""The status of a model in the definitions' table that macro check_definitions refuses."""
_TEXT_COLUMN: Final = "_rescued_data"
# Views and materialized views hold what their query finds. DuckDB has the first kind only.
_KINDS: Final = (
    *("BASE TABLE", "MANAGED", "EXTERNAL", "MANAGED_SHALLOW_CLONE", "EXTERNAL_SHALLOW_CLONE"),
    "STREAMING_TABLE",
)

Rows = list[Sequence[Any]]
Query = Callable[[str], Rows]


@dataclass(frozen=True)
class Dialect:
    """What engines spell differently."""

    text: str
    """What a row has in place of a user: text that is no number, or a line that is no record."""
    matches: str
    """A condition with `{text}` and `{pattern}`."""
    schema: str
    """Where the columns of `{catalog}` are listed."""
    quote: str
    """What is around a name that has other signs than letters, digits and underscores."""


DUCKDB: Final = Dialect(
    "concat_ws(' ', json_extract_string(_rescued_data, '$._line'),"
    " json_extract_string(_rescued_data, '$.user_id'))",
    "regexp_matches({text}, '{pattern}')",
    "information_schema",
    '"',
)
SPARK: Final = Dialect(
    "concat_ws(' ', get_json_object(_rescued_data, '$._line'),"
    " get_json_object(_rescued_data, '$.user_id'))",
    "{text} rlike '{pattern}'",
    "{catalog}.information_schema",
    "`",
)


@dataclass(frozen=True)
class Table:
    """A table with a column of users."""

    name: str
    """`schema.name`, as people read it."""
    address: str
    """The same, as SQL reads it."""
    has_text: bool
    """Whether it also has rejected rows, whose text may name a user."""
    is_plain: bool = True
    """Whether its files are ours to rewrite; those of a streaming table are not."""

    def rows_of(self, user: int, dialect: Dialect) -> str:
        """Return the condition that is true for the user's rows, and false or null for others.

        A rejected row that has the id as a whole number where a user should be is taken for one.
        """
        condition = _is(user)
        if not self.has_text:
            return condition
        named = dialect.matches.format(text=dialect.text, pattern=f"(^|[^0-9])0*{user}([^0-9]|$)")
        return f"({condition} or ({USER_COLUMN} is null and {named}))"


def _is(user: int) -> str:
    # A copy that somebody made may have users as texts, and some that are no number.
    return f"try_cast({USER_COLUMN} as bigint) = {user}"


def tables(query: Query, catalog: str, dialect: Dialect) -> list[Table]:
    """Return the tables of the catalog that have a column of users, bronze last.

    Bronze goes last, so that an erasure that was interrupted can be repeated: it says which files
    the user's rows came from.
    """
    schema = dialect.schema.format(catalog=catalog)
    rows = query(
        "select columns.table_schema, columns.table_name, tables.table_type,"
        f" max(case when lower(columns.column_name) = '{_TEXT_COLUMN}' then 1 else 0 end)"
        f" from {schema}.columns as columns inner join {schema}.tables as tables"
        " on columns.table_schema = tables.table_schema"
        " and columns.table_name = tables.table_name"
        f" where columns.table_catalog = '{catalog}' and tables.table_catalog = '{catalog}'"
        f" and tables.table_type in {_KINDS}"
        " group by columns.table_schema, columns.table_name, tables.table_type"
        f" having max(case when lower(columns.column_name) = '{USER_COLUMN}' then 1 else 0 end) = 1"
    )
    found = [
        Table(
            f"{schema}.{name}",
            f"{_quoted(schema, dialect)}.{_quoted(name, dialect)}",
            bool(int(has_text)),
            kind != "STREAMING_TABLE",
        )
        for schema, name, kind, has_text in rows
    ]
    return sorted(found, key=lambda table: (table.name == EVENTS, table.name))


def _quoted(name: str, dialect: Dialect) -> str:
    if re.fullmatch("[a-z_][a-z0-9_]*", name):
        return name
    escaped = name.replace(dialect.quote, dialect.quote * 2)
    return f"{dialect.quote}{escaped}{dialect.quote}"


def counts(
    query: Query, catalog: str, found: Iterable[Table], user: int, dialect: Dialect
) -> dict[Table, int]:
    """Return the number of the user's rows by table, in the same order."""
    searched = [*found]
    if not searched:
        return {}
    parts = [
        f"select {place} as place, count(*) as user_rows from {catalog}.{table.address}"
        f" where {table.rows_of(user, dialect)}"
        for place, table in enumerate(searched)
    ]
    numbers = {int(place): int(rows) for place, rows in query(" union all ".join(parts))}
    return {table: numbers[place] for place, table in enumerate(searched)}


def delete(catalog: str, table: Table, user: int, dialect: Dialect) -> str:
    """Return the statement that deletes the user's rows from a table."""
    return f"delete from {catalog}.{table.address} where {table.rows_of(user, dialect)}"


def landed_rows(query: Query, catalog: str, user: int, dialect: Dialect) -> Mapping[str, int]:
    """Return the number of the user's rows in bronze by the path of the landed file."""
    rows = query(
        f"select _source_file, count(*) from {catalog}.{EVENTS}"
        f" where {Table(EVENTS, EVENTS, has_text=True).rows_of(user, dialect)}"
        " group by _source_file order by _source_file"
    )
    return {path: int(number) for path, number in rows}


def require_readable(
    query: Query, catalog: str, counts: Mapping[Table, int], landed: Mapping[str, int], user: int
) -> None:
    """Raise UserError if no row has the user, and only unreadable lines of `landed` the number."""
    parts = [
        f"select count(*) as user_rows from {catalog}.{table.address} where {_is(user)}"
        for table, number in counts.items()
        if number
    ]
    if not any(int(rows) for [rows] in query(" union all ".join(parts))):
        raise UserError(
            f"user {user}: no row has this user, and lines whose user cannot be read hold the"
            " number, which may be a product or a price of others:",
            *(f"{number:>12,} lines  {path}" for path, number in landed.items()),
            "check these lines; if they are the user's, run again with --unreadable-lines: nothing"
            " was changed",
        )


def is_built(found: Iterable[Table]) -> bool:
    """Return whether more than bronze is there: tables with definitions, which a build compares."""
    return any(table.name == "silver_layer.events_cleaned" for table in found)


def has_begun(query: Query, catalog: str) -> bool:
    """Return whether a user was erased, and no full refresh of the tables has begun since."""
    rows = query(
        f"select max_by(value, recorded_at) from {catalog}.{DEFINITIONS}"
        " where definition = 'status' group by model"
    )
    return any(status == ERASED for [status] in rows)


def require_rebuild(catalog: str) -> str:
    """Return the statement after which no build succeeds until a full refresh has ended."""
    now = datetime.now(UTC).isoformat()
    return (
        f"insert into {catalog}.{DEFINITIONS}"
        f" select distinct model, 'status', '{ERASED}', '{now}' from {catalog}.{DEFINITIONS}"
    )
