"""SQL for the bronze layer in DuckDB: its tables, and the rows of a relation of raw text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import duckdb
import pyarrow as pa

from ingestion import typed_text
from ingestion.csv_records import Batch
from ingestion.event_schema import (
    COLUMNS,
    EVENT_COLUMN_NAMES,
    EVENT_COLUMNS,
    PUBLISHED_COLUMN_NAMES,
    columns_to_add,
)
from ingestion.landing_files import Layout
from ingestion.typed_text import Texts
from project.database import literal
from project.errors import UserError

SCHEMA: Final = "bronze_layer"
EVENTS: Final = f"{SCHEMA}.events_raw"
LEDGER: Final = f"{SCHEMA}.loaded_files"

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


def require_whole(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise UserError if the tables of `create_tables` differ in their number of rows.

    The ledger would keep files out of bronze whose rows somebody has deleted, or let them in twice.
    """
    found = first_row(
        connection,
        f"select (select count(*) from {EVENTS}), (select coalesce(sum(rows), 0) from {LEDGER})",
    )
    rows, loaded = found or (0, 0)
    if rows != loaded:
        raise UserError(
            f"{EVENTS}: has {rows:,} rows, and by {LEDGER} {loaded:,} were loaded, so one of them"
            " was changed by hand; delete a file from both, restore a copy of the database, or"
            " `make clean` and run again, which loads all files again"
        )


def field_names(layout: Layout) -> list[str]:
    """Return positional column names of a raw relation: header names may be invalid in SQL."""
    return [f"field_{position}" for position in range(len(layout.names))]


def insert_events(raw: str, layout: Layout, texts: Texts) -> str:
    """Return a statement that inserts every row of the relation `raw` into `events_raw`.

    `raw` has the text columns `field_names(layout)`, null where empty. The statement takes two
    parameters: `_source_file` and `_ingested_at`. At a text that is not one of `texts` it fails,
    with an error that `is_unexpected` recognizes.
    """
    extra = {
        name: field
        for name, field in zip(layout.names, field_names(layout), strict=True)
        if name not in EVENT_COLUMN_NAMES
    }
    present = typed_columns(layout)
    values = [f"{c}_value" if c in present else c for c in EVENT_COLUMN_NAMES]
    misfits = {name: f"case when {name}_value is null then {name} end" for name in present}
    rescued = [f"{literal(name)}, {text}" for name, text in (misfits | extra).items()]
    is_whole = [f"({name}_value is not null or {name} is null)" for name in present] + [
        f"{field} is null" for field in extra.values()
    ]
    # A merge patch drops the keys whose value is null.
    rescued_data = f"json_merge_patch('{{}}', json_object({', '.join(rescued)}))"
    return (
        f"insert into {EVENTS} ({', '.join(EVENT_COLUMN_NAMES)}, _rescued_data, _source_file,"
        f" _ingested_at) select {', '.join(values)},"
        f" case when {' and '.join(is_whole)} then null else {rescued_data} end, ?, ?"
        f" from ({_typed(_named(raw, layout), present, texts)})"
    )


def is_unexpected(error: duckdb.Error) -> bool:
    """Whether a statement of `insert_events` failed at a text that it does not read."""
    # Errors of the scan quote lines of the file, which may contain the same words.
    return str(error).startswith(f"Invalid Input Error: {typed_text.UNEXPECTED}")


def insert_batch(
    connection: duckdb.DuckDBPyConnection,
    batch: Batch,
    layout: Layout,
    source_file: str,
    ingested_at: object,
    texts: Texts,
) -> None:
    """Insert a batch from the tolerant reader; `texts` as in `insert_events`."""
    for records, fields in (
        (pa.array(batch.plain, pa.string()), "string_split(text, ',')"),
        (pa.array(batch.quoted, pa.list_(pa.string())), "text"),
        (pa.chunked_array(batch.split, pa.list_(pa.string(), len(layout.names))), "text"),
    ):
        if len(records):
            raw = f"(select {_split('fields', layout)} from (select {fields} as fields from texts))"
            _execute_on_texts(
                connection,
                pa.table({"text": records}),
                insert_events(raw, layout, texts),
                [source_file, ingested_at],
            )
    if batch.malformed:
        _execute_on_texts(
            connection,
            pa.table({"text": pa.array(batch.malformed, pa.string())}),
            f"insert into {EVENTS} (_rescued_data, _source_file, _ingested_at)"
            " select json_object('_line', text), ?, ? from texts",
            [source_file, ingested_at],
        )


