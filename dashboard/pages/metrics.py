"""The shop's metrics by month: one definition each, with its name and whether months add up."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from dashboard import formats
from dashboard.elements import Column, Figure, Measured
from dashboard.tables import Row, Tables
from project.home import CHECKOUT
from project.yml import read_yml

_SHOWN_MONTHS: Final = 6


@cache
def _definitions() -> Mapping[str, Mapping[str, Any]]:
    """Return the definitions of the semantic layer by the name of the metric."""
    return {
        metric["name"]: metric
        for file in sorted((CHECKOUT / "models" / "metrics").glob("*.yml"))
        for metric in read_yml(file)["metrics"]
    }


def by_month(tables: Tables) -> Figure:
    """Return the table of all metrics of the shop, one a row, one month a column."""
    months = tables.rows("shop", "metrics_by_month")[-_SHOWN_MONTHS:]
    names = [name for name in (months[0] if months else ()) if name in _definitions()]
    titles = [
        formats.month(month["month"]) + ("" if month["is_whole"] else "*") for month in months
    ]
    partial = [title for title in titles if title.endswith("*")]
    return Figure(
        "metrics",
        f"{len(names)} metrics by month" if months else "Metrics by month",
        "Months add up where the last column says so; the visitors of two months are not their sum."
        " The docs define each metric."
        + (" Months marked * have days that are not in the data." if partial else ""),
        (
            Column("label", "Metric"),
            *(Column(title, title, "decimal") for title in titles),
            Column("adds_up", "Months add up", "flag"),
        ),
        [_row(name, titles, months) for name in names],
        span="full",
    )


def _row(name: str, titles: list[str], months: list[Row]) -> Row:
    definition = _definitions()[name]
    meta = definition["config"]["meta"]
    numbers = (Measured(month[name], meta["shown_as"]) for month in months)
    return {
        "label": definition["label"],
        "adds_up": "metric_time" in meta["adds_up_over"],
        **dict(zip(titles, numbers, strict=True)),
    }
