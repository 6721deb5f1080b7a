"""The one definition of a raw event: the nine published columns and what bronze adds to them.

Source: the Kaggle data card of "eCommerce behavior data from multi category store" (REES46).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Column:
    """A column of `bronze_layer.events_raw`: its name, its SQL type on every engine, what it is."""

    name: str
    sql_type: str
    comment: str


EVENT_COLUMNS: Final = (
    Column("event_time", "timestamp", "When it happened (UTC)."),
    Column("event_type", "string", "Event type as it came."),
    Column("product_id", "bigint", "The product that was viewed, carted or bought."),
    Column("category_id", "bigint", "The product's category."),
    Column("category_code", "string", "Category path as it came."),
    Column("brand", "string", "Brand as it came."),
    Column("price", "double", "Price as it came."),
    Column("user_id", "bigint", "The shopper."),
    Column("user_session", "string", "Session id of the shop's tracker."),
)

METADATA_COLUMNS: Final = (
    Column(
        "_rescued_data",
        "string",
        "JSON: the fields that fit no column or type, or the whole malformed line.",
    ),
    Column("_source_file", "string", "The landed file that the row came from."),
    Column("_ingested_at", "timestamp", "When the file was loaded (UTC)."),
)

EVENT_COLUMN_NAMES: Final = tuple(column.name for column in EVENT_COLUMNS)

# Every published row carries the zone as text; a plain timestamp cast refuses it.
EVENT_TIME_FORMAT: Final = "%Y-%m-%d %H:%M:%S UTC"
