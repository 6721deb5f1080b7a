"""Overview: how the shop does, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dashboard import figures, formats
from dashboard.elements import Column, Figure, Page, Section, Tile, tile
from dashboard.formats import Change
from dashboard.pages import metrics
from dashboard.periods import PERIOD_DAYS, Comparison, compared, recent, without_verdict
from dashboard.tables import Row, Tables, leading

TITLE: Final = "Overview"
_AGAINST: Final = f"the {PERIOD_DAYS} days before"
DAY_COLUMNS: Final = (
    Column("event_date", "Day", "date"),
    Column("day_kind", "Kind"),
    Column("revenue", "Revenue", "money"),
    Column("revenue_7d_average", "7-day average", "money"),
    Column("orders", "Orders", "integer"),
    Column("sessions", "Sessions", "integer"),
    Column("visitors", "Visitors", "integer"),
    Column("new_visitors", "New visitors", "integer"),
    Column("session_conversion_rate", "Conversion", "percent"),
)


def build(tables: Tables) -> Page:
    """Return the page."""
    days = tables.rows("shop", "days")
    comparison = compared(days, tables.row("shop", "state")["as_of_date"])
    return Page(
        "index",
        TITLE,
        "How is the shop doing, and can the latest days be trusted?",
        [
            _recent_tiles(tables, comparison),
            _all_tiles(tables, days),
            Section("Day by day", [revenue_by_day(days), *_sessions_by_day(days)]),
            Section("Where the revenue comes from", [_categories(tables), _brands(tables)]),
            Section("Who comes", [_visitors_by_month(tables), _new_visitors_by_day(days)]),
            Section("Metrics", [metrics.by_month(tables)]),
        ],
    )


def _recent_tiles(tables: Tables, comparison: Comparison) -> Section:
    now, before = comparison.now, comparison.before
    reason = comparison.reason
    buyers = tables.row("shop", "buyers")

    def per_day(column: str) -> Change:
        return formats.change(now.daily(column), before.daily(column), _AGAINST, reason=reason)

    tiles = [
        tile("Revenue", now.total("revenue"), formats.compact, per_day("revenue")),
        tile("Orders", now.total("orders"), formats.integer, per_day("orders")),
        tile(
            "Average order value",
            now.average_order_value,
            formats.money,
            formats.change(
                now.complete_average_order_value,
                before.complete_average_order_value,
                _AGAINST,
                reason=reason,
            ),
        ),
        tile("Sessions", now.total("sessions"), formats.integer, per_day("sessions")),
        tile(
            "Conversion of sessions",
            now.conversion,
            formats.percent,
            formats.points(
                now.complete_conversion, before.complete_conversion, _AGAINST, reason=reason
            ),
        ),
        tile(
            "Buyers",
            buyers["buyers_28d"] if now.days else None,
            formats.integer,
            formats.change(
                buyers["buyers_28d"],
                buyers["buyers_28d_before"],
                _AGAINST,
                reason=reason or comparison.lacking,
            ),
        ),
    ]
    # Who buys on several days counts once, so that buyers of single days give no average.
    is_whole = not reason and not comparison.lacking
    note = comparison.note + (" Buyers are compared over all days." if is_whole else "")
    return Section(f"The last {PERIOD_DAYS} days", tiles=tiles, note=note)


def _all_tiles(tables: Tables, days: Sequence[Row]) -> Section:
    none = Change(None, "whole period, none before")
    revenue = sum(day["revenue"] for day in days)
    orders = sum(day["orders"] for day in days)
    sessions = sum(day["sessions"] for day in days)
    buyers = tables.row("shop", "buyers")["buyers"]
    complete = sum(day["is_complete"] for day in days)
    tiles = [
        tile("Revenue", revenue, formats.compact, none),
        tile("Orders", orders, formats.integer, none),
        tile("Buyers", buyers, formats.integer, none),
        tile("Sessions", sessions, formats.integer, none),
        Tile(
            "Complete days",
            f"{complete:,} of {len(days):,}",
            complete,
            Change(None, _marked_days(days)),
        ),
    ]
    return Section(f"All {formats.counted(len(days), 'day')}" if days else "All days", tiles=tiles)


def _marked_days(days: Sequence[Row]) -> str:
    marked = [formats.short_day(day["event_date"]) for day in days if not day["is_complete"]]
    quiet = without_verdict(days)
    if not marked:
        return quiet or ("no day looks incomplete" if days else "no day yet")
    shown = ", ".join(marked[:4]) + (f" and {len(marked) - 4} more" if len(marked) > 4 else "")
    return f"not comparable: {shown}" + (f"; {quiet}" if quiet else "")


def revenue_by_day(days: Sequence[Row]) -> Figure:
    """Return the chart of revenue by day, incomplete and catch-up days marked."""
    shown = recent(days)
    total = sum(day["revenue"] for day in shown)
    return Figure(
        "revenue-by-day",
        f"Revenue {formats.compact(total)} in {formats.counted(len(shown), 'day')}"
        if shown
        else "Revenue by day",
        "Hatched days are not comparable; the 7-day average leaves them out, and what is"
        " higher than all others is cut at the top." + _only_recent(days, shown),
        DAY_COLUMNS,
        shown,
        figures.daily_bars(shown, "revenue", "money", average="revenue_7d_average"),
        "full",
        (*figures.DAY_KINDS, ("swatch-line", "average of 7 days, complete ones only")),
    )


def _only_recent(days: Sequence[Row], shown: Sequence[Row]) -> str:
    return "" if len(days) == len(shown) else f" Only the last {len(shown)} days are drawn."


def _sessions_by_day(days: Sequence[Row]) -> list[Figure]:
    shown = recent(days)
    complete = [day for day in shown if day["is_complete"]]
    best = leading(complete, "session_conversion_rate")
    most = leading(complete, "sessions")
    return [
        Figure(
            "sessions-by-day",
            f"Of the complete days, most sessions on {formats.day(most['event_date'])}:"
            f" {most['sessions']:,}"
            if most
            else "Sessions by day",
            "Sessions that began on the day. Visitors of several days cannot be added up.",
            DAY_COLUMNS,
            shown,
            figures.daily_bars(shown, "sessions", "integer", height=170),
            "half",
            _kinds(shown),
        ),
        Figure(
            "conversion-by-day",
            f"Of the complete days, conversion was highest on {formats.day(best['event_date'])}:"
            f" {formats.percent(best['session_conversion_rate'])}"
            if best
            else "Conversion by day",
            "Share of the day's sessions with a purchase.",
            DAY_COLUMNS,
            shown,
            figures.daily_bars(shown, "session_conversion_rate", "percent", height=170),
            "half",
            _kinds(shown),
        ),
    ]


def _visitors_by_month(tables: Tables) -> Figure:
    rows = [
        {
            **row,
            "name": formats.month(row["month"]),
            "is_partial": not row["is_whole_month"],
        }
        for row in tables.rows("shop", "visitors_by_month")
    ][-24:]
    most = leading(rows, "visitors")
    return Figure(
        "visitors-by-month",
        f"{most['name']} had the most visitors: {most['visitors']:,}"
        if most
        else "Visitors by month",
        "Who comes on several days counts once. Visitors of the first month are new to the data,"
        " not to the shop.",
        (
            Column("name", "Month"),
            Column("days", "Days", "integer"),
            Column("visitors", "Visitors", "integer"),
            Column("new_visitors", "New", "integer"),
            Column("returning_visitors", "Seen before", "integer"),
            Column("buyers", "Buyers", "integer"),
            Column("average_daily_visitors", "Visitors a day", "decimal"),
            Column("stickiness", "Stickiness", "percent"),
        ),
        rows,
        figures.columns(rows, "name", "visitors", "integer", marked="is_partial", height=170),
        "half",
        (("swatch-marked", "month with days that are not in the data"),)
        if any(row["is_partial"] for row in rows)
        else (),
    )


def _new_visitors_by_day(days: Sequence[Row]) -> Figure:
    shown = recent(days)
    new = sum(day["new_visitors"] for day in shown)
    return Figure(
        "new-visitors-by-day",
        f"{formats.counted(new, 'new visitor')} in {formats.counted(len(shown), 'day')}"
        if shown
        else "New visitors by day",
        "Users by their first day in the data; most of those of the first weeks had come before.",
        DAY_COLUMNS,
        shown,
        figures.daily_bars(shown, "new_visitors", "integer", height=170),
        "half",
        _kinds(shown),
    )


def _kinds(days: Sequence[Row]) -> Sequence[tuple[str, str]]:
    return figures.DAY_KINDS[: 1 if all(day["is_complete"] for day in days) else None]


def _categories(tables: Tables) -> Figure:
    rows = [row for row in tables.rows("shop", "top_categories") if row["revenue"]][:10]
    total = sum(row["revenue"] for row in tables.rows("shop", "top_categories"))
    title = "Revenue by category"
    if rows and total:
        share = formats.percent(rows[0]["revenue"] / total)
        title = f"{rows[0]['category_l1']} brings {share} of the revenue"
    return Figure(
        "categories",
        title,
        "First level of the category; (none) are products without a category code.",
        (
            Column("category_l1", "Category"),
            Column("revenue", "Revenue", "money"),
            Column("units", "Units", "integer"),
        ),
        rows,
        figures.ranked_bars(rows, "category_l1", "revenue", "money"),
    )


def _brands(tables: Tables) -> Figure:
    rows = tables.rows("shop", "top_brands")[:10]
    title = "Revenue by brand"
    if first := leading(rows, "revenue"):
        title = f"{first['brand']} leads the brands with {formats.compact(first['revenue'])}"
    return Figure(
        "brands",
        title,
        "The ten brands of the highest revenue; products without a brand are left out.",
        (
            Column("brand", "Brand"),
            Column("revenue", "Revenue", "money"),
            Column("units", "Units", "integer"),
        ),
        rows,
        figures.ranked_bars(rows, "brand", "revenue", "money"),
    )
