"""Row counts and sums of an exported table, by which it is checked after reading it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypedDict

import duckdb

from export.gold import identifier

# What is added up for a column of a type, exactly: sums of doubles would depend on the order.
_NUMBERS: Final = {
    "BOOLEAN": "cast({} as int)",
    "DATE": "date_diff('day', date '1970-01-01', {})",
    "TIMESTAMP": "cast(epoch_us({}) as hugeint)",
    "VARCHAR": "strlen({})",
    "DOUBLE": "try_cast({} as decimal(38, 12))",
    "FLOAT": "try_cast({} as decimal(38, 12))",
}


class Column(TypedDict):
    """What is known of an exported column."""

    type: str
    values: int
    """Rows where the column is not null."""
    sum: str | None
    """Exact sum of the column's numbers, of true values, of days or microseconds since 1970 or of
    the bytes of texts; null without a value."""


class Figures(TypedDict):
    """What is known of an exported table."""

    rows: int
    columns: dict[str, Column]


def measure(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str]
) -> Figures:
    """Return the figures of a relation's columns, given with their types, in one scan."""
    parts = ["count(*)"]
    for name, kind in columns.items():
        column = identifier(name)
        number = _NUMBERS.get(kind, "{}").format(column)
        parts += [f"count({column})", f"cast(sum({number}) as varchar)"]
    row = connection.execute(f"select {', '.join(parts)} from {relation}").fetchall()[0]
    return {
        "rows": row[0],
        "columns": {
            name: {"type": kind, "values": row[2 * place + 1], "sum": row[2 * place + 2]}
            for place, (name, kind) in enumerate(columns.items())
        },
    }


def differences(expected: Figures, found: Figures) -> list[str]:
    """Return what differs between the figures of the same columns, in words."""
    lines = []
    if expected["rows"] != found["rows"]:
        lines.append(f"{expected['rows']:,} rows expected, {found['rows']:,} found")
    for name, column in expected["columns"].items():
        other = found["columns"][name]
        if column["values"] != other["values"]:
            lines.append(f"{name}: {column['values']:,} values expected, {other['values']:,} found")
        elif column["sum"] != other["sum"]:
            lines.append(f"{name}: sum {column['sum']} expected, {other['sum']} found")
    return lines
