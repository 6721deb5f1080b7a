"""The summary of a run on one screen: rows, rejections by reason, key figures, paths, times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb

from ingestion import local_loader
from ingestion.file_load import FileReport, Status
from ingestion.load_report import LoadReport
from project.home import database_path, docs_path

# A folder of hundreds of dirty files must not push the figures off the screen.
MOST_FILES_LISTED: Final = 40


@dataclass(frozen=True)
class Figures:
    """The state of the database after a build."""

    bronze_rows: int
    clean_events: int
    rejections: Sequence[tuple[str, int]]
    """(rejection reason, rows), the most frequent first."""
    rejected_files: Sequence[tuple[str, str, int]]
    """(file, rejection reason, rows) for reasons other than `duplicate`."""
    first_date: str | None
    last_date: str | None
    revenue: Decimal
    orders: int
    buyers: int
    sessions: int


def read(database: Path) -> Figures:
    """Read the figures from silver and gold."""
    with local_loader.connect(database) as connection:
        rejections = _rows(
            connection,
            """
            select rejection_reason, count(*) from silver_layer.events_quarantined
            group by rejection_reason order by count(*) desc, rejection_reason
            """,
        )
        rejected_files = _rows(
            connection,
            """
            select _source_file, rejection_reason, count(*) from silver_layer.events_quarantined
            where rejection_reason <> 'duplicate'
            group by _source_file, rejection_reason order by _source_file, rejection_reason
            """,
        )
        [(bronze_rows, clean_events)] = _rows(
            connection,
            """
            select
                (select count(*) from bronze_layer.events_raw),
                (select count(*) from silver_layer.events_cleaned)
            """,
        )
        [totals] = _rows(
            connection,
            """
            select
                cast(min(event_date) as varchar),
                cast(max(event_date) as varchar),
                coalesce(sum(revenue), 0),
                cast(coalesce(sum(orders), 0) as bigint),
                cast(coalesce(sum(new_buyers), 0) as bigint),
                cast(coalesce(sum(sessions), 0) as bigint)
            from gold_layer.daily_sales_summary
            """,
        )
    return Figures(bronze_rows, clean_events, rejections, rejected_files, *totals)


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def render(figures: Figures, loaded: LoadReport, seconds: Mapping[str, float]) -> str:
    """Return the summary as text, one subject per line."""
    new_rows = sum(file.rows for file in loaded.files if file.status is Status.LOADED)
    quarantined = sum(rows for _, rows in figures.rejections)
    lines = [
        "",
        f"Files        {loaded.count(Status.LOADED)} loaded now, "
        f"{loaded.count(Status.ALREADY_LOADED)} loaded before",
        *_not_loaded(loaded),
        *_assumed(loaded.files),
        f"Rows         {new_rows:,} read and loaded now, {figures.bronze_rows:,} in bronze",
        f"Clean        {figures.clean_events:,} events",
        f"Quarantined  {quarantined:,} rows"
        + "".join(f", {reason} {rows:,}" for reason, rows in figures.rejections),
        *_per_file(figures.rejected_files),
        f"Days         {figures.first_date} to {figures.last_date}",
        f"Revenue      {figures.revenue:,.2f}",
        f"Orders       {figures.orders:,} by {figures.buyers:,} buyers",
        f"Conversion   {_percent(figures.orders, figures.sessions)} of "
        f"{figures.sessions:,} sessions",
        f"Database     {database_path()}",
        f"Docs         {docs_path() / 'index.html'}",
        "Seconds      " + ", ".join(f"{step} {duration:.1f}" for step, duration in seconds.items()),
    ]
    return "\n".join(lines)


def nothing_loaded(data: Path, loaded: LoadReport) -> str:
    """Return the message for a folder without a file in bronze."""
    return "\n".join(
        [
            f"{data}: none of its {len(loaded.files)} files could be loaded",
            *_not_loaded(loaded),
        ]
    )


def _not_loaded(loaded: LoadReport) -> list[str]:
    lines = [
        f"  {file.status}: {file.path}: {file.message}"
        for file in loaded.files
        if file.status not in (Status.LOADED, Status.ALREADY_LOADED)
    ]
    lines.extend(f"  skipped: {unread.path}: {unread.reason}" for unread in loaded.skipped)
    return _cut(lines, "`ecommerce load` with the same --data lists all of them")


def _assumed(files: Sequence[FileReport]) -> list[str]:
    lines = [f"  {file.path}: {file.note}" for file in files if file.note]
    return _cut(lines, "`ecommerce load` lists all of them")


def _per_file(rejected: Sequence[tuple[str, str, int]]) -> list[str]:
    lines = [f"  {file}: {reason} {rows:,}" for file, reason, rows in rejected]
    return _cut(lines, "see silver_layer.events_quarantined")


def _cut(lines: list[str], remedy: str) -> list[str]:
    hidden = len(lines) - MOST_FILES_LISTED
    if hidden <= 0:
        return lines
    return [
        *lines[:MOST_FILES_LISTED],
        f"  and {hidden} more: {remedy}",
    ]


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "none"
