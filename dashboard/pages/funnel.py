"""Funnel and carts: where shoppers drop out, what stays in the cart."""

from __future__ import annotations

from typing import Final

from dashboard import figures, formats
from dashboard.elements import OVER_ALL_DAYS, PRODUCT_COLUMNS, Column, Figure, Page, Section, tile
from dashboard.formats import Change
from dashboard.periods import recent
from dashboard.tables import Row, Tables, leading

TITLE: Final = "Funnel and carts"
_MANY_SESSIONS: Final = 100
"""From which a category's conversion is more than chance."""


def build(tables: Tables) -> Page:
    """Return the page."""
    return Page(
        "funnel",
        TITLE,
        "Where do shoppers drop out, in what order do they go, and what stays in the cart?",
        [
            Section("Funnel", [_steps(tables), _abandonment(tables), _categories(tables)]),
            *_carts(tables),
        ],
    )


def _steps(tables: Tables) -> Figure:
    totals = tables.row("funnel", "steps")
    sessions = totals["sessions"]
    names = (
        ("sessions", "all sessions"),
        ("sessions_with_view", "with a view"),
        ("sessions_view_then_cart", "view, then cart"),
        ("sessions_in_order", "view, cart, purchase"),
        ("sessions_with_purchase", "with a purchase"),
        ("sessions_without_cart", "purchase, no cart"),
    )
    rows = [
        {
            "step": name,
            "sessions": totals[key],
            "share": totals[key] / sessions if sessions else None,
        }
        for key, name in names
    ]
    conversion = rows[4]["share"]
    return Figure(
        "steps",
        f"On complete days, {formats.percent(conversion)} of the sessions end with a purchase"
        if sessions
        else "Sessions by step",
        "Complete days only. Not every purchase takes all steps: the last bar has those without a"
        " cart event in the session, so the bars are not a strict sequence.",
        (
            Column("step", "Step"),
            Column("sessions", "Sessions", "integer"),
            Column("share", "Share of sessions", "percent"),
        ),
        rows if sessions else (),
        figures.ranked_bars(
            rows,
            "step",
            "sessions",
            "integer",
            text=lambda row: (
                f"{formats.compact(row['sessions'])} ({formats.percent(row['share'])})"
            ),
            label=lambda row: (
                f"{row['step']}: {formats.counted(row['sessions'], 'session')},"
                f" {formats.percent(row['share'])}"
            ),
        ),
    )


def _abandonment(tables: Tables) -> Figure:
    days = recent(tables.rows("funnel", "days"))
    # Of a day whose purchases are missing, every cart would count as abandoned.
    complete = [day for day in days if day["is_complete"]]
    carts = sum(day["sessions_with_cart"] for day in complete)
    bought = sum(day["sessions_with_cart_and_purchase"] for day in complete)
    return Figure(
        "abandonment",
        f"{formats.percent(1 - bought / carts)} of the sessions with a cart buy nothing on complete"
        " days"
        if carts
        else "Cart abandonment by day",
        "Share of the day's sessions with a cart event that have no purchase. Each shopper may buy"
        " in a later session.",
        (
            Column("event_date", "Day", "date"),
            Column("day_kind", "Kind"),
            Column("sessions_with_cart", "Sessions with a cart", "integer"),
            Column("cart_abandonment_rate", "Abandonment", "percent"),
            Column("view_then_cart_rate", "View to cart", "percent"),
            Column("session_conversion_rate", "Conversion", "percent"),
            Column("median_seconds_to_purchase", "Median seconds to purchase", "integer"),
        ),
        days,
        figures.daily_bars(days, "cart_abandonment_rate", "percent", height=180),
        "half",
        figures.DAY_KINDS,
    )


