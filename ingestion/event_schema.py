"""The columns of a raw event, read from `models/bronze/events_raw.yml`, their one definition.

The nine published columns are those of the Kaggle data card of "eCommerce behavior data from multi
category store" (REES46).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from project.errors import UserError
from project.home import CHECKOUT
from project.yml import read_yml

DEFINITION: Final = "models/bronze/events_raw.yml"
SQL_TYPES: Final = ("timestamp", "string", "bigint", "double")


@dataclass(frozen=True)
class Column:
    """A column of `bronze_layer.events_raw`: its name, its SQL type on every engine, what it is.

    A file without a header has the published columns. Loading adds those whose name begins with
    `_`.
    """

    name: str
    sql_type: str
    comment: str
    is_published: bool = False
    is_required: bool = False
    """Whether a header without it is refused."""


def read_definition(path: Path) -> tuple[str, tuple[Column, ...]]:
    """Return the table's comment and its columns, whatever their types."""
    [source] = read_yml(path)["sources"]
    [table] = source["tables"]
    columns = tuple(
        Column(
            column["name"],
            column["data_type"],
            column["description"].strip(),
            is_published := bool(_meta(column).get("published")),
            is_published and not _meta(column).get("optional"),
        )
        for column in table["columns"]
    )
    return table["description"].strip(), columns


def _meta(column: Mapping[str, Any]) -> Mapping[str, Any]:
    meta: Mapping[str, Any] = column.get("config", {}).get("meta", {})
    return meta


TABLE_COMMENT, COLUMNS = read_definition(CHECKOUT / DEFINITION)
EVENT_COLUMNS: Final = tuple(column for column in COLUMNS if not column.name.startswith("_"))
METADATA_COLUMNS: Final = tuple(column for column in COLUMNS if column.name.startswith("_"))
EVENT_COLUMN_NAMES: Final = tuple(column.name for column in EVENT_COLUMNS)
PUBLISHED_COLUMNS: Final = tuple(column for column in EVENT_COLUMNS if column.is_published)
REQUIRED_COLUMN_NAMES: Final = tuple(column.name for column in EVENT_COLUMNS if column.is_required)
PUBLISHED_COLUMN_NAMES: Final = tuple(column.name for column in PUBLISHED_COLUMNS)


def require_known_types() -> None:
    """Raise UserError for a column of a type that the loaders cannot read from text."""
    for column in EVENT_COLUMNS:
        if column.sql_type not in SQL_TYPES:
            raise UserError(
                f"{DEFINITION}: column {column.name} has type {column.sql_type}; use one of"
                f" {', '.join(SQL_TYPES)}"
            )


def columns_to_add(table: str, found: Mapping[str, str]) -> list[Column]:
    """Return the columns that a table of an earlier definition lacks.

    `found` has the table's types by column name. Raises UserError unless the table has all other
    columns of the definition in their types, and no more.
    """
    defined = {column.name: column.sql_type for column in COLUMNS}
    for name, sql_type in found.items():
        if defined.get(name) != sql_type:
            wanted = f"{defined[name]} in" if name in defined else "not in"
            raise UserError(
                f"{table}: its column {name} is {sql_type}, {wanted} {DEFINITION}; alter the table"
                " to match, or move it away"
            )
    missing = [column for column in COLUMNS if column.name not in found]
    for column in missing:
        if column.is_published or column in METADATA_COLUMNS:
            raise UserError(
                f"{table}: it lacks the column {column.name} of {DEFINITION}; move the table away"
            )
    return missing
