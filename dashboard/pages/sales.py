"""Sales: months, weekdays, hours, and what is in an order."""

from __future__ import annotations

from typing import Final

from dashboard import figures, formats
from dashboard.elements import Column, Figure, Page, Section, tile
from dashboard.formats import Change
from dashboard.pages.overview import revenue_by_day
from dashboard.periods import recent
from dashboard.tables import Row, Tables, leading

TITLE: Final = "Sales"
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_VALUE_STEPS: Final = ("0+", "25+", "50+", "100+", "200+", "400+", "800+", "1600+")
_STEP_WIDTHS: Final = "From 50 on, each step is twice as wide as the one before."


def build(tables: Tables) -> Page:
    """Return the page."""
    days = tables.rows("shop", "days")
    return Page(
        "sales",
        TITLE,
        "How do months, weekdays and hours differ, and how large is an order?",
        [
            _months(tables),
            Section("Days", [revenue_by_day(days), _orders_by_day(days)]),
            Section("Week and hour", [_weekdays(tables), *_hours(tables)]),
            Section("Orders", [_order_sizes(tables), _order_values(tables)]),
        ],
    )


def _months(tables: Tables) -> Section:
    rows = [
        {
            **row,
            "name": formats.month(row["month"]),
            "is_partial": row["days"] < row["days_of_month"],
        }
        for row in tables.rows("sales", "months")
    ][-24:]
    if not rows:
        return Section("Months", [Figure("months", "Revenue by month", "", (), ())])
    last, before = rows[-1], rows[-2] if len(rows) > 1 else None
    reason = ""
    if before is None:
        reason = "no earlier month"
    elif last["is_partial"] or before["is_partial"]:
        partial = last if last["is_partial"] else before
        reason = f"{partial['name']} has {partial['days']} of {partial['days_of_month']} days"
    against = before["name"] if before else ""

    def compare(column: str) -> Change:
        return formats.change(
            last[column], before[column] if before else None, against, reason=reason
        )

    tiles = [
        tile("Revenue", last["revenue"], formats.compact, compare("revenue")),
        tile("Orders", last["orders"], formats.integer, compare("orders")),
        tile("Units", last["units"], formats.integer, compare("units")),
        tile(
            "Average order value",
            last["average_order_value"],
            formats.money,
            compare("average_order_value"),
        ),
        tile("New buyers", last["new_buyers"], formats.integer, compare("new_buyers")),
    ]
    best, most = leading(rows, "revenue"), leading(rows, "orders")
    columns = (
        Column("name", "Month"),
        Column("days", "Days", "integer"),
        Column("complete_days", "Complete days", "integer"),
        Column("revenue", "Revenue", "money"),
        Column("orders", "Orders", "integer"),
        Column("units", "Units", "integer"),
        Column("average_order_value", "Average order", "money"),
        Column("session_conversion_rate", "Conversion", "percent"),
        Column("new_buyers", "New buyers", "integer"),
    )
    legend = (
        (("swatch-marked", "month with days that are not in the data"),)
        if any(row["is_partial"] for row in rows)
        else ()
    )
    chart = Figure(
        "months",
        f"{best['name']} had the highest revenue: {formats.compact(best['revenue'])}"
        if best
        else "Revenue by month",
        "Months have 28 to 31 days; days that are not comparable count as they are.",
        columns,
        rows,
        figures.columns(rows, "name", "revenue", "money", marked="is_partial", height=190),
        "half",
        legend,
    )
    orders = Figure(
        "months-orders",
        f"{most['name']} had the most orders: {most['orders']:,}" if most else "Orders by month",
        "New buyers of the first weeks may have bought before the data begins.",
        columns,
        rows,
        figures.columns(rows, "name", "orders", "integer", marked="is_partial", height=190),
        "half",
        legend,
    )
    note = "Revenue, orders and new buyers of the whole month, against the month before."
    return Section(f"Month: {last['name']}", [chart, orders], tiles, note)


