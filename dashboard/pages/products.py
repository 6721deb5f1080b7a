"""Products: what carries the shop, what is only looked at, what rises and falls."""

from __future__ import annotations

from typing import Final

from dashboard import figures, formats
from dashboard.elements import (
    OVER_ALL_DAYS,
    PRODUCT_COLUMNS,
    Column,
    Figure,
    Page,
    Section,
    Tile,
    tile,
)
from dashboard.periods import TOO_SHORT, lacking
from dashboard.tables import Tables, leading
from project.variables import project_variables

TITLE: Final = "Products"


def build(tables: Tables) -> Page:
    """Return the page."""
    return Page(
        "products",
        TITLE,
        "Which few products carry the shop, which are only looked at, which rise and fall?",
        [
            Section("At a glance", tiles=_tiles(tables)),
            Section("The few that carry the shop", [_curve(tables), _classes(tables)]),
            Section("Best sellers", [_best(tables)]),
            Section("Rising and falling", [_trends(tables)]),
            Section("Seen, not sold", [_seen(tables)]),
        ],
    )


def _tiles(tables: Tables) -> list[Tile]:
    totals = tables.row("products", "totals")
    return [
        tile("Products", totals["products"], formats.integer, OVER_ALL_DAYS),
        tile("Sold at least once", totals["sold_products"], formats.integer, OVER_ALL_DAYS),
        tile("Viewed, never sold", totals["unsold_products"], formats.integer, OVER_ALL_DAYS),
    ]


def _curve(tables: Tables) -> Figure:
    rows = tables.rows("products", "curve")
    # Fewer than twenty sold products make no twentieths.
    fifth = rows[3] if len(rows) == 20 and rows[3]["cumulative_share"] else None
    return Figure(
        "curve",
        f"The best {formats.percent(fifth['product_share'])} of sold products bring"
        f" {formats.percent(fifth['cumulative_share'])} of the revenue"
        if fifth
        else "Share of the revenue by share of products",
        "Sold products by revenue, the best first, in twenty groups.",
        (
            Column("product_share", "Best share of products", "percent"),
            Column("products", "Products in the step", "integer"),
            Column("revenue", "Revenue in the step", "money"),
            Column("cumulative_share", "Share of the revenue", "percent"),
        ),
        rows,
        figures.curve(
            rows,
            "product_share",
            "cumulative_share",
            label=lambda row: (
                f"Best {formats.percent(row['product_share'])} of products:"
                f" {formats.percent(row['cumulative_share'])} of the revenue"
            ),
            title="best share of sold products",
        ),
    )


def _classes(tables: Tables) -> Figure:
    rows = tables.rows("products", "classes")
    first = next((row for row in rows if row["pareto_class"] == "A"), None)
    of_a, of_both = (project_variables()[f"pareto_{name}_share"] for name in "ab")
    return Figure(
        "classes",
        f"{formats.counted(first['products'], 'product')} of class A:"
        f" {formats.compact(first['revenue'])} revenue"
        if first
        else "Products by class",
        f"Classes of the Pareto rule: A together has the first {formats.threshold(of_a)} of the"
        f" revenue, B the next {formats.threshold(of_both - of_a)}, C the rest.",
        (
            Column("pareto_class", "Class"),
            Column("products", "Products", "integer"),
            Column("revenue", "Revenue", "money"),
            Column("units", "Units", "integer"),
            Column("views", "Views", "integer"),
        ),
        rows,
        figures.ranked_bars(rows, "pareto_class", "products", "integer"),
    )


def _best(tables: Tables) -> Figure:
    rows = tables.rows("products", "best")
    first = leading(rows, "revenue")
    return Figure(
        "best",
        f"Product {first['product_id']} sells most: {formats.compact(first['revenue'])}"
        if first
        else "Best sellers",
        "The 25 products of the highest revenue. The source has numbers, no names of products.",
        (
            *PRODUCT_COLUMNS,
            Column("pareto_class", "Class"),
            Column("revenue", "Revenue", "money"),
            Column("revenue_share", "Share", "percent"),
            Column("purchases", "Units", "integer"),
            Column("views", "Views", "integer"),
            Column("view_to_purchase_rate", "View to purchase", "percent"),
            Column("current_price", "Price now", "money"),
        ),
        rows,
        span="full",
    )


def _trends(tables: Tables) -> Figure:
    rows = [
        {**row, "name": formats.product(row["brand"], row["product_id"])}
        for row in tables.rows("products", "trends")
    ]
    first = leading(rows, "revenue_change")
    state = tables.row("shop", "state")
    lacks = lacking(state["last_date"], state["as_of_date"])
    return Figure(
        "trends",
        f"Product {first['product_id']} gained most: {formats.compact(first['revenue_change'])} in"
        " 28 days"
        if first and first["revenue_change"] > 0
        else "Change of revenue by product",
        f"Revenue of the last 28 days{f' ({lacks})' if lacks else ''} less that of the 28 before,"
        " catch-up days included; the eight largest gains and losses."
        if tables.row("products", "totals")["has_both_periods"]
        else TOO_SHORT,
        (
            *PRODUCT_COLUMNS,
            Column("revenue_28d", "Last 28 days", "money"),
            Column("revenue_28d_before", "28 days before", "money"),
            Column("revenue_change", "Difference", "money"),
            Column("revenue_change_rate_28d", "Change", "change"),
        ),
        rows,
        figures.ranked_bars(rows, "name", "revenue_change", "money"),
        "full",
    )


def _seen(tables: Tables) -> Figure:
    rows = tables.rows("products", "seen_not_sold")
    first = rows[0] if rows else None
    return Figure(
        "seen-not-sold",
        f"Product {first['product_id']} was viewed {formats.integer(first['views'])} times and"
        " never bought"
        if first
        else "Every viewed product was bought",
        "The 25 products of the most views among those never bought. Viewers count users once.",
        (
            *PRODUCT_COLUMNS,
            Column("views", "Views", "integer"),
            Column("viewers", "Viewers", "integer"),
            Column("carts", "Put in a cart", "integer"),
            Column("current_price", "Price now", "money"),
        ),
        rows,
        span="full",
    )