def _execute_on_texts(
    connection: duckdb.DuckDBPyConnection,
    texts: pa.Table,
    statement: str,
    parameters: Sequence[object],
) -> duckdb.DuckDBPyConnection:
    """Run a statement that reads `texts`, a relation with the one column `text`."""
    # DuckDB reads the local variable `texts`. A registered table would be a catalog entry, and the
    # open transaction would keep its data in memory.
    return connection.execute(statement, parameters)


def evaluate(
    connection: duckdb.DuckDBPyConnection,
    rows: Sequence[Sequence[str]],
    layout: Layout,
    expressions: Sequence[str],
    parameters: Sequence[object],
) -> list[tuple[Any, ...]]:
    """Return expressions over the typed rows, in order of the rows."""
    named = _named(f"(select {_split('text', layout)} from texts)", layout)
    return _execute_on_texts(
        connection,
        pa.table({"text": pa.array(rows, pa.list_(pa.string()))}),
        f"select {', '.join(expressions)} from ({_typed(named, typed_columns(layout))})",
        parameters,
    ).fetchall()


def is_event(connection: duckdb.DuckDBPyConnection, fields: Sequence[str]) -> bool:
    """Whether the fields, in the published order, have the time and the ids of an event."""
    if len(fields) != len(PUBLISHED_COLUMN_NAMES):
        return False
    raw = ", ".join(f"? as {name}" for name in PUBLISHED_COLUMN_NAMES)
    fits = " and ".join(f"{name}_value is not null" for name in _IDENTIFYING)
    row = first_row(
        connection, f"select {fits} from ({_typed(f'(select {raw})', _IDENTIFYING)})", list(fields)
    )
    return row is not None and bool(row[0])


def first_row(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()
) -> tuple[Any, ...] | None:
    """Return the first row of a query, or None; all rows are fetched, so no result stays open."""
    rows = connection.execute(query, parameters).fetchall()
    return rows[0] if rows else None


def _split(fields: str, layout: Layout) -> str:
    """Return the columns of a raw relation from a list of fields, null where empty."""
    names = enumerate(field_names(layout), start=1)
    return ", ".join(f"nullif({fields}[{position}], '') as {name}" for position, name in names)


def _named(raw: str, layout: Layout) -> str:
    """Return `raw` with event columns by name; columns missing from the file are null."""
    fields = dict(zip(layout.names, field_names(layout), strict=True))
    present = [f"{fields.get(c.name, f'null::{c.sql_type}')} as {c.name}" for c in EVENT_COLUMNS]
    extra = [field for name, field in fields.items() if name not in EVENT_COLUMN_NAMES]
    return f"(select {', '.join(present + extra)} from {raw})"


def typed_columns(layout: Layout) -> list[str]:
    """Return the event columns of a layout whose values are not text."""
    return [c.name for c in EVENT_COLUMNS if c.sql_type != "string" and c.name in layout.names]


def _typed(relation: str, columns: Sequence[str], texts: Texts = Texts.ALL) -> str:
    """Return a relation with `<column>_value` for `columns`, null where the text does not fit."""
    types = {column.name: column.sql_type for column in EVENT_COLUMNS}
    casts = ", ".join(f"{typed_text.cast(types[name], name)} as {name}_cast" for name in columns)
    values = ", ".join(
        f"{typed_text.value(types[name], name, f'{name}_cast', texts)} as {name}_value"
        for name in columns
    )
    return f"select *, {values} from (select *, {casts} from {relation})"
