"""Malformed lines of every kind that a CSV file can contain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

Fields = list[bytes]
TIME, TYPE, PRODUCT, CATEGORY, CODE, BRAND, PRICE, USER, SESSION = range(9)


def _set(column: int, value: bytes) -> Callable[[Fields], bytes]:
    def spoiled(fields: Fields) -> bytes:
        return b",".join([*fields[:column], value, *fields[column + 1 :]])

    return spoiled


def _upper_and_padded(fields: Fields) -> bytes:
    spoiled = list(fields)
    spoiled[TYPE] = b" " + fields[TYPE].upper() + b" "
    spoiled[CODE] = fields[CODE].upper()
    spoiled[BRAND] = b"  " + fields[BRAND].upper()
    return b",".join(spoiled)


def _zero_price_purchase(fields: Fields) -> bytes:
    return b",".join([*fields[:TYPE], b"purchase", *fields[PRODUCT:PRICE], b"0.00", *fields[USER:]])


# Each kind leaves the line one record of the file.
KINDS: Final[dict[str, Callable[[Fields], bytes]]] = {
    "too_few_fields": lambda fields: b",".join(fields[:5]),
    "too_many_fields": lambda fields: b",".join([*fields, b"extra", b"fields"]),
    "text_product_id": _set(PRODUCT, b"unknown"),
    "decimal_user_id": _set(USER, b"512345678.5"),
    "product_id_beyond_bigint": _set(PRODUCT, b"92233720368547758080"),
    "zero_product_id": _set(PRODUCT, b"0"),
    "negative_user_id": _set(USER, b"-512345678"),
    "nan_price": _set(PRICE, b"nan"),
    "infinite_price": _set(PRICE, b"inf"),
    "overflowing_price": _set(PRICE, b"1e400"),
    "negative_price": _set(PRICE, b"-9.99"),
    "text_price": _set(PRICE, b"free"),
    "zero_price_purchase": _zero_price_purchase,
    "impossible_time": _set(TIME, b"2019-13-45 25:61:61 UTC"),
    "other_time_format": _set(TIME, b"01/10/2019 12:00"),
    "time_long_ago": _set(TIME, b"1970-01-01 00:00:00 UTC"),
    "time_far_ahead": _set(TIME, b"2999-12-31 23:59:59 UTC"),
    "unknown_event_type": _set(TYPE, b"teleport"),
    "empty_event_time": _set(TIME, b""),
    "empty_event_type": _set(TYPE, b""),
    "empty_product_id": _set(PRODUCT, b""),
    "empty_category_id": _set(CATEGORY, b""),
    "empty_price": _set(PRICE, b""),
    "empty_user_id": _set(USER, b""),
    "empty_user_session": _set(SESSION, b""),
    "invalid_utf8": _set(BRAND, b"caf\xe9\xff"),
    "stray_quote": _set(BRAND, b'"samsung'),
    "quoted_comma": _set(BRAND, b'"black, decker"'),
    "quoted_newline": _set(BRAND, b'"black\ndecker"'),
    "upper_case_and_padded": _upper_and_padded,
    "garbage": lambda fields: b"\x01\x02 %%% not an event %%%",
}


def spoil(lines: bytes, share: float, rng: np.random.Generator) -> bytes:
    """Replace about `share` of the LF-ended lines by malformed ones, each of a random kind."""
    ends = np.flatnonzero(np.frombuffer(lines, dtype=np.uint8) == ord("\n"))
    chosen = np.flatnonzero(rng.random(len(ends)) < share)
    kinds = list(KINDS.values())
    parts = []
    kept = 0
    for line, kind in zip(chosen, rng.integers(0, len(kinds), len(chosen)), strict=True):
        start = int(ends[line - 1]) + 1 if line else 0
        end = int(ends[line])
        parts += [lines[kept:start], kinds[kind](lines[start:end].split(b","))]
        kept = end
    return b"".join([*parts, lines[kept:]])
