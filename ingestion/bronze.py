"""SQL for the bronze layer in DuckDB: its tables, and the typing of raw text.

A `bigint` or `timestamp` is accepted only if the value converts back to the same text, so `12.7`,
`1e3`, ` 12`, `+5`, `007`, `1_000`, `0x10` and `2019-10-1` do not fit. A `double` is a decimal
number with an optional exponent, or `nan`, `inf`, `infinity` with an optional sign, in any case,
without blanks; out of range it becomes infinity or 0. DuckDB's own casts would read 12.7 as 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from ingestion.csv_records import Batch
from ingestion.event_schema import (
    COLUMNS,
    EVENT_COLUMN_NAMES,
    EVENT_COLUMNS,
    EVENT_TIME_FORMAT,
    PUBLISHED_COLUMN_NAMES,
    columns_to_add,
)
from ingestion.landing_files import Layout

SCHEMA: Final = "bronze_layer"
EVENTS: Final = f"{SCHEMA}.events_raw"
LEDGER: Final = f"{SCHEMA}.loaded_files"

_DOUBLE: Final = "(?i)[+-]?(([0-9]+([.][0-9]*)?|[.][0-9]+)(e[+-]?[0-9]+)?|nan|inf|infinity)"

# By SQL type: DuckDB's cast of the text, and whether the text is what that value is written as.
_VALUE: Final = {
    "timestamp": f"try_strptime({{0}}, '{EVENT_TIME_FORMAT}')",
    "bigint": "try_cast({0} as bigint)",
    "double": "try_cast({0} as double)",
}
_FITS: Final = {
    "timestamp": f"strftime({{0}}_value, '{EVENT_TIME_FORMAT}') = {{0}}",
    "bigint": "cast({0}_value as varchar) = {0}",
    "double": f"{{0}}_value is not null and regexp_full_match({{0}}, '{_DOUBLE}')",
}
# DuckDB's own names of types, where they differ.
_SQL_TYPES: Final = {"VARCHAR": "string"}
_IDENTIFYING: Final = ("event_time", "product_id", "category_id", "user_id")


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the schema, `events_raw` and the ledger of loaded files if they do not exist.

    An `events_raw` of an earlier definition gets the columns that were added since. Raises
    UserError if it differs in anything else.
    """
    columns = ", ".join(f"{c.name} {c.sql_type}" for c in COLUMNS)
    connection.execute(f"create schema if not exists {SCHEMA}")
    connection.execute(f"create table if not exists {EVENTS} ({columns})")
    found = connection.execute(f"describe {EVENTS}").fetchall()
    types = {name: _SQL_TYPES.get(kind, kind.lower()) for name, kind, *_ in found}
    for column in columns_to_add(EVENTS, types):
        connection.execute(f"alter table {EVENTS} add column {column.name} {column.sql_type}")
    connection.execute(
        f"create table if not exists {LEDGER} (path string primary key, size bigint,"
        " modified_ns bigint, content_hash string, rows bigint, rows_with_rescued_data bigint,"
        " _ingested_at timestamp)"
    )


def field_names(layout: Layout) -> list[str]:
    """Return positional column names of a raw relation: header names may be invalid in SQL."""
    return [f"field_{position}" for position in range(len(layout.names))]


def insert_events(raw: str, layout: Layout) -> str:
    """Return a statement that inserts every row of the relation `raw` into `events_raw`.

    `raw` has the text columns `field_names(layout)`, null where empty. The statement takes two
    parameters: `_source_file` and `_ingested_at`.
    """
    typed = [c.name for c in EVENT_COLUMNS if c.sql_type in _FITS and c.name in layout.names]
    extra = {
        name: field
        for name, field in zip(layout.names, field_names(layout), strict=True)
        if name not in EVENT_COLUMN_NAMES
    }
    values = [
        f"case when {c.name}_fits then {c.name}_value end" if c.name in typed else c.name
        for c in EVENT_COLUMNS
    ]
    is_whole = [f"{name}_fits" for name in typed] + [f"{f} is null" for f in extra.values()]
    rescued = [
        f"{_literal(name)}, case when not coalesce({name}_fits, {name} is null) then {name} end"
        for name in typed
    ] + [f"{_literal(name)}, {field}" for name, field in extra.items()]
    # A merge patch drops the keys whose value is null.
    rescued_data = f"nullif(json_merge_patch('{{}}', json_object({', '.join(rescued)})), '{{}}')"
    return (
        f"insert into {EVENTS} ({', '.join(EVENT_COLUMN_NAMES)}, _rescued_data, _source_file,"
        f" _ingested_at) select {', '.join(values)},"
        f" case when {' and '.join(is_whole)} then null else {rescued_data} end, ?, ?"
        f" from ({_typed(_named(raw, layout), typed)})"
    )


