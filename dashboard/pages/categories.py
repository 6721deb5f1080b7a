"""Categories and brands: which grow, and which brands keep their buyers."""

from __future__ import annotations

from typing import Final

from dashboard import figures, formats
from dashboard.elements import Column, Figure, Page, Section
from dashboard.periods import TOO_SHORT
from dashboard.tables import Row, Tables, leading

TITLE: Final = "Categories and brands"


def build(tables: Tables) -> Page:
    """Return the page."""
    return Page(
        "categories",
        TITLE,
        "Which categories and brands grow, and which brands keep their buyers?",
        [
            Section("Categories", [_growth(tables), _subcategories(tables), _weekly(tables)]),
            Section("Brands", [_brand_shares(tables), _loyalty(tables), _switches(tables)]),
        ],
    )


_CATEGORY_COLUMNS: Final = (
    Column("category_l1", "Category"),
    Column("revenue", "Revenue", "money"),
    Column("units", "Units", "integer"),
    Column("views", "Views", "integer"),
    Column("daily_revenue", "A day, last 28", "money"),
    Column("daily_revenue_before", "A day, 28 before", "money"),
    Column("change_rate", "Change", "change"),
)


def _growth(tables: Tables) -> Figure:
    known = [
        row
        for row in tables.rows("categories", "categories")
        if row["change_rate"] is not None and row["units"] >= 20
    ]
    rows = sorted(known, key=lambda row: -row["change_rate"])
    best = leading(rows, "change_rate")
    return Figure(
        "growth",
        f"{best['category_l1']} grew most: {formats.change_rate(best['change_rate'])}"
        if best and best["change_rate"] > 0
        else "Change of revenue by category",
        "Revenue per complete day, last 28 days against the 28 before; categories of 20 units and"
        " more."
        if rows
        else TOO_SHORT,
        _CATEGORY_COLUMNS,
        rows,
        figures.ranked_bars(
            rows,
            "category_l1",
            "change_rate",
            "change",
            text=lambda row: formats.change_rate(row["change_rate"]),
        ),
    )


def _subcategories(tables: Tables) -> Figure:
    rows = [
        {**row, "name": f"{row['category_l1']} / {row['category_l2']}"}
        for row in tables.rows("categories", "subcategories")
    ][:14]
    best = leading(rows, "revenue")
    return Figure(
        "subcategories",
        f"{best['name']} is the largest subcategory" if best else "Revenue by subcategory",
        "The fourteen of the highest revenue; products without a category are left out.",
        (
            Column("category_l1", "Category"),
            Column("category_l2", "Subcategory"),
            Column("revenue", "Revenue", "money"),
            Column("units", "Units", "integer"),
            Column("views", "Views", "integer"),
            Column("purchases_per_view", "Purchases per view", "percent"),
        ),
        rows,
        figures.ranked_bars(rows, "name", "revenue", "money"),
    )


def _weekly(tables: Tables) -> Figure:
    weeks = {row["week"]: row for row in tables.rows("customers", "weeks")}
    found = tables.rows("categories", "weekly")
    order = [row["category_l1"] for row in tables.rows("categories", "categories")]
    names = sorted({row["category_l1"] for row in found}, key=order.index)
    shown = sorted(weeks)[-26:]
    by_key = {(row["week"], row["category_l1"]): row["revenue"] for row in found}
    rows = [
        {
            "week": week,
            "category_l1": name,
            "revenue": by_key.get((week, name), 0),
            "complete_days": weeks[week]["complete_days"],
            "is_partial": weeks[week]["complete_days"] < 7,
        }
        for name in names
        for week in shown
    ]
    return Figure(
        "weekly",
        "The largest categories, week by week" if names else "Revenue by week",
        "Each panel has its own scale. Hatched weeks have fewer than 7 complete days.",
        (
            Column("category_l1", "Category"),
            Column("week", "Week from", "date"),
            Column("complete_days", "Complete days", "integer"),
            Column("revenue", "Revenue", "money"),
        ),
        rows,
        figures.small_multiples(
            rows,
            "week",
            "revenue",
            "category_l1",
            names,
            label=lambda row: (
                f"{row['category_l1']}, week of {formats.day(row['week'])}: revenue"
                f" {formats.money(row['revenue'])}"
                + (f", only {row['complete_days']} complete days" if row["is_partial"] else "")
            ),
            marked="is_partial",
        ),
        "full",
        (
            ("swatch-complete", "week of 7 complete days"),
            ("swatch-marked", "week that is not comparable"),
        ),
    )


