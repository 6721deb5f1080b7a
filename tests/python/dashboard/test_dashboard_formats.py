"""Numbers as a person reads them, and changes that say why there is none."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dashboard import formats

SPACE, MINUS, DASH = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}", "\N{EN DASH}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4_555_555, f"4.56{SPACE}M"),
        (999_960, f"1.00{SPACE}M"),
        (76_138, f"76.1{SPACE}k"),
        (9_999, "9,999"),
        (Decimal("9999.99"), f"10.0{SPACE}k"),
        (12.345, "12.35"),
        (7, "7"),
        (0, "0"),
        (-12_900, f"{MINUS}12.9{SPACE}k"),
        (None, DASH),
    ],
)
def test_large_numbers_have_three_digits_and_small_ones_all(value: float, text: str) -> None:
    assert formats.compact(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0594, "5.94%"),
        (0.4206, "42.1%"),
        (0.9999, "100%"),
        (0.000001, "< 0.01%"),
        (0, "0%"),
        (-0.1, f"{MINUS}10.0%"),
        (None, DASH),
    ],
)
def test_a_share_that_is_not_zero_is_not_shown_as_zero(value: float, text: str) -> None:
    assert formats.percent(value) == text


def test_a_change_has_its_sign_and_what_it_is_against() -> None:
    grown = formats.change(110, 100, "the 28 days before")
    assert grown.rate == pytest.approx(0.1)
    assert grown.text == "+10.0% against the 28 days before"
    fallen = formats.change(Decimal(90), Decimal(100), "Oct 2019")
    assert fallen.text == f"{MINUS}10.0% against Oct 2019"


@pytest.mark.parametrize(
    ("now", "before", "reason", "text"),
    [
        (1, 0, "", "was 0 in Oct"),
        (1, None, "", "no value in Oct"),
        (None, 1, "", "no value in Oct"),
        (2, 1, "Oct has 3 of 31 days", "Oct has 3 of 31 days"),
    ],
)
def test_no_change_says_why(
    now: float | None, before: float | None, reason: str, text: str
) -> None:
    for compare in (formats.change, formats.points):
        found = compare(now, before, "Oct", reason=reason)
        if compare is formats.points and before == 0:
            # From a share of 0 there is a difference, though no rate.
            assert found.text == "+100.00 points against Oct"
        else:
            assert (found.rate, found.text) == (None, text)


def test_nouns_agree_with_their_number() -> None:
    assert [formats.counted(number, "day") for number in (0, 1, 1200)] == [
        "0 days",
        "1 day",
        "1,200 days",
    ]
    assert formats.counted(2, "query") == "2 queries"