def _orders_by_day(days: list[Row]) -> Figure:
    shown = recent(days)
    orders = sum(day["orders"] for day in shown)
    return Figure(
        "orders-by-day",
        f"{formats.counted(orders, 'order')} in {formats.counted(len(shown), 'day')}"
        if shown
        else "Orders by day",
        "An order is a session with a purchase, on the day of its first one.",
        (
            Column("event_date", "Day", "date"),
            Column("day_kind", "Kind"),
            Column("orders", "Orders", "integer"),
            Column("buyers", "Buyers", "integer"),
            Column("new_buyers", "New buyers", "integer"),
            Column("purchases", "Units", "integer"),
            Column("average_order_value", "Average order", "money"),
        ),
        shown,
        figures.daily_bars(shown, "orders", "integer", height=170),
        "full",
        figures.DAY_KINDS,
    )


def _weekdays(tables: Tables) -> Figure:
    rows = [
        {**row, "name": WEEKDAYS[row["weekday"] - 1]} for row in tables.rows("sales", "weekdays")
    ]
    best = leading(rows, "average_revenue")
    return Figure(
        "weekdays",
        f"The best weekday is {best['name']}: {formats.compact(best['average_revenue'])} a day"
        if best
        else "Revenue by weekday",
        "Average revenue of complete days (UTC).",
        (
            Column("name", "Weekday"),
            Column("days", "Complete days", "integer"),
            Column("average_revenue", "Revenue a day", "money"),
            Column("average_orders", "Orders a day", "decimal"),
            Column("session_conversion_rate", "Conversion", "percent"),
        ),
        rows,
        figures.columns(rows, "name", "average_revenue", "money"),
    )


def _hours(tables: Tables) -> list[Figure]:
    found = tables.optional_rows("sales", "hours")
    if found is None:
        return []
    rows = [{**row, "name": WEEKDAYS[row["weekday"] - 1]} for row in found]
    best = leading(rows, "average_purchases")
    columns = (
        Column("name", "Weekday"),
        Column("hour", "Hour", "integer"),
        Column("days", "Complete days", "integer"),
        Column("average_events", "Events a day", "decimal"),
        Column("average_purchases", "Purchases a day", "decimal"),
        Column("average_revenue", "Revenue a day", "money"),
    )
    return [
        Figure(
            "hours",
            f"Most purchases come on {best['name']} at {best['hour']}:00"
            if best
            else "Purchases by weekday and hour",
            "Average purchases of the hour on a complete day, in the shop's time zone"
            " (var shop_time_zone); a hatched cell has no complete day.",
            columns,
            rows,
            figures.heat_map(
                rows,
                "hour",
                "name",
                "average_purchases",
                label=lambda row: (
                    f"{row['name']} {row['hour']}:00:"
                    f" {formats.decimal(row['average_purchases'])} purchases a day"
                ),
            ),
        )
    ]


def _order_sizes(tables: Tables) -> Figure:
    rows = [
        {**row, "name": "5 and more" if row["units"] == 5 else str(row["units"])}
        for row in tables.rows("sales", "order_sizes")
    ]
    orders = sum(row["orders"] for row in rows)
    several = sum(row["orders"] for row in rows if row["units"] > 1)
    return Figure(
        "order-sizes",
        f"{formats.percent(several / orders)} of the orders have more than one unit"
        if orders
        else "Units per order",
        "Orders by their number of units.",
        (
            Column("name", "Units"),
            Column("orders", "Orders", "integer"),
            Column("revenue", "Revenue", "money"),
        ),
        rows,
        figures.columns(rows, "name", "orders", "integer", title="units in the order"),
    )


def _order_values(tables: Tables) -> Figure:
    rows = [
        {**row, "name": _VALUE_STEPS[row["step"] - 1]}
        for row in tables.rows("sales", "order_values")
    ]
    middle = tables.row("sales", "order_values_median")
    return Figure(
        "order-values",
        f"The median order is {formats.money(middle['median_value'])}"
        if rows
        else "Orders by value",
        f"The average, {formats.money(middle['average_value'])}, is higher: few large orders"
        f" pull it up. {_STEP_WIDTHS}"
        if rows and middle["average_value"] > middle["median_value"]
        else _STEP_WIDTHS,
        (
            Column("name", "Order value"),
            Column("orders", "Orders", "integer"),
            Column("revenue", "Revenue", "money"),
        ),
        rows,
        figures.columns(rows, "name", "orders", "integer", title="order value from"),
    )
