"""Customers: segments, value, second orders. Groups only, no person."""

from __future__ import annotations

from typing import Final

from dashboard import figures, formats
from dashboard.elements import Column, Figure, Page, Section, Tile, tile
from dashboard.formats import Change
from dashboard.tables import Row, Tables, leading

TITLE: Final = "Customers"
_SECOND_ORDER_STEPS: Final = ("same day", "1-3", "4-7", "8-14", "15-30", "later")
_NEW, _RETURNING = "first orders", "later orders"
_NO_EXPECTATION: Final = (
    "no lifetime value model: fewer repeat buyers than var clv_min_repeat_buyers, or none fits them"
)


def build(tables: Tables) -> Page:
    """Return the page."""
    return Page(
        "customers",
        TITLE,
        "Who buys, what are they worth, who comes back and who is leaving?",
        [
            Section("At a glance", tiles=_tiles(tables)),
            Section("Segments", [_segments(tables), _expected(tables)]),
            Section("New and returning", [_new_and_returning(tables), _second_orders(tables)]),
            Section("Recency, frequency, value", [_scores(tables), _rfm(tables)]),
            Section("The few, and those who leave", [_tenths(tables), _churn(tables)]),
        ],
    )


def _tiles(tables: Tables) -> list[Tile]:
    engagement = tables.row("customers", "engagement")
    repeat = tables.row("customers", "repeat_rate")
    state = Change(None, "a state at the end of the data: no earlier one is kept")
    observed = repeat["observed_buyers"]
    rate = repeat["returned_buyers"] / observed if observed else None
    return [
        tile("Users", engagement["customers"], formats.integer, state),
        tile("Buyers", engagement["buyers"], formats.integer, state),
        tile(
            "Repeat within 30 days",
            rate,
            formats.percent,
            Change(
                None,
                f"of {formats.counted(observed, 'buyer')} seen for 30 days after the first order"
                if observed
                else "no buyer is seen for 30 days yet",
            ),
        ),
        Tile(
            "Median days to the second order",
            formats.UNKNOWN if repeat["median_days"] is None else f"{repeat['median_days']:.0f}",
            repeat["median_days"],
            Change(None, f"of {formats.counted(repeat['buyers_of_two'], 'buyer')} with two orders"),
        ),
        tile(
            "Expected revenue, 90 days",
            engagement["expected_revenue_90d"],
            formats.compact,
            Change(
                None,
                _NO_EXPECTATION
                if engagement["expected_revenue_90d"] is None
                else "a model's expectation, not a plan",
            ),
        ),
    ]


_SEGMENT_COLUMNS: Final = (
    Column("user_segment", "Segment"),
    Column("customers", "Customers", "integer"),
    Column("orders", "Orders", "integer"),
    Column("revenue", "Revenue", "money"),
    Column("average_order_value", "Average order", "money"),
    Column("expected_revenue_90d", "Expected in 90 days", "money"),
)


def _segments(tables: Tables) -> Figure:
    rows = [row for row in tables.rows("customers", "segments") if row["orders"]]
    total = sum(row["revenue"] for row in rows)
    first = rows[0] if rows else None
    return Figure(
        "segments",
        f"{first['user_segment']} customers bring {formats.percent(first['revenue'] / total)} of"
        " the revenue"
        if first and total
        else "Revenue by segment",
        "Revenue of the whole period; segments are as of the end of the data. Prospects, who never"
        " ordered, are not drawn.",
        _SEGMENT_COLUMNS,
        rows,
        figures.ranked_bars(rows, "user_segment", "revenue", "money"),
    )


def _expected(tables: Tables) -> Figure:
    rows = sorted(
        (row for row in tables.rows("customers", "segments") if row["expected_revenue_90d"]),
        key=lambda row: -row["expected_revenue_90d"],
    )
    total = sum(row["expected_revenue_90d"] for row in rows)
    return Figure(
        "expected",
        f"{formats.compact(total)} are expected in the next 90 days"
        if rows
        else "Expected revenue by segment",
        "A model of past orders, MBG/NBD and Gamma-Gamma; it knows of no campaign and no season."
        if rows
        else f"{_NO_EXPECTATION[0].upper()}{_NO_EXPECTATION[1:]}.",
        _SEGMENT_COLUMNS,
        rows,
        figures.ranked_bars(rows, "user_segment", "expected_revenue_90d", "money"),
    )


def _new_and_returning(tables: Tables) -> Figure:
    weeks = {row["week"]: row for row in tables.rows("customers", "weeks")}
    rows = [
        {
            **row,
            "name": formats.short_day(row["week"]),
            "part": _NEW if row["is_first_order"] else _RETURNING,
            "complete_days": weeks[row["week"]]["complete_days"],
            "is_partial": weeks[row["week"]]["complete_days"] < 7,
        }
        for row in tables.rows("customers", "new_and_returning")
        if row["week"] in weeks
    ][-52:]
    total = sum(row["revenue"] for row in rows)
    returning = sum(row["revenue"] for row in rows if not row["is_first_order"])
    return Figure(
        "new-and-returning",
        f"{formats.percent(returning / total)} of the revenue is from later orders of known buyers"
        if total
        else "Revenue of first and later orders",
        "By week from Monday. Those who bought before the data begins count as new in the first"
        " weeks; pale weeks have fewer than 7 complete days.",
        (
            Column("week", "Week from", "date"),
            Column("part", "Orders"),
            Column("complete_days", "Complete days", "integer"),
            Column("orders", "Number of orders", "integer"),
            Column("revenue", "Revenue", "money"),
        ),
        rows,
        figures.stacked_columns(
            rows,
            "name",
            "revenue",
            "part",
            (_NEW, _RETURNING),
            label=lambda row: (
                f"Week of {formats.day(row['week'])}, {row['part']}:"
                f" revenue {formats.money(row['revenue'])}"
                + (f", only {row['complete_days']} complete days" if row["is_partial"] else "")
            ),
            marked="is_partial",
        ),
        "half",
        (
            ("swatch-1", _NEW),
            ("swatch-2", _RETURNING),
            ("swatch-pale", "week that is not comparable"),
        ),
    )


