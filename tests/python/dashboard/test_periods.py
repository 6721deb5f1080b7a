"""What two periods compare: complete days alone, and only full periods."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from dashboard import formats
from dashboard.formats import Change
from dashboard.pages import overview
from dashboard.periods import DRAWN_DAYS, Comparison, compared, recent, without_verdict
from dashboard.tables import Tables


def days(number: int, *, incomplete: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """Return days with a revenue of 10; an incomplete one has none."""
    return [
        {
            "event_date": date(2019, 10, 1) + timedelta(days=place),
            "is_complete": place not in incomplete,
            "revenue": Decimal(0 if place in incomplete else 10),
            "orders": 2,
            "sessions": 20,
            "sessions_with_purchase": 2,
        }
        for place in range(number)
    ]


def compared_at_end(found: list[dict[str, Any]]) -> Comparison:
    """Compare the periods of an as-of date that is the last day's, as it is unless a var says."""
    return compared(found, found[-1]["event_date"] if found else None)


def test_an_incomplete_day_does_not_lower_the_average() -> None:
    comparison = compared_at_end(days(56, incomplete=(50, 51)))
    assert comparison.reason == ""
    assert comparison.now.total("revenue") == 260
    assert comparison.now.daily("revenue") == comparison.before.daily("revenue") == 10
    assert "2 days of both periods left out" in comparison.note


def test_the_overview_compares_what_its_note_says() -> None:
    buyers = {"buyers": 9, "buyers_28d": 6, "buyers_28d_before": 3}
    tables = Tables(duckdb.connect(), {("shop", "buyers"): [buyers]})
    # Orders of the two days without revenue would lower the average to 4.64.
    section = overview._recent_tiles(tables, compared_at_end(days(56, incomplete=(50, 51))))
    changes = {tile.label: tile.change.rate for tile in section.tiles}
    assert changes["Average order value"] == 0
    assert changes["Buyers"] == 1
    assert section.note.endswith("left out. Buyers are compared over all days.")
    # Of the 28 days to 9 December the data has nineteen, and so only a part of the buyers.
    section = overview._recent_tiles(tables, compared(days(61), date(2019, 12, 9)))
    shown = {tile.label: tile.change for tile in section.tiles}
    assert shown["Revenue"].rate == 0
    assert shown["Buyers"] == Change(None, "the data lacks 9 days of it")
    assert "Buyers are compared" not in section.note
    section = overview._recent_tiles(tables, compared_at_end(days(55)))
    assert "Changes compare" not in section.note
    assert "buyers" not in section.note


def test_a_part_of_a_period_is_not_compared() -> None:
    comparison = compared_at_end(days(55))
    assert comparison.reason == "no full period before: the data begins on 1 Oct 2019"


def test_periods_end_with_the_as_of_date() -> None:
    found = days(61)
    comparison = compared(found, date(2019, 12, 9))
    # The data has nineteen of the 28 days to 9 December.
    assert (len(comparison.now.days), len(comparison.before.days)) == (19, 28)
    assert comparison.now.days[0]["event_date"] == date(2019, 11, 12)
    assert comparison.note.startswith(
        "12 Nov 2019 to 9 Dec 2019, the as-of date; the data ends on 30 Nov 2019. Changes compare"
    )
    later = compared(found, date(2020, 1, 9))
    assert later.reason == "no day of it is in the data, which ends on 30 Nov 2019"
    assert later.now.total("revenue") is None
    assert compared(days(40), date(2019, 11, 15)).reason.startswith("no full period before")


def test_a_period_of_one_day_is_that_day() -> None:
    assert compared_at_end(days(1)).note == "1 Oct 2019."


def test_no_day_has_no_rate() -> None:
    comparison = compared_at_end([])
    assert comparison.now.average_order_value is None
    assert comparison.now.complete_average_order_value is None
    assert comparison.now.total("revenue") is None
    assert comparison.now.conversion is None
    assert comparison.now.daily("revenue") is None
    assert comparison.reason


def test_charts_by_day_show_the_newest_quarter() -> None:
    shown = recent(days(200))
    assert len(shown) == DRAWN_DAYS
    assert shown[-1]["event_date"] == date(2019, 10, 1) + timedelta(days=199)


def test_a_day_that_nothing_can_judge_is_not_called_complete() -> None:
    found = [day | {"purchases": 11} for day in days(61)]
    assert without_verdict(found) == ""
    assert overview._marked_days(found) == "no day looks incomplete"
    found[45]["purchases"] = 0
    named = formats.short_day(found[45]["event_date"])
    remark = f"too few sales to judge days without a purchase: {named}"
    assert overview._marked_days(found) == remark
    found[60]["is_complete"] = False
    last = formats.short_day(found[60]["event_date"])
    assert overview._marked_days(found) == f"not comparable: {last}; {remark}"
    # What is marked is not named twice.
    found[45]["is_complete"] = False
    assert overview._marked_days(found) == f"not comparable: {named}, {last}"
    quiet = [day | {"purchases": 0} for day in days(61)]
    assert without_verdict(quiet) == "no day has a purchase"
    assert overview._marked_days([]) == "no day yet"
