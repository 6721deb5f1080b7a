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
from typing import Final

MAX_EXACT: Final = 1 << 53
"""Up to here a floating-point number holds each integer."""

_PUBLISHED: Final = "%Y-%m-%d %H:%M:%S UTC"
_SECONDS: Final = "%Y-%m-%d %H:%M:%S"
_SECONDS_LENGTH: Final = len("2019-10-01 00:00:00")
# Beyond microseconds there is nothing to keep but zeros.
_TIME: Final = "[0-9]{4}(-[0-9]{2}){2}[ T][0-9]{2}(:[0-9]{2}){2}([.][0-9]{1,6}0{0,3})?"
_OFFSET: Final = " ?[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?"
_ZONE: Final = f"( UTC|Z|{_OFFSET})"
_DOUBLE: Final = "(?i)[+-]?(([0-9]+([.][0-9]*)?|[.][0-9]+)(e[+-]?[0-9]+)?|nan|inf|infinity)"
_WITHOUT_ZONE: Final = re.compile(_TIME)


def lacks_zone(text: str) -> bool:
    """Whether the text is an instant that names no zone."""
    return _WITHOUT_ZONE.fullmatch(text) is not None


def cast(sql_type: str, text: str) -> str:
    """Return the cast of the column `text` that `value` expects."""
    if sql_type == "timestamp":
        return f"try_strptime({text}, '{_PUBLISHED}')"
    return f"try_cast({text} as {sql_type})"


def value(sql_type: str, text: str, cast_text: str, without_zone: str) -> str:
    """Return the value of the column `text`, whose `cast` is the column `cast_text`.

    `without_zone` is the value of an instant without a zone: `utc_time(text)`, or an error. The
    texts of published files come first in each expression, and only others cost more.
    """
    if sql_type == "bigint":
        return (
            f"case when cast({cast_text} as varchar) = {text} then {cast_text}"
            f" when regexp_full_match({text}, '(0|-?[1-9][0-9]*)[.]0+')"
            f" and {cast_text} between -{MAX_EXACT} and {MAX_EXACT} then {cast_text} end"
        )
    if sql_type == "double":
        return f"case when regexp_full_match({text}, '{_DOUBLE}') then {cast_text} end"
    return (
        f"case when strftime({cast_text}, '{_PUBLISHED}') = {text} then {cast_text}"
        f" when regexp_full_match({text}, '{_TIME}{_ZONE}') then {utc_time(text)}"
        f" when regexp_full_match({text}, '{_TIME}') then {without_zone} end"
    )


def utc_time(text: str) -> str:
    """Return the UTC time of an instant, null if its date or its time of day does not exist."""
    seconds = f"replace(left({text}, {_SECONDS_LENGTH}), 'T', ' ')"
    time = f"try_strptime({seconds}, '{_SECONDS}')"
    rest = f"substr({text}, {_SECONDS_LENGTH + 1})"
    decimals = f"rpad(regexp_extract({rest}, '^[.]([0-9]{{1,6}})', 1), 6, '0')"
    hours, minutes = (
        f"coalesce(try_cast(regexp_extract({rest}, '[+-]([0-9]{{2}}):?([0-9]{{2}})?$', {group})"
        " as bigint), 0)"
        for group in (1, 2)
    )
    return (
        f"case when strftime({time}, '{_SECONDS}') = {seconds} then {time}"
        f" + to_microseconds(cast({decimals} as bigint))"
        f" - to_minutes((60 * {hours} + {minutes}) * if(contains({rest}, '-'), -1, 1)) end"
    )