def insert_batch(
    connection: duckdb.DuckDBPyConnection,
    batch: Batch,
    layout: Layout,
    source_file: str,
    ingested_at: object,
) -> None:
    """Insert a batch from the tolerant reader."""
    for texts, column_type, fields in (
        (batch.plain, pa.string(), "string_split(text, ',')"),
        (batch.quoted, pa.list_(pa.string()), "text"),
    ):
        if texts:
            names = enumerate(field_names(layout), start=1)
            columns = ", ".join(f"nullif(fields[{n}], '') as {name}" for n, name in names)
            raw = f"(select {columns} from (select {fields} as fields from texts))"
            _insert_texts(
                connection,
                pa.table({"text": pa.array(texts, column_type)}),
                insert_events(raw, layout),
                [source_file, ingested_at],
            )
    if batch.malformed:
        _insert_texts(
            connection,
            pa.table({"text": pa.array(batch.malformed, pa.string())}),
            f"insert into {EVENTS} (_rescued_data, _source_file, _ingested_at)"
            " select json_object('_line', text), ?, ? from texts",
            [source_file, ingested_at],
        )


def _insert_texts(
    connection: duckdb.DuckDBPyConnection,
    texts: pa.Table,
    statement: str,
    parameters: Sequence[object],
) -> None:
    """Run an insert that reads `texts`, a relation with the one column `text`."""
    # DuckDB reads the local variable `texts`. A registered table would be a catalog entry, and the
    # open transaction would keep its data in memory.
    connection.execute(statement, parameters)


def is_event(connection: duckdb.DuckDBPyConnection, fields: Sequence[str]) -> bool:
    """Whether the fields, in the published order, have the time and the ids of an event."""
    if len(fields) != len(PUBLISHED_COLUMN_NAMES):
        return False
    raw = ", ".join(f"? as {name}" for name in PUBLISHED_COLUMN_NAMES)
    fits = " and ".join(f"{name}_fits" for name in _IDENTIFYING)
    query = f"select coalesce({fits}, false) from ({_typed(f'(select {raw})', _IDENTIFYING)})"
    row = first_row(connection, query, list(fields))
    return row is not None and bool(row[0])


def first_row(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()
) -> tuple[Any, ...] | None:
    """Return the first row of a query, or None; all rows are fetched, so no result stays open."""
    rows = connection.execute(query, parameters).fetchall()
    return rows[0] if rows else None


def _named(raw: str, layout: Layout) -> str:
    """Return `raw` with event columns by name; columns missing from the file are null."""
    fields = dict(zip(layout.names, field_names(layout), strict=True))
    present = [f"{fields.get(c.name, f'null::{c.sql_type}')} as {c.name}" for c in EVENT_COLUMNS]
    extra = [field for name, field in fields.items() if name not in EVENT_COLUMN_NAMES]
    return f"(select {', '.join(present + extra)} from {raw})"


def _typed(named: str, columns: Sequence[str]) -> str:
    """Return `named` with `<column>_value` and `<column>_fits`, null where the text is null."""
    types = {column.name: column.sql_type for column in EVENT_COLUMNS}
    values = ", ".join(f"{_VALUE[types[name]].format(name)} as {name}_value" for name in columns)
    fits = ", ".join(f"{_FITS[types[name]].format(name)} as {name}_fits" for name in columns)
    return f"select *, {fits} from (select *, {values} from {named})"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
