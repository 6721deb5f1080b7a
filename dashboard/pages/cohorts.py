"""Cohorts: whether the buyers of a week come back, and what one is worth after some weeks."""

from __future__ import annotations

from typing import Final

from dashboard import figures, formats
from dashboard.elements import Column, Figure, Page, Section
from dashboard.tables import Row, Tables

TITLE: Final = "Cohorts"
_UNKNOWN: Final = ("swatch-unknown", "not observed yet: unknown, not zero")
_COLUMNS: Final = (
    Column("cohort_week", "Week of first order", "date"),
    Column("weeks_since_first_order", "Weeks since", "integer"),
    Column("is_left_censored", "May have bought before", "flag"),
    Column("customers", "Customers", "integer"),
    Column("returning_customers", "Returning", "integer"),
    Column("return_rate", "Return rate", "percent"),
    Column("orders", "Orders", "integer"),
    Column("revenue", "Revenue", "money"),
    Column("cumulative_revenue_per_customer", "Revenue per customer so far", "money"),
)


def build(tables: Tables) -> Page:
    """Return the page."""
    rows = tables.rows("cohorts", "cohorts")
    return Page(
        "cohorts",
        TITLE,
        "Do the buyers of a week come back, and what is one worth after some weeks?",
        [
            Section(
                "Return",
                [_returns(rows), _value(rows)],
                note="A cohort are the buyers whose first known order was in a week, from Monday."
                " Cohorts marked * are of the first weeks of the data: some of them bought before.",
            )
        ],
    )


def _name(row: Row) -> str:
    return formats.short_day(row["cohort_week"]) + ("*" if row["is_left_censored"] else "")


def _returns(rows: list[Row]) -> Figure:
    observed = [row for row in rows if row["weeks_since_first_order"] == 1 and row["is_observed"]]
    customers = sum(row["customers"] for row in observed)
    returned = sum(row["returning_customers"] for row in observed)
    return Figure(
        "returns",
        f"{formats.percent(returned / customers)} of buyers order again in the week after"
        if customers
        else "Return rate by cohort",
        "Share of the cohort with an order in the week. Week 0 is the week of the first order,"
        " 100% by definition. Small cohorts vary by chance.",
        _COLUMNS,
        rows,
        figures.heat_map(
            rows,
            "weeks_since_first_order",
            "cohort_week",
            "return_rate",
            label=lambda row: (
                f"Cohort of {formats.day(row['cohort_week'])}, week"
                f" {row['weeks_since_first_order']}: "
                + (
                    "not observed yet"
                    if row["return_rate"] is None
                    else f"{formats.percent(row['return_rate'])} of {row['customers']:,} returned"
                )
            ),
            text=lambda row: formats.percent(row["return_rate"]),
            across_title="weeks since the first order",
            down_name=_name,
            first_step=1.0,
            cell=30,
        ),
        "full",
        (_UNKNOWN,),
    )


def _value(rows: list[Row]) -> Figure:
    known = [row for row in rows if row["cumulative_revenue_per_customer"] is not None]
    first = [row for row in known if row["weeks_since_first_order"] == 0]
    customers = sum(row["customers"] for row in first)
    spent = sum(row["cumulative_revenue_per_customer"] * row["customers"] for row in first)
    return Figure(
        "value",
        f"A new buyer spends {formats.money(spent / customers)} in the first week"
        if customers
        else "Revenue per customer by cohort",
        "Revenue per customer of the cohort since the first order, weeks added up. Compare down a"
        " column, at equal age.",
        _COLUMNS,
        rows,
        figures.heat_map(
            rows,
            "weeks_since_first_order",
            "cohort_week",
            "cumulative_revenue_per_customer",
            label=lambda row: (
                f"Cohort of {formats.day(row['cohort_week'])}, to week"
                f" {row['weeks_since_first_order']}: "
                + (
                    "not observed yet"
                    if row["cumulative_revenue_per_customer"] is None
                    else f"{formats.money(row['cumulative_revenue_per_customer'])} per customer"
                )
            ),
            text=lambda row: formats.compact(round(row["cumulative_revenue_per_customer"])),
            across_title="weeks since the first order",
            down_name=_name,
            cell=30,
        ),
        "full",
        (_UNKNOWN,),
    )