def _second_orders(tables: Tables) -> Figure:
    found = {row["step"]: row["customers"] for row in tables.rows("customers", "second_orders")}
    rows = [
        {"name": name, "customers": found.get(step, 0)}
        for step, name in enumerate(_SECOND_ORDER_STEPS)
    ]
    total = sum(found.values())
    week = sum(found.get(step, 0) for step in (0, 1, 2))
    return Figure(
        "second-orders",
        f"{formats.percent(week / total)} of second orders come within a week"
        if total
        else "Days to the second order",
        "Days from the first order to the second. Buyers of the last weeks are seen for a short"
        " time, so late second orders are missing.",
        (Column("name", "Days after the first"), Column("customers", "Customers", "integer")),
        rows if total else (),
        figures.columns(rows, "name", "customers", "integer"),
    )


def _scores(tables: Tables) -> Figure:
    rows = tables.rows("customers", "scores")
    best = leading(rows, "revenue")
    return Figure(
        "scores",
        f"Recency {best['recency_score']}, frequency {best['frequency_score']} is worth most:"
        f" {formats.compact(best['revenue'])} from {formats.counted(best['customers'], 'customer')}"
        if best
        else "Revenue by recency and frequency",
        "Scores 1 to 5, 5 is best. Color is revenue; the number in a cell counts customers.",
        (
            Column("recency_score", "Recency", "integer"),
            Column("frequency_score", "Frequency", "integer"),
            Column("customers", "Customers", "integer"),
            Column("revenue", "Revenue", "money"),
        ),
        rows,
        figures.heat_map(
            _by_score(rows),
            "recency_score",
            "frequency_score",
            "revenue",
            label=lambda row: (
                f"Recency {row['recency_score']}, frequency {row['frequency_score']}:"
                f" {formats.counted(row['customers'], 'customer')},"
                f" revenue {formats.money(row['revenue'])}"
            ),
            text=lambda row: formats.compact(row["customers"]),
            across_title="recency score",
            down_name=lambda row: f"freq. {row['frequency_score']}",
            cell=34,
        ),
    )


def _rfm(tables: Tables) -> Figure:
    rows = tables.rows("customers", "rfm")
    buyers = sum(row["customers"] for row in rows)
    total = sum(row["revenue"] for row in rows)
    first = rows[0] if rows else None
    return Figure(
        "rfm",
        f"{first['rfm_segment']}: {formats.percent(first['customers'] / buyers)} of the buyers,"
        f" {formats.percent(first['revenue'] / total)} of the revenue"
        if first and total
        else "Revenue by RFM segment",
        "Segments by recency, frequency and money: of several that fit a buyer has the first of var"
        " rfm_segments.",
        (
            Column("rfm_segment", "RFM segment"),
            Column("customers", "Buyers", "integer"),
            Column("orders", "Orders", "integer"),
            Column("revenue", "Revenue", "money"),
            Column("average_order_value", "Average order", "money"),
            Column("days_since_last_purchase", "Days since the last", "decimal"),
        ),
        rows,
        figures.ranked_bars(rows, "rfm_segment", "revenue", "money"),
    )


def _by_score(rows: list[Row]) -> list[Row]:
    """Return the rows so that the first ones have all recencies in order."""
    recencies = sorted({row["recency_score"] for row in rows})
    return sorted(
        rows, key=lambda row: (-row["frequency_score"], recencies.index(row["recency_score"]))
    )


def _tenths(tables: Tables) -> Figure:
    rows = [
        {**row, "name": "best" if row["tenth"] == 1 else f"{row['tenth']}"}
        for row in tables.rows("customers", "tenths")
    ]
    # Of fewer than ten buyers, the first is more than a tenth.
    share = rows[0]["revenue_share"] if len(rows) == 10 else None
    return Figure(
        "tenths",
        f"The best tenth of buyers brings {formats.percent(share)} of the revenue"
        if share
        else "Revenue by tenth of buyers",
        "Buyers in ten groups of equal size, by revenue.",
        (
            Column("tenth", "Tenth", "integer"),
            Column("customers", "Buyers", "integer"),
            Column("revenue", "Revenue", "money"),
            Column("revenue_share", "Share", "percent"),
        ),
        rows,
        figures.columns(rows, "name", "revenue_share", "percent", title="tenth of buyers"),
    )


def _churn(tables: Tables) -> Figure:
    rows = tables.rows("customers", "churn")
    high = next((row for row in rows if row["churn_risk"] == "high"), None)
    buyers = sum(row["customers"] for row in rows)
    return Figure(
        "churn",
        f"{high['customers']:,} of {buyers:,} buyers are likely gone"
        if high
        else "Buyers by risk of churn",
        "Risk by days since the last purchase, with the same limits for every buyer (vars"
        " churn_medium_risk_after_days and churn_after_days).",
        (
            Column("churn_risk", "Risk"),
            Column("customers", "Buyers", "integer"),
            Column("revenue", "Revenue so far", "money"),
            Column("expected_revenue_90d", "Expected in 90 days", "money"),
        ),
        rows,
        figures.ranked_bars(rows, "churn_risk", "customers", "integer"),
    )
