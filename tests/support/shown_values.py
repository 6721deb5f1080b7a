"""Whether a text of a page shows values of SQL, rounded to the digits that the text has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

_NUMBER: Final = re.compile(r"([+\u2212-]?)(\d[\d,]*)(\.\d+)?(?:\xa0([kMG])|(%))?")
_UNITS: Final = {"k": 1e3, "M": 1e6, "G": 1e9, "%": 0.01}


def is_value(cell: str, value: Any) -> bool:
    """Whether a cell of a table has a value: `=0.0588235`, exact to six digits, or what is read."""
    is_exact, raw = cell.startswith("="), cell.removeprefix("=")
    if value is None:
        return is_exact and not raw
    if isinstance(value, bool):
        return raw == ("yes" if value else "no")
    if isinstance(value, datetime):
        return raw == value.isoformat(" ", "seconds")
    if isinstance(value, (date, str)):
        return raw == str(value)
    if is_exact:
        return abs(float(raw) - float(value)) <= abs(float(value)) * 1e-5
    found = _NUMBER.fullmatch(raw)
    return found is not None and _is_rounded(found, value)


def unread(text: str, values: Sequence[Any]) -> str | None:
    """Return what a text has besides these values, which it shows in this order; None without."""
    rest, place = [], 0
    for value in values:
        if isinstance(value, (date, str)):
            shown = f"{value.day} {value:%b %Y}" if isinstance(value, date) else value
            start = text.find(shown, place)
            end = start + len(shown)
        else:
            found = _NUMBER.search(text, place)
            is_shown = found is not None and _is_rounded(found, value)
            start, end = found.span() if found and is_shown else (-1, -1)
        if start < 0:
            return None
        rest.append(text[place:start])
        place = end
    return "".join([*rest, text[place:]])


def numbers_are_of(text: str, row: Sequence[Any]) -> bool:
    """Whether each number of a text is one of a row, rounded."""
    numbers = [
        value for value in row if isinstance(value, (int, float)) or hasattr(value, "as_tuple")
    ]
    found = list(_NUMBER.finditer(text))
    return bool(found) and all(any(_is_rounded(one, number) for number in numbers) for one in found)


def _is_rounded(found: re.Match[str], value: Any) -> bool:
    sign, whole, decimals, unit, percent = found.groups()
    scale = _UNITS.get(unit or percent or "", 1)
    number = float(whole.replace(",", "") + (decimals or "")) * scale
    number = number if sign in ("", "+") else -number
    if isinstance(value, int) and not unit:
        return number == value
    digit = scale * 10.0 ** -len((decimals or ".")[1:])
    return abs(number - float(value)) <= digit * 0.5 * (1 + 1e-6)