def _brand_shares(tables: Tables) -> Figure:
    partial = {
        row["month"]
        for row in tables.rows("shop", "visitors_by_month")
        if not row["is_whole_month"]
    }
    rows = [
        {**row, "name": formats.month(row["month"]) + ("*" if row["month"] in partial else "")}
        for row in tables.rows("categories", "brand_shares")
    ]
    order = [row["brand"] for row in tables.rows("shop", "top_brands")]
    rows.sort(key=lambda row: (order.index(row["brand"]) if row["brand"] in order else 99,
                               row["month"]))  # fmt: skip
    first = rows[0]["brand"] if rows else None
    latest = [row for row in rows if row["brand"] == first]
    return Figure(
        "brand-shares",
        f"{first} has {formats.percent(latest[-1]['revenue_share'])} of the revenue in"
        f" {latest[-1]['name']}"
        if latest
        else "Share of the brands by month",
        "The ten largest brands; share of the revenue of the month, all products."
        + (
            " Months marked * have days that are not in the data."
            if any(row["month"] in partial for row in rows)
            else ""
        ),
        (
            Column("brand", "Brand"),
            Column("name", "Month"),
            Column("revenue", "Revenue", "money"),
            Column("revenue_share", "Share", "percent"),
        ),
        rows,
        figures.heat_map(
            rows,
            "month",
            "brand",
            "revenue_share",
            label=lambda row: (
                f"{row['brand']}, {row['name']}: {formats.percent(row['revenue_share'])}"
            ),
            text=lambda row: formats.percent(row["revenue_share"]),
            across_name=lambda row: str(row["name"]),
        ),
    )


def _loyalty(tables: Tables) -> Figure:
    rows = [
        {**row, "name": f"{row['from_brand']} / {row['category_l2']}"}
        for row in tables.rows("categories", "loyalty")
    ]
    best = rows[0] if rows else None
    return Figure(
        "loyalty",
        f"After {best['from_brand']}, {formats.percent(best['share_of_from_brand'])} of the next"
        f" purchases in {best['category_l2']} are of the brand again"
        if best
        else "Loyalty by brand",
        "Of a buyer's consecutive purchases in a subcategory, the share that stay with the brand;"
        " brands with 20 pairs and more.",
        (
            Column("from_brand", "Brand"),
            Column("category_l2", "Subcategory"),
            Column("customers", "Customers", "integer"),
            Column("switches", "Stayed", "integer"),
            Column("from_brand_switches", "Purchase pairs", "integer"),
            Column("share_of_from_brand", "Loyalty", "percent"),
        ),
        rows,
        figures.ranked_bars(rows, "name", "share_of_from_brand", "percent"),
    )


def _switches(tables: Tables) -> Figure:
    rows: list[Row] = tables.rows("categories", "switches")
    first = rows[0] if rows else None
    return Figure(
        "switches",
        f"From {first['from_brand']} to {first['to_brand']}:"
        f" {formats.counted(first['switches'], 'time')}"
        if first
        else "No buyer changed the brand",
        "Consecutive purchases of a buyer in one subcategory with another brand, the most frequent"
        " first. Products without a brand are left out.",
        (
            Column("category_l2", "Subcategory"),
            Column("from_brand", "From"),
            Column("to_brand", "To"),
            Column("customers", "Customers", "integer"),
            Column("switches", "Times", "integer"),
            Column("share_of_from_brand", "Share of the first brand", "percent"),
        ),
        rows,
        span="full",
    )
