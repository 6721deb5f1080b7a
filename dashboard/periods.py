"""Periods of days, and what the days of two periods compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from dashboard import formats
from dashboard.tables import Row

PERIOD_DAYS: Final = 28
"""Four weeks: each weekday counts the same in both periods."""
TOO_SHORT: Final = (
    f"It takes {2 * PERIOD_DAYS} days to compare {PERIOD_DAYS} with the {PERIOD_DAYS} before."
)
"""Why nothing is compared."""
DRAWN_DAYS: Final = 92
"""A quarter: more bars cannot be distinguished."""


@dataclass(frozen=True)
class Period:
    """Totals of consecutive days, and of the complete ones among them."""

    days: Sequence[Row]

    @property
    def complete(self) -> Sequence[Row]:
        """The days that compare."""
        return [day for day in self.days if day["is_complete"]]

    def total(self, column: str) -> Decimal | int | None:
        """Return the sum of a column over all days; None without a day, as it is not known."""
        return sum(day[column] for day in self.days) if self.days else None

    @property
    def average_order_value(self) -> Decimal | None:
        """Revenue per order; None without one."""
        return _average_order_value(self.days)

    @property
    def complete_average_order_value(self) -> Decimal | None:
        """The same among complete days."""
        return _average_order_value(self.complete)

    @property
    def conversion(self) -> float | None:
        """Sessions with a purchase per session; None without one."""
        return _conversion(self.days)

    @property
    def complete_conversion(self) -> float | None:
        """The same among complete days."""
        return _conversion(self.complete)

    def daily(self, column: str) -> float | None:
        """Return the average of a column per complete day; None without one."""
        values = [float(day[column]) for day in self.complete]
        return sum(values) / len(values) if values else None


def _average_order_value(days: Sequence[Row]) -> Decimal | None:
    orders = sum(day["orders"] for day in days)
    return sum((day["revenue"] for day in days), Decimal(0)) / orders if orders else None


def _conversion(days: Sequence[Row]) -> float | None:
    sessions = sum(day["sessions"] for day in days)
    bought = sum(day["sessions_with_purchase"] for day in days)
    return bought / sessions if sessions else None


@dataclass(frozen=True)
class Comparison:
    """The newest period, the one before, and why they cannot be compared, if so."""

    now: Period
    before: Period
    reason: str
    note: str
    lacking: str = ""
    """Why totals of the two cannot be compared, where averages can."""


def compared(days: Sequence[Row], as_of: date | None) -> Comparison:
    """Split off the period that ends with a date and the one before it.

    The days are consecutive and in order; the date, that of the newest event or later, is None
    where there is none.
    """
    if as_of is None or not days:
        return Comparison(Period(()), Period(()), "no day yet", "")
    start = as_of - timedelta(days=PERIOD_DAYS - 1)
    start_before = start - timedelta(days=PERIOD_DAYS)
    now = Period([day for day in days if day["event_date"] >= start])
    before = Period([day for day in days if start_before <= day["event_date"] < start])
    first, last = days[0]["event_date"], days[-1]["event_date"]
    reason = ""
    if not now.days:
        reason = f"no day of it is in the data, which ends on {formats.day(last)}"
    elif first > start_before:
        reason = f"no full period before: the data begins on {formats.day(first)}"
    note = formats.days(max(start, first), as_of)
    note += "." if last == as_of else f", the as-of date; the data ends on {formats.day(last)}."
    if not reason:
        left_out = len(now.days) - len(now.complete) + len(before.days) - len(before.complete)
        note += " Changes compare averages per complete day"
        note += (
            f"; {formats.counted(left_out, 'day')} of both periods left out." if left_out else "."
        )
    return Comparison(now, before, reason, note, lacking(last, as_of))


def lacking(last: date | None, as_of: date | None) -> str:
    """Return a remark on days of the newest period that the data lacks, empty without any."""
    if last is None or as_of is None or last >= as_of:
        return ""
    days = min((as_of - last).days, PERIOD_DAYS)
    return f"the data lacks {formats.counted(days, 'day')} of it"


def recent(days: Sequence[Row]) -> Sequence[Row]:
    """Return the days that a chart by day shows."""
    return days[-DRAWN_DAYS:]


def without_verdict(days: Sequence[Row]) -> str:
    """Return a remark on days without a purchase in a shop that sells too little to judge them."""
    quiet = [day["event_date"] for day in days if day["is_complete"] and not day["purchases"]]
    if not quiet:
        return ""
    if len(quiet) == len(days):
        return "no day has a purchase"
    named = ", ".join(map(formats.short_day, quiet[:3]))
    more = f" and {len(quiet) - 3} more" if len(quiet) > 3 else ""
    return f"too few sales to judge days without a purchase: {named}{more}"
