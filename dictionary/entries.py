"""The entries of the dictionary, and their file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from project.errors import UserError

FORMAT: Final = 1
"""Number of the file's shape; a reader refuses another."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    type: str
    """As declared, in lower case, such as `decimal(18,2)`; empty if nothing declares it."""
    description: str
    """Markdown, whole."""
    is_personal: bool
    """Whether it is masked, except for those who may see who a user is."""
    adds_up_over: list[str] | None
    """Key columns over whose rows a sum is the shop's number; None where the yml does not say."""
    additivity: str
    """The same in words; empty for what is no quantity, such as ids and texts."""
    tests: list[str]
    """What the data tests hold, in words, such as `never null`."""
    lineage: str
    """How `comes_from` is known: `columns` (read from the SQL), `declared` (the yml says so),
    `rows` (no column is read: rows are counted, or it is constant), `dbt` (dbt writes it), `source`
    (it is in the landed files) or `table` (only the table's `upstream` is known)."""
    lineage_note: str
    """The same in a sentence, where `comes_from` does not say all; else empty."""
    is_copy: bool
    """Whether its values are those of the one column in `comes_from`, perhaps renamed."""
    comes_from: list[str]
    """`table.column` of stored tables, sorted; ephemeral models between them are left out.
    `table.*` where rows are counted."""
    feeds: list[str]
    """The opposite of `comes_from`."""


@dataclass(frozen=True)
class Table:
    """A table, view, ephemeral model, snapshot or source."""

    name: str
    layer: str
    """`gold`, `silver`, `snapshot`, `intermediate`, `bronze`, or the schema without `_layer`."""
    schema: str
    kind: str
    """Materialization, such as `table`, `view`, `incremental`, `ephemeral`, or `source`."""
    is_stored: bool
    """Whether it can be queried; False for ephemeral models."""
    grain: str
    """First sentence of the description."""
    description: str
    """Markdown, whole."""
    key: list[str]
    """Columns that together are unique and never null; empty if no test says so."""
    row_of: str | None
    """Table whose rows it holds; its columns include those of that table's rows."""
    owner: str
    """Name or address of the owner of its group; empty without a group."""
    rows: int | None
    """Number of rows; None if they were not counted."""
    tests: list[str]
    """Data tests of whole rows and of the table, in words."""
    rules: list[str]
    """Rules that unit tests show: the name of each as a sentence, then its description."""
    upstream: list[str]
    """Stored tables that it reads, sorted; ephemeral models between them are left out."""
    downstream: list[str]
    """The opposite of `upstream`."""
    row_sources: list[str]
    """`table.column` of filters and joins, which decide what rows there are."""
    pages: list[str]
    """Names of the pages that read it."""
    lineage: str
    """`columns`, or `table` where the sources of its columns cannot be had."""
    lineage_note: str
    """Why only the table's lineage is there; else empty."""
    sql: str
    """Digest of its code and of the macros in it, without the comments of SQL."""
    columns: list[Column]

    @property
    def relation(self) -> str:
        """Name in a query, such as `gold_layer.orders`."""
        return f"{self.schema}.{self.name}"

    def column(self, name: str) -> Column | None:
        """Return the column of that name, None if there is none."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class Page:
    """A page or another end user that reads tables: an exposure."""

    name: str
    label: str
    """What people call it; the name where the yml gives no label."""
    kind: str
    url: str
    description: str
    owner: str
    tables: list[str]
    """Stored tables that it reads, sorted."""


@dataclass(frozen=True)
class Coverage:
    """How many columns of stored tables have their lineage by column; sources are not counted."""

    columns: int
    with_sources: int
    """Columns with `columns` or `declared` as their lineage."""
    of_rows: int
    """Columns for which no column is read, such as a count of rows."""
    gold_columns: int
    gold_with_sources: int
    gold_of_rows: int
    tables_without: list[str]
    """Tables with the lineage of the table alone."""

    @property
    def share(self) -> float:
        """Share of columns with sources; 1 where there is no column."""
        return self.with_sources / self.columns if self.columns else 1.0


@dataclass(frozen=True)
class Dictionary:
    """The whole dictionary of one project."""

    project: str
    coverage: Coverage
    tables: list[Table]
    """Gold first, then silver, snapshots, intermediate and bronze; by name within a layer."""
    pages: list[Page]
    format: int = FORMAT

    def table(self, name: str) -> Table | None:
        """Return the table of that name, None if there is none."""
        return next((table for table in self.tables if table.name == name), None)

    def stored(self) -> list[Table]:
        """Return the tables that can be queried."""
        return [table for table in self.tables if table.is_stored]


def to_json(dictionary: Dictionary) -> str:
    """Return the text of the dictionary's file."""
    return json.dumps(asdict(dictionary), ensure_ascii=False, indent=1) + "\n"


def read(path: Path) -> Dictionary:
    """Read the file that a run wrote; UserError if it is missing, damaged or of another format."""
    remedy = "write it by `make run` or `ecommerce dictionary`"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise UserError(f"{path}: format {found['format']}, not {FORMAT}; {remedy}")
        return _dictionary(found)
    except FileNotFoundError as error:
        raise UserError(f"{path}: there is no dictionary; {remedy}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: is not a dictionary; {remedy}") from error


def _dictionary(found: dict[str, Any]) -> Dictionary:
    return Dictionary(
        project=found["project"],
        coverage=Coverage(**found["coverage"]),
        tables=[
            Table(**{**table, "columns": [Column(**column) for column in table["columns"]]})
            for table in found["tables"]
        ],
        pages=[Page(**page) for page in found["pages"]],
    )