def _categories(tables: Tables) -> Figure:
    rows = tables.rows("funnel", "categories")
    many = [row for row in rows if row["sessions"] >= _MANY_SESSIONS]
    best = leading(many, "conversion_rate")
    return Figure(
        "categories",
        f"Of categories with {_MANY_SESSIONS} sessions and more, {best['category_l1']} converts"
        f" best: {formats.percent(best['conversion_rate'])}"
        if best
        else "Conversion by category",
        "Complete days only. A session counts in each category it touched, so categories do not add"
        " up to the shop.",
        (
            Column("category_l1", "Category"),
            Column("sessions", "Sessions", "integer"),
            Column("view_to_cart_rate", "View to cart", "percent"),
            Column("cart_to_purchase_rate", "Cart to purchase", "percent"),
            Column("conversion_rate", "Conversion", "percent"),
            Column("without_cart_rate", "Purchases without cart", "percent"),
        ),
        rows,
        span="full",
    )


def _carts(tables: Tables) -> list[Section]:
    found = tables.optional_rows("funnel", "carts")
    if found is None:
        return []
    [totals] = found
    observed = totals["observed_lines"]
    rate = totals["recovered_lines"] / observed if observed else None
    tiles = [
        tile("Abandoned lines", totals["lines"], formats.integer, OVER_ALL_DAYS),
        tile("Their value", totals["cart_value"], formats.compact, OVER_ALL_DAYS),
        tile(
            "Bought later",
            rate,
            formats.percent,
            Change(None, f"of {formats.counted(observed, 'line')} whose days are over"),
        ),
        tile(
            "Still open",
            totals["open_value"],
            formats.compact,
            Change(None, f"in {formats.counted(totals['open_lines'], 'line')} of the last days"),
        ),
    ]
    return [
        Section(
            "Abandoned carts",
            [_cart_categories(tables), _recovery(tables), _cart_products(tables)],
            tiles,
            "A line is a product that was put in the cart and not bought in that session, at the"
            " price of the last cart event. Open lines can still be bought within the window.",
        )
    ]


_CART_COLUMNS: Final = (
    Column("category_l1", "Category"),
    Column("lines", "Lines", "integer"),
    Column("cart_value", "Value", "money"),
    Column("open_value", "Open", "money"),
    Column("recovery_rate", "Bought later", "percent"),
)


def _cart_categories(tables: Tables) -> Figure:
    rows = tables.optional_rows("funnel", "cart_categories") or []
    total = sum(row["cart_value"] for row in rows)
    first = rows[0] if rows else None
    return Figure(
        "cart-categories",
        f"{first['category_l1']} is {formats.percent(first['cart_value'] / total)} of the value"
        if first and total
        else "Value left in carts by category",
        "Value at the price of the last cart event.",
        _CART_COLUMNS,
        rows,
        figures.ranked_bars(rows, "category_l1", "cart_value", "money"),
    )


def _recovery(tables: Tables) -> Figure:
    rows = [
        row
        for row in tables.optional_rows("funnel", "cart_categories") or []
        if row["observed_lines"] >= 20
    ]
    rows.sort(key=lambda row: -row["recovery_rate"])
    first = leading(rows, "recovery_rate")
    return Figure(
        "recovery",
        f"{first['category_l1']} is bought later most: {formats.percent(first['recovery_rate'])}"
        if first
        else "Bought later by category",
        "Of the lines whose days are over, the share that the same buyer bought within them; 20"
        " such lines and more.",
        _CART_COLUMNS,
        rows,
        figures.ranked_bars(rows, "category_l1", "recovery_rate", "percent"),
    )


def _cart_products(tables: Tables) -> Figure:
    rows: list[Row] = tables.optional_rows("funnel", "cart_products") or []
    first = leading(rows, "cart_value")
    return Figure(
        "cart-products",
        f"Most open value: product {first['product_id']}, {formats.compact(first['cart_value'])}"
        if first
        else "Open lines by product",
        "Products in open lines, a list for a reminder. Cheaper: the price fell since the cart.",
        (
            *PRODUCT_COLUMNS,
            Column("lines", "Open lines", "integer"),
            Column("cart_value", "Value", "money"),
            Column("price_now", "Price now", "money"),
            Column("cheaper_lines", "Cheaper since", "integer"),
        ),
        rows,
        span="full",
    )
