"""Trust: whether the numbers can be believed, and what was wrong with the data."""

from __future__ import annotations

from typing import Final

from dashboard import figures, formats
from dashboard.elements import Column, Figure, Page, Section, Tile, tile
from dashboard.formats import Change
from dashboard.periods import without_verdict
from dashboard.tables import Row, Tables

TITLE: Final = "Trust"


def build(tables: Tables) -> Page:
    """Return the page."""
    return Page(
        "trust",
        TITLE,
        "Can the numbers be believed, what was rejected, and how old are the data?",
        [
            Section("At a glance", tiles=_tiles(tables)),
            Section("Do the tables agree?", [_tie_out(tables)]),
            Section("Days", [_day_kinds(tables), _marked_days(tables), _anomalies(tables)]),
            Section("Rejected rows", [_reasons(tables), _files(tables)]),
            *_history(tables),
        ],
    )


def _tiles(tables: Tables) -> list[Tile]:
    totals = tables.row("trust", "totals")
    state = tables.row("shop", "state")
    rows = totals["file_rows"]
    rejected = totals["rejected_rows"]
    return [
        newest_event(state),
        Tile(
            "Newest file loaded",
            "none" if state["loaded_at"] is None else f"{state['loaded_at']:%d %b %Y}",
            state["loaded_at"],
            Change(None, formats.time(state["loaded_at"])),
        ),
        tile(
            "Files",
            totals["files"],
            formats.integer,
            Change(None, f"with {formats.counted(int(rows), 'row')}"),
        ),
        tile(
            "Clean events",
            totals["clean_events"],
            formats.compact,
            Change(None, f"and {formats.counted(totals['quarantined_rows'], 'quarantined row')}"),
        ),
        tile(
            "Rows that break a rule",
            rejected,
            formats.integer,
            Change(
                None,
                f"{formats.percent(rejected / rows)} of all rows; duplicates not counted"
                if rows
                else "no row yet",
            ),
        ),
    ]


def newest_event(state: Row) -> Tile:
    """Return the tile of the last day of the data, and of the day that recency counts from."""
    last, as_of = state["last_date"], state["as_of_date"]
    return Tile(
        "Newest event",
        formats.day(last),
        last,
        Change(
            None,
            "recency counts from this day, not from today"
            if as_of == last
            else f"recency counts from {formats.day(as_of)}, the as-of date",
        ),
    )


def _tie_out(tables: Tables) -> Figure:
    rows = tables.rows("trust", "totals_of_tables")
    revenues = {row["revenue"] for row in rows}
    orders = {row["orders"] for row in rows if row["orders"] is not None}
    agrees = len(revenues) == 1 and len(orders) == 1
    return Figure(
        "tie-out",
        f"Revenue is {formats.money(revenues.pop())} in all {len(rows)} tables"
        if agrees
        else f"The tables do not agree: {len(revenues)} different revenues",
        "To the cent, computed as this page was written; every build tests the same.",
        (
            Column("source", "Table"),
            Column("revenue", "Revenue", "money"),
            Column("orders", "Orders", "integer"),
        ),
        rows,
        span="full",
    )


def _day_kinds(tables: Tables) -> Figure:
    days = tables.rows("shop", "days")
    rows = [
        {"name": text, "days": sum(day["day_kind"] == kind for day in days)}
        for kind, text in (
            ("complete", "complete"),
            ("incomplete", "incomplete"),
            ("catch_up", "catch-up"),
        )
    ]
    complete = rows[0]["days"]
    return Figure(
        "day-kinds",
        f"{complete:,} of {formats.counted(len(days), 'day')} can be compared"
        if days
        else "Days by kind",
        "Incomplete: events or purchases collapse, or the day ends early. Catch-up: has the backlog"
        " of another day.",
        (Column("name", "Kind"), Column("days", "Days", "integer")),
        rows if days else (),
        figures.ranked_bars(rows, "name", "days", "integer"),
    )


def _marked_days(tables: Tables) -> Figure:
    rows = tables.rows("trust", "marked_days")
    days = tables.rows("shop", "days")
    marked = sum(not day["is_complete"] for day in days)
    quiet = without_verdict(days)
    return Figure(
        "marked-days",
        f"Not comparable: {formats.counted(marked, 'day')}" if rows else "No day looks incomplete",
        "Averages and changes leave these days out. The newest 60."
        + (f" {quiet[0].upper()}{quiet[1:]}." if quiet else ""),
        (
            Column("event_date", "Day", "date"),
            Column("day_kind", "Kind"),
            Column("events", "Events", "integer"),
            Column("purchases", "Units", "integer"),
            Column("revenue", "Revenue", "money"),
        ),
        rows,
    )


