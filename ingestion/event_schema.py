"""The one definition of a raw event: the nine published columns and what bronze adds to them.

Source: the Kaggle data card of "eCommerce behavior data from multi category store" (REES46).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Column:
    """A column of `bronze_layer.events_raw`: its name and its SQL type on every engine."""

    name: str
    sql_type: str


EVENT_COLUMNS: Final = (
    Column("event_time", "timestamp"),
    Column("event_type", "string"),
    Column("product_id", "bigint"),
    Column("category_id", "bigint"),
    Column("category_code", "string"),
    Column("brand", "string"),
    Column("price", "double"),
    Column("user_id", "bigint"),
    Column("user_session", "string"),
)

METADATA_COLUMNS: Final = (
    Column("_rescued_data", "string"),
    Column("_source_file", "string"),
    Column("_ingested_at", "timestamp"),
)

EVENT_COLUMN_NAMES: Final = tuple(column.name for column in EVENT_COLUMNS)

# Every published row carries the zone as text; a plain timestamp cast refuses it.
EVENT_TIME_FORMAT: Final = "%Y-%m-%d %H:%M:%S UTC"
