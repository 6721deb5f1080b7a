"""What a page is made of: tiles, figures with their data, sections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from dashboard.formats import Change, Kind, Number
from dashboard.tables import Row

Span = Literal["half", "full"]
Draw = Callable[[int], dict[str, Any]]
"""Returns the Vega-Lite specification of a chart, given its width in pixels."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    key: str
    title: str
    kind: Kind = "text"


PRODUCT_COLUMNS: Final = (
    Column("product_id", "Product"),
    Column("brand", "Brand"),
    Column("category_code", "Category"),
)
"""What a reader knows a product by: the source has numbers, no names."""
OVER_ALL_DAYS: Final = Change(None, "over all days of the data")


@dataclass(frozen=True)
class Measured:
    """A value that is shown in its own way, in a column of several kinds."""

    value: Any
    kind: Kind


@dataclass(frozen=True)
class Tile:
    """One number with what it is compared to."""

    label: str
    value: str
    """As it is read."""
    exact: Number | str | None
    """As it is computed, for tools and tests."""
    change: Change
    note: str = ""


def tile(label: str, value: Any, show: Callable[[Any], str], change: Change) -> Tile:
    """Return a tile of a value as `show` makes it a text."""
    return Tile(label, show(value), value, change)


@dataclass(frozen=True)
class Figure:
    """A chart with its data, or a table alone where there is nothing to draw."""

    name: str
    """Unique on its page; names the CSV file."""
    title: str
    """Says what it shows."""
    caution: str
    """Says what to beware of."""
    columns: Sequence[Column]
    rows: Sequence[Row]
    draw: Draw | None = None
    span: Span = "half"
    legend: Sequence[tuple[str, str]] = ()
    """(class of the swatch, text)."""


@dataclass(frozen=True)
class Section:
    """Tiles and figures under one heading."""

    title: str
    figures: Sequence[Figure] = ()
    tiles: Sequence[Tile] = ()
    note: str = ""


@dataclass(frozen=True)
class Page:
    """A page of the site."""

    slug: str
    title: str
    lead: str
    """The questions that it answers."""
    sections: Sequence[Section]
    extra: str = ""
    """HTML behind the sections."""
