r"""DuckDB expressions for the values of raw text, null where the text does not fit its type.

* `timestamp`: an instant `YYYY-MM-DD hh:mm:ss`, or with `T`, with up to six decimals of a second,
  and ` UTC`, `Z`, an offset such as `+02:00`, or nothing, which is taken as UTC.
* `bigint`: what the value is written as, or that with `.0` up to 2^53. Beyond, a floating-point
  number has lost digits; `12.7`, `1e3`, ` 12`, `+5`, `007`, `1_000` and `0x10` do not fit either.
* `double`: a decimal number with an optional exponent, or `nan`, `inf`, `infinity` with an optional
  sign, in any case, without blanks; out of range it becomes infinity or 0.

DuckDB's own casts would read 12.7 as 13, and ignore an offset.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

MAX_EXACT: Final = 1 << 53
"""Up to here a floating-point number holds each integer."""

MAX_BIGINT: Final = (1 << 63) - 1

_PUBLISHED: Final = "%Y-%m-%d %H:%M:%S UTC"
# A cast to timestamp takes 24:00:00 for the next day, and drops what is beyond microseconds.
TIME: Final = "[12][0-9]{3}(-[0-9]{2}){2}[ T]([01][0-9]|2[0-3])(:[0-9]{2}){2}([.][0-9]{1,6}0{0,3})?"
ZONE: Final = "( UTC|Z| ?[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
DOUBLE: Final = "(?i)[+-]?(([0-9]+([.][0-9]*)?|[.][0-9]+)(e[+-]?[0-9]+)?|nan|inf|infinity)"
WHOLE_DECIMAL: Final = "(0|-?[1-9][0-9]*)[.]0+"
_WITHOUT_ZONE: Final = re.compile(TIME)


class Texts(IntEnum):
    """What texts a statement reads; at others that have a value it fails with `UNEXPECTED`.

    Planning the expressions for all texts takes as long as loading a small file, and only a
    statement that fails shows that one of millions of instants has no zone.
    """

    PUBLISHED = 0
    """Instants and integers as in the published files."""
    ZONED = 1
    """All but instants without a zone."""
    ALL = 2


UNEXPECTED: Final = "unexpected text: "


def lacks_zone(text: str) -> bool:
    """Whether the text is an instant that names no zone."""
    return _WITHOUT_ZONE.fullmatch(text) is not None


def cast(sql_type: str, text: str) -> str:
    """Return the cast of the column `text` that `value` expects."""
    if sql_type == "timestamp":
        return f"try_strptime({text}, '{_PUBLISHED}')"
    return f"try_cast({text} as {sql_type})"


def value(sql_type: str, text: str, cast_text: str, texts: Texts) -> str:
    """Return the value of the column `text`, whose `cast` is the column `cast_text`.

    The texts of published files come first, so that only others cost more.
    """
    if sql_type == "double":
        return f"case when regexp_full_match({text}, '{DOUBLE}') then {cast_text} end"
    fails = f"cast(error('{UNEXPECTED}' || {text}) as {sql_type})"
    if sql_type == "bigint":
        others = (
            f"contains({text}, '.0') then {fails}"
            if texts is Texts.PUBLISHED
            else f"regexp_full_match({text}, '{WHOLE_DECIMAL}')"
            f" and {cast_text} between -{MAX_EXACT} and {MAX_EXACT} then {cast_text}"
        )
        return f"case when cast({cast_text} as varchar) = {text} then {cast_text} when {others} end"
    unzoned = f" when regexp_full_match({text}, '{TIME}') then {fails}"
    return (
        f"case when strftime({cast_text}, '{_PUBLISHED}') = {text} then {cast_text}"
        f"{unzoned if texts is Texts.ZONED else ''}"
        f" when regexp_full_match({text}, '{TIME}{ZONE}?')"
        f" then {fails if texts is Texts.PUBLISHED else _utc_time(text)} end"
    )


def _utc_time(text: str) -> str:
    hours = f"regexp_extract({text}, '([+-][0-9]{{2}})(:?[0-9]{{2}})?$', 1)"
    minutes = f"regexp_replace({text}, '^.*([+-])[0-9]{{2}}:?([0-9]{{2}})$', '\\1\\2')"
    offset = " + ".join(
        f"{factor} * coalesce(try_cast({part} as bigint), 0)"
        for factor, part in ((60, hours), (1, minutes))
    )
    time = f"try_cast(regexp_extract({text}, '^[0-9-]+.[0-9:.]+') as timestamp)"
    return f"{time} - to_minutes({offset})"
