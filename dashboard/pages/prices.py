"""Prices: how often and how far they move, and how shoppers respond."""

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
from dashboard.formats import Change
from dashboard.tables import Tables
from project.variables import project_variables

TITLE: Final = "Prices"
_SIZES: Final = ("< -30%", "-20%", "-10%", "> -10%", "to +10%", "+20%", "+30%", "> +30%")
_CUT, _RISE = "cuts", "rises"


def build(tables: Tables) -> Page:
    """Return the page."""
    smallest = formats.threshold(project_variables()["price_min_change"])
    lasting = formats.counted(project_variables()["price_min_hours"], "hour")
    return Page(
        "prices",
        TITLE,
        "How often and how far do prices move, and how do shoppers respond?",
        [
            Section(
                "At a glance",
                tiles=_tiles(tables),
                note=f"Changes of {smallest} and more between prices that lasted {lasting};"
                " flicker is merged.",
            ),
            Section("Changes", [_sizes(tables, smallest), _weeks(tables)]),
            Section("Response", [_categories(tables), _elasticities(tables)]),
        ],
    )


def _tiles(tables: Tables) -> list[Tile]:
    totals = tables.row("prices", "totals")
    share = totals["cuts"] / totals["changes"] if totals["changes"] else None
    measured = totals["measured"]
    return [
        tile("Price changes", totals["changes"], formats.integer, OVER_ALL_DAYS),
        tile("Products", totals["products"], formats.integer, OVER_ALL_DAYS),
        tile("Cuts among changes", share, formats.percent, OVER_ALL_DAYS),
        tile("Median cut", totals["median_cut"], formats.percent, OVER_ALL_DAYS),
        tile(
            "Median elasticity",
            totals["median_elasticity"],
            formats.decimal,
            Change(
                None,
                f"of {formats.counted(measured, 'change')} with enough views on both sides"
                if measured
                else "no change has enough views on both sides",
            ),
        ),
    ]


def _sizes(tables: Tables, smallest: str) -> Figure:
    found = {row["step"]: row["changes"] for row in tables.rows("prices", "sizes")}
    rows = [
        {"name": name.replace("-", "\N{MINUS SIGN}"), "changes": found.get(step, 0)}
        for step, name in enumerate(_SIZES, 1)
    ]
    total = sum(found.values())
    small = found.get(4, 0) + found.get(5, 0)
    return Figure(
        "sizes",
        f"{formats.percent(small / total)} of the changes are of 10% or less"
        if total
        else "Changes by size",
        f"Price after against price before; moves of less than {smallest} are not counted as"
        " changes.",
        (Column("name", "Change up to"), Column("changes", "Changes", "integer")),
        rows if total else (),
        figures.columns(rows, "name", "changes", "integer"),
    )


def _weeks(tables: Tables) -> Figure:
    rows = [
        {
            **row,
            "name": formats.short_day(row["week"]),
            "part": _CUT if row["is_cut"] else _RISE,
        }
        for row in tables.rows("prices", "weeks")
    ][-52:]
    cuts = sum(row["changes"] for row in rows if row["is_cut"])
    total = sum(row["changes"] for row in rows)
    return Figure(
        "weeks",
        f"{formats.counted(cuts, 'cut')} and {formats.counted(total - cuts, 'rise')}"
        if total
        else "Changes by week",
        "By week from Monday; the first and the last week can be parts of weeks.",
        (
            Column("week", "Week from", "date"),
            Column("part", "Direction"),
            Column("changes", "Changes", "integer"),
        ),
        rows,
        figures.stacked_columns(
            rows,
            "name",
            "changes",
            "part",
            (_CUT, _RISE),
            label=lambda row: (
                f"Week of {formats.day(row['week'])}:"
                f" {formats.counted(row['changes'], row['part'].removesuffix('s'))}"
            ),
            height=200,
        ),
        "half",
        (("swatch-1", _CUT), ("swatch-2", _RISE)),
    )


def _categories(tables: Tables) -> Figure:
    rows = tables.rows("prices", "categories")
    first = next((row for row in rows if row["category_l1"] != "(none)"), None)
    return Figure(
        "categories",
        f"Of the named categories, prices move most in {first['category_l1']}:"
        f" {formats.counted(first['changes'], 'change')}"
        if first
        else "Changes by category",
        "Elasticity is the change of purchases per view relative to that of the price, less the"
        " change of the category; unknown where views are too few.",
        (
            Column("category_l1", "Category"),
            Column("changes", "Changes", "integer"),
            Column("cut_share", "Cuts", "percent"),
            Column("median_size", "Median size", "percent"),
            Column("measured", "Measured", "integer"),
            Column("median_elasticity", "Median elasticity", "decimal"),
        ),
        rows,
        span="full",
    )


def _elasticities(tables: Tables) -> Figure:
    rows = tables.rows("prices", "elasticities")
    shown = sorted(rows[:15], key=lambda row: row["arc_elasticity"])
    named = [
        {
            **row,
            "name": f"{formats.product(row['brand'], row['product_id'])},"
            f" {row['changed_date']:%d %b}",
        }
        for row in shown
    ]
    responsive = sum(row["arc_elasticity"] < -1 for row in rows)
    return Figure(
        "elasticities",
        f"{responsive:,} of {formats.counted(len(rows), 'measured change')} moved purchases more"
        " than the price"
        if rows
        else "Response to single changes",
        "Elasticity below -1: purchases per view change more than the price. Single changes are"
        " noisy; those of the most views are shown."
        if rows
        else "No change has enough views before and after to measure a response.",
        (
            *PRODUCT_COLUMNS,
            Column("changed_date", "Changed", "date"),
            Column("price_before", "Before", "money"),
            Column("price_after", "After", "money"),
            Column("price_change_rate", "Change", "change"),
            Column("views_before", "Views before", "integer"),
            Column("views_after", "Views after", "integer"),
            Column("purchase_rate_before", "Rate before", "percent"),
            Column("purchase_rate_after", "Rate after", "percent"),
            Column("category_rate_change", "Category", "change"),
            Column("arc_elasticity", "Elasticity", "decimal"),
        ),
        named,
        figures.ranked_bars(
            named,
            "name",
            "arc_elasticity",
            "decimal",
            text=lambda row: formats.decimal(row["arc_elasticity"]),
        ),
        "full",
    )
