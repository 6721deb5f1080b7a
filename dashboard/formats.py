"""Numbers, dates and changes as a person reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

Kind = Literal["text", "integer", "money", "decimal", "percent", "change", "date", "time", "flag"]
Number = int | float | Decimal

UNKNOWN: Final = "\N{EN DASH}"
"""Shown for null: unknown, or nothing to divide by."""
_SPACE: Final = "\N{NO-BREAK SPACE}"
_MINUS: Final = "\N{MINUS SIGN}"


def integer(value: Number | None) -> str:
    """Return a number rounded to a whole one, with separators of thousands."""
    return UNKNOWN if value is None else _signed(f"{value:,.0f}")


def money(value: Number | None) -> str:
    """Return an amount to the cent, in the shop's currency, which the source does not name."""
    return UNKNOWN if value is None else _signed(f"{value:,.2f}")


def decimal(value: Number | None) -> str:
    """Return a number with two decimals."""
    return money(value)


def percent(value: Number | None) -> str:
    """Return a share as a percentage with three significant digits."""
    if value is None:
        return UNKNOWN
    hundredths = float(value) * 100
    if 0 < abs(hundredths) < 0.005:
        # Rounded to zero it would claim that there is none.
        return "< 0.01%" if hundredths > 0 else f"> {_MINUS}0.01%"
    if not hundredths:
        return "0%"
    digits = 0 if abs(hundredths) >= 99.95 else 1 if abs(hundredths) >= 9.995 else 2
    return _signed(f"{hundredths:,.{digits}f}%")


def threshold(share: float) -> str:
    """Return a share that a var sets as it was set: `5%`, `0.5%`."""
    return f"{share * 100:g}%"


def change_rate(value: Number | None) -> str:
    """Return a relative change as a percentage with its sign."""
    if value is None:
        return UNKNOWN
    text = percent(value)
    return f"+{text}" if text[0].isdigit() and float(value) > 0 else text


def compact(value: Number | None) -> str:
    """Return a number of 10,000 and more with three digits and k, M or G: 4.56 M."""
    if value is None:
        return UNKNOWN
    size = abs(float(value))
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # 999,950 is 1.00 M, not 1000 k.
        if size >= max(limit * 0.9995, 9_999.5):
            scaled = float(value) / limit
            digits = 0 if abs(scaled) >= 99.95 else 1 if abs(scaled) >= 9.995 else 2
            return _signed(f"{scaled:.{digits}f}{_SPACE}{unit}")
    whole = isinstance(value, int) or float(value).is_integer() or size >= 100
    return _signed(f"{float(value):,.{0 if whole else 2}f}")


def day(value: date | None) -> str:
    """Return a date as `30 Nov 2019`."""
    return UNKNOWN if value is None else f"{value.day} {value:%b %Y}"


def days(first: date, last: date) -> str:
    """Return a period as `1 Oct 2019 to 30 Nov 2019`, and one of a single day as that day."""
    return day(first) if first == last else f"{day(first)} to {day(last)}"


def short_day(value: date) -> str:
    """Return a date without its year, as `30 Nov`."""
    return f"{value.day} {value:%b}"


def time(value: datetime | None) -> str:
    """Return a time in UTC to the minute."""
    return UNKNOWN if value is None else f"{value:%Y-%m-%d %H:%M} UTC"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 day`, `61 days`."""
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{number:,} {plural}"


def month(value: date) -> str:
    """Return a date as its month, `Nov 2019`."""
    return f"{value:%b %Y}"


def product(brand: str | None, number: int) -> str:
    """Return what a reader knows a product by: its brand and number."""
    return f"{brand or '(none)'} {number}"


def _flag(value: bool | None) -> str:
    return UNKNOWN if value is None else "yes" if value else "no"


def _text(value: object) -> str:
    return UNKNOWN if value is None else str(value)


_FORMATS: Final[Mapping[Kind, Callable[[Any], str]]] = {
    "text": _text,
    "integer": integer,
    "money": money,
    "decimal": decimal,
    "percent": percent,
    "change": change_rate,
    "date": _text,
    "time": time,
    "flag": _flag,
}


def shown(value: object, kind: Kind) -> str:
    """Return a value of a table as text."""
    return _FORMATS[kind](value)


@dataclass(frozen=True)
class Change:
    """A change against the previous period, or why there is none."""

    rate: float | None
    text: str
    """For a reader: `+3.10% against the 28 days before`, or the reason."""


def change(now: Number | None, before: Number | None, against: str, *, reason: str = "") -> Change:
    """Compare a number with that of the previous period, named by `against`.

    `reason` says why there can be no comparison; with it none is made.
    """
    if reason:
        return Change(None, reason)
    if now is None or before is None:
        return Change(None, f"no value in {against}")
    if not before:
        return Change(None, f"was 0 in {against}")
    rate = float(now) / float(before) - 1
    return Change(rate, f"{change_rate(rate)} against {against}")


def points(now: Number | None, before: Number | None, against: str, *, reason: str = "") -> Change:
    """Compare two shares: the difference in percentage points."""
    if reason:
        return Change(None, reason)
    if now is None or before is None:
        return Change(None, f"no value in {against}")
    difference = (float(now) - float(before)) * 100
    sign = "+" if difference >= 0 else ""
    return Change(
        difference / 100, f"{sign}{_signed(f'{difference:.2f}')} points against {against}"
    )


def _signed(text: str) -> str:
    return text.replace("-", _MINUS)
