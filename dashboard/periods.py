"""Periods of days, and what the days of two periods compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
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

    @property
    def revenue(self) -> Decimal:
        """Revenue of all days."""
        return sum((day["revenue"] for day in self.days), Decimal(0))

    @property
    def orders(self) -> int:
        """Orders of all days."""
        return sum(day["orders"] for day in self.days)

    @property
    def sessions(self) -> int:
        """Sessions of all days."""
        return sum(day["sessions"] for day in self.days)

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


def compared(days: Sequence[Row], length: int = PERIOD_DAYS) -> Comparison:
    """Split off the last two periods of days, which are consecutive and in order."""
    now, before = Period(days[-length:]), Period(days[-2 * length : -length])
    if not days:
        return Comparison(now, before, "no day yet", "")
    first = formats.day(days[0]["event_date"])
    reason = ""
    if len(before.days) < length:
        reason = f"no full period before: the data begin on {first}"
    last = days[-1]["event_date"]
    start = last - timedelta(days=len(now.days) - 1)
    note = f"{formats.day(start)} to {formats.day(last)}."
    if not reason:
        left_out = len(now.days) - len(now.complete) + len(before.days) - len(before.complete)
        note += " Changes compare averages per complete day"
        note += (
            f"; {formats.counted(left_out, 'day')} of both periods left out." if left_out else "."
        )
    return Comparison(now, before, reason, note)


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