def _anomalies(tables: Tables) -> Figure:
    rows = [
        {**row, "name": formats.day(row["event_date"])} for row in tables.rows("trust", "anomalies")
    ]
    first = rows[0] if rows else None
    return Figure(
        "anomalies",
        f"{first['name']} was the most unusual day" if first else "Unusual days",
        "Distance of a day's revenue from the median of the same weekdays before, in typical"
        " deviations (median and MAD); below 3 is common."
        if first
        else "A score takes at least four earlier days of the same weekday.",
        (
            Column("event_date", "Day", "date"),
            Column("day_kind", "Kind"),
            Column("revenue", "Revenue", "money"),
            Column("same_weekday_median", "Median of its weekday", "money"),
            Column("anomaly_score", "Score", "decimal"),
        ),
        rows,
        figures.ranked_bars(
            rows,
            "name",
            "anomaly_score",
            "decimal",
            text=lambda row: formats.decimal(row["anomaly_score"]),
        ),
        "full",
    )


def _reasons(tables: Tables) -> Figure:
    rows = tables.rows("trust", "reasons")
    total = sum(row["number_of_rows"] for row in rows)
    return Figure(
        "reasons",
        f"{formats.counted(total, 'row')} in quarantine" if rows else "No row in quarantine",
        "By the first reason. No line is lost: clean events and quarantined rows are all lines.",
        (Column("rejection_reason", "Reason"), Column("number_of_rows", "Rows", "integer")),
        rows,
        figures.ranked_bars(rows, "rejection_reason", "number_of_rows", "integer"),
        "full",
    )


def _files(tables: Tables) -> Figure:
    rows = tables.rows("trust", "files")
    return Figure(
        "files",
        f"{formats.counted(rows[0]['faulty_files'], 'file')} with rows that break a rule,"
        f" {rows[0]['repeating_files']:,} with duplicates"
        if rows
        else "No file yet",
        "A duplicate breaks no rule: it is left out, and the event stays. The 100 files with the"
        " most rejected rows, then with the most duplicates, then the newest.",
        (
            Column("file", "File"),
            Column("ingested_at", "Loaded", "time"),
            Column("raw_rows", "Rows", "integer"),
            Column("duplicates", "Duplicates", "integer"),
            Column("rejected_rows", "Rejected", "integer"),
            Column("rejected_share", "Share", "percent"),
        ),
        rows,
        span="full",
    )


def _history(tables: Tables) -> list[Section]:
    runs = tables.optional_rows("trust", "runs")
    failed = tables.optional_rows("trust", "failed_tests")
    newest = tables.optional_rows("trust", "tests")
    if runs is None or failed is None or newest is None:
        return []
    passed = (
        f"{newest[0]['passed']:,} of {newest[0]['tests']:,} tests passed in the last run with tests"
        if newest
        else "No run with tests is recorded"
    )
    return [
        Section(
            "Runs",
            [
                Figure(
                    "runs",
                    passed,
                    "The last 30 runs that built something, the newest first. Nodes are models,"
                    " snapshots, seeds and functions.",
                    (
                        Column("started_at", "Started", "time"),
                        Column("command", "Command"),
                        Column("status", "Status"),
                        Column("gate", "Gate"),
                        Column("seconds", "Seconds", "decimal"),
                        Column("built", "Nodes built", "integer"),
                        Column("failed", "Failed", "integer"),
                        Column("skipped", "Skipped", "integer"),
                    ),
                    runs,
                    span="full",
                ),
                Figure(
                    "failed-tests",
                    f"{formats.counted(failed[0]['all_failures'], 'failure')},"
                    f" {failed[0]['open_failures']:,} not healed"
                    if failed
                    else "No test has failed in the runs that are kept",
                    "The newest 50. A failure is healed by the first later run in which the test"
                    " passes.",
                    (
                        Column("started_at", "Run", "time"),
                        Column("test_name", "Test"),
                        Column("table_name", "Table"),
                        Column("status", "Status"),
                        Column("failures", "Rows", "integer"),
                        Column("healed_at", "Healed", "time"),
                    ),
                    failed,
                    span="full",
                ),
            ],
        )
    ]
