"""The summary of a run on one screen: rows, rejections by reason, key figures, paths, times."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb

from ingestion.file_load import FileReport, Status
from ingestion.load_report import LoadReport
from project.home import dashboard_path, database_path, docs_path
from project.variables import project_variables

# A folder of hundreds of dirty files must not push the figures off the screen.
MOST_FILES_LISTED: Final = 40


@dataclass(frozen=True)
class RejectedFile:
    """A file with rows that break a rule."""

    path: str
    rows: int
    clean_rows: int
    rejected_rows: int
    is_above_limit: bool
    """Whether a larger share than var `file_max_rejected_share` is rejected."""
    reasons: Sequence[tuple[str, int]]
    """(reason, rows), the most frequent first; a row counts for each reason that it has."""


@dataclass(frozen=True)
class Gold:
    """Key figures of the marts."""

    first_date: str | None
    last_date: str | None
    revenue: Decimal
    orders: int
    buyers: int
    sessions: int


@dataclass(frozen=True)
class Figures:
    """The state of the database after a build."""

    bronze_rows: int
    clean_events: int
    rejections: Sequence[tuple[str, int]]
    """(rejection reason, rows), the most frequent first."""
    rejected_files: Sequence[RejectedFile]
    """Those above the limit first."""
    waiting_rows: tuple[int, int]
    """Rows that the gate has not let pass, and how many of them are rejected."""
    gold: Gold | None
    """None where the gate is shut: the marts are then those of an earlier build, or missing."""


def read(opened: duckdb.DuckDBPyConnection, *, is_gate_shut: bool) -> Figures:
    """Read the figures from silver and, where the gate let this build pass, from gold."""
    with opened.cursor() as connection:
        rejections = _rows(
            connection,
            """
            select rejection_reason, count(*) from silver_layer.events_quarantined
            group by rejection_reason order by count(*) desc, rejection_reason
            """,
        )
        files = _rows(
            connection,
            """
            with reasons as (
                select _source_file, reason, count(*) as number
                from silver_layer.events_quarantined
                cross join unnest(split(rejection_reasons, ',')) as listed(reason)
                where rejection_reason <> 'duplicate'
                group by _source_file, reason
            )

            select
                _source_file, raw_rows, clean_rows, rejected_rows, is_above_limit,
                list((reason, number) order by number desc, reason)
            from silver_layer.rejected_files
            join reasons using (_source_file)
            group by all
            order by is_above_limit desc, _source_file
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
        [waiting] = _rows(connection, "select * from silver_layer.batch_totals")
        gold = None if is_gate_shut else _read_gold(connection)
    rejected = [RejectedFile(*file) for file in files]
    return Figures(bronze_rows, clean_events, rejections, rejected, waiting, gold)


def _read_gold(connection: duckdb.DuckDBPyConnection) -> Gold:
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
    return Gold(*totals)


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def render(figures: Figures, loaded: LoadReport, seconds: Mapping[str, float]) -> list[str]:
    """Return the lines of the summary, one subject per line."""
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
        f"Gate         {_gate(figures, loaded)}",
        *(_key_figures(figures.gold) if figures.gold else []),
        f"Database     {database_path()}",
        *(_pages() if figures.gold else []),
        "Seconds      " + ", ".join(f"{step} {duration:.1f}" for step, duration in seconds.items()),
    ]
    if bad := files_without_a_clean_row(figures, loaded):
        files = f"{len(bad)} file{'s' if len(bad) > 1 else ''}"
        lines += [
            "",
            f"failed: {files} without a clean row, named above: correct what the reasons say,"
            " land it under another name, and take this one away",
        ]
    return lines


def _pages() -> list[str]:
    return [
        f"Docs         {docs_path() / 'index.html'}",
        f"Dashboard    {dashboard_path() / 'index.html'}",
    ]


def files_without_a_clean_row(figures: Figures, loaded: LoadReport) -> list[str]:
    """Return the files of a run that have rejected rows and no clean one.

    A file of duplicates alone is none of them: its events are there already.
    """
    paths = {str(file.path) for file in loaded.files}
    return [
        file.path for file in figures.rejected_files if not file.clean_rows and file.path in paths
    ]


def _gate(figures: Figures, loaded: LoadReport) -> str:
    share = gate_share()
    if not figures.gold:
        rows, rejected = figures.waiting_rows
        return (
            f"shut, gold stays as it was: {rejected:,} of {rows:,} new rows are rejected, more than"
            f" {share:.0%}; take the files named above away, `make clean`, and run again with"
            " corrected ones; or raise gate_max_quarantined_share in dbt_project.yml"
        )
    new = {str(file.path) for file in loaded.files if file.status is Status.LOADED}
    rows = sum(file.rows for file in loaded.files if file.status is Status.LOADED)
    rejected = sum(file.rejected_rows for file in figures.rejected_files if file.path in new)
    if not rows:
        return "open: no new rows"
    return f"open: {rejected:,} of {rows:,} new rows are rejected, at most {share:.0%} may be"


def gate_share() -> float:
    """Return the share of new rows that may be rejected on the target of a local run."""
    share = project_variables()["gate_max_quarantined_share"]
    by_target = share if isinstance(share, dict) else {"local": share}
    return float(by_target["local"] if "local" in by_target else by_target["default"])


def facts(figures: Figures, run_results: Path) -> list[tuple[str, str]]:
    """Return (name, value) of the run for the overview of the docs site.

    The results of the build's nodes are in a file of dbt.
    """
    results = json.loads(run_results.read_text(encoding="utf-8"))
    tests = [r["status"] for r in results["results"] if r["unique_id"].startswith("test.")]
    passed = tests.count("pass")
    quarantined = sum(rows for _, rows in figures.rejections)
    lines = [
        ("Ended", results["metadata"]["generated_at"][:16].replace("T", " ") + " UTC"),
        ("Data tests", f"{passed:,} of {len(tests):,} passed"),
        ("Events", f"{figures.clean_events:,} clean, {quarantined:,} rows in quarantine"),
    ]
    if figures.gold:
        lines.append(("As of", str(figures.gold.last_date)))
        named = (line.partition(" ") for line in _key_figures(figures.gold))
        lines += [(name, value.strip()) for name, _, value in named]
    return lines


def _key_figures(gold: Gold) -> list[str]:
    return [
        f"Days         {gold.first_date} to {gold.last_date}",
        f"Revenue      {gold.revenue:,.2f}",
        f"Orders       {gold.orders:,} by {gold.buyers:,} buyers",
        f"Conversion   {_percent(gold.orders, gold.sessions)} of {gold.sessions:,} sessions",
    ]


def nothing_loaded(data: Path, loaded: LoadReport) -> list[str]:
    """Return the lines of the message for a folder without a file in bronze."""
    return [
        f"{data}: none of its {len(loaded.files)} files could be loaded",
        *_not_loaded(loaded),
    ]


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


def _per_file(rejected: Sequence[RejectedFile]) -> list[str]:
    limit = f"more than {project_variables()['file_max_rejected_share']:.0%} rejected"
    lines = []
    for file in rejected:
        verdict = "no clean row" if not file.clean_rows else limit if file.is_above_limit else ""
        reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in file.reasons)
        lines.append(
            f"  {verdict}{': ' if verdict else ''}{file.path}:"
            f" {file.rejected_rows:,} of {file.rows:,} rows: {reasons}"
        )
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
