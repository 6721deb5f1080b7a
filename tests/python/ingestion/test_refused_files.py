"""A file is read right or refused with the reason and the remedy, and nothing of it stays."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pytest

from ecommerce import cli
from ingestion import bronze
from ingestion.csv_records import MAX_LINE_BYTES
from ingestion.event_schema import PUBLISHED_COLUMN_NAMES
from ingestion.file_load import CUT, WITHOUT_PRICE, WITHOUT_ZONE, FileReport, Status, load_file
from ingestion.file_sample import FEW_LINES, HEAD_LINES
from support.dirty_files import HEADER, Lines

QUOTES: Final = '","'
NAMES: Final = list(PUBLISHED_COLUMN_NAMES)


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    # To open one takes as long as to load a file.
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture(params=[False, True], ids=["scan", "reader"])
def load(
    request: pytest.FixtureRequest, database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> Callable[..., FileReport]:
    """Load bytes as a file into an empty bronze layer, by one of the two ways."""
    database.execute(f"drop schema if exists {bronze.SCHEMA} cascade")
    bronze.create_tables(database)

    def load_bytes(content: bytes, name: str = "f.csv") -> FileReport:
        path = tmp_path.resolve() / name
        path.write_bytes(content)
        return load_file(database, path, tolerant=request.param)

    load_bytes.query = lambda sql: database.execute(sql).fetchall()  # type: ignore[attr-defined]
    return load_bytes


def query(load: Callable[..., FileReport], sql: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = load.query(sql)  # type: ignore[attr-defined]
    return rows


def text(*lines: str, header: str = HEADER, end: str = "\n") -> bytes:
    return "".join(line + end for line in (header, *lines)).encode()


def good(number: int = 3) -> list[str]:
    lines = Lines()
    return [lines.line() for _ in range(number)]


def with_each(**changes: str) -> bytes:
    """A file with these values in each line."""
    lines = Lines()
    odd = {name: f'"{value}"' if "," in value else value for name, value in changes.items()}
    return text(*[lines.line(**odd) for _ in range(3)])


def renamed(**names: str) -> bytes:
    return text(*good(), header=",".join(names.get(name, name) for name in NAMES))


def without(name: str) -> bytes:
    position = NAMES.index(name)
    rows = [",".join(v for n, v in enumerate(r.split(",")) if n != position) for r in good()]
    return text(*rows, header=",".join(n for n in NAMES if n != name))


def with_ids(column: str, ids: list[str]) -> bytes:
    lines = Lines()
    return text(*[lines.line(**{column: number}) for number in ids])


def joined_pairs() -> list[str]:
    """Return two lines of two events each."""
    first, second, third, fourth = good(4)
    return [f"{first}\r{second}", f"{third}\r{fourth}"]


def reordered(row: str) -> str:
    """Return a row with product and category, and code and brand, in each other's place."""
    values = row.split(",")
    order = [NAMES.index(name) for name in (*NAMES[:2], "category_id", "product_id", "brand")]
    return ",".join(values[n] for n in [*order, *sorted(set(range(9)) - set(order))])


def noted(rows: list[str], brand: str) -> list[str]:
    """Return rows with a note beside the brand."""
    return [row.replace("samsung", brand) for row in rows]


def moved(row: str, price: str = "2,50") -> str:
    """Return a row with a comma in its price, without quotes."""
    return ",".join([*row.split(",")[:6], price, *row.split(",")[7:]])


# In two ranges with another spacing of floats.
USERS: Final = [510_000_123 + 1_003_001 * number for number in range(80)]
CATEGORIES: Final = [2053013555631882655, 2053013558920217191, 2053013561579406073]

# What is wrong -> the file, and what its refusal says.
REFUSED: Final[dict[str, tuple[bytes, str]]] = {
    "CR alone ends lines": (text(*good(), end="\r"), "line 1 has a CR inside; its lines end in CR"),
    "CR alone without a header": ("\r".join(good()).encode(), "its lines end in CR alone"),
    "CR alone after the header": (
        f"{HEADER}\n".encode() + "\r".join(good()).encode(),
        "a line holds several events: .*; its lines end in CR alone",
    ),
    "LF and CR swapped": (
        text(*good(), end="\n\r"),
        r"lines begin with a CR: `\\r2019-10-01 00:0[23].*; end each with LF or CR LF",
    ),
    "LF and CR swapped far below": (
        text(*good(HEAD_LINES * 20)) + "\n\r".join(good()).encode(),
        r"lines begin with a CR: `\\r2019",
    ),
    "CR CR LF": (text(*good(), end="\r\r\n"), "line 1 has a CR inside; remove it"),
    "vertical tab ends lines": (text(*good(), end="\v"), r"the character U\+000B"),
    "form feed in the header": (renamed(brand="brand\f"), r"the character U\+000C"),
    "record separator in the header": (renamed(brand="br\x1eand"), r"the character U\+001E"),
    "next line in the header": (renamed(brand="brand\x85"), r"the character U\+0085"),
    "line separator in the header": (renamed(brand="brand\u2028"), r"the character U\+2028"),
    "paragraph separator ends lines": (text(*good(), end="\u2029"), r"the character U\+2029"),
    "an event is glued to the header": (
        text(*good(2), header=HEADER + good(1)[0]),
        "the header and an event are one line: `user_session2019-10-01 00:01:00 UTC` is no name",
    ),
    "an event is glued by a comma": (
        text(*good(2), header=f"{HEADER},{good(1)[0]}"),
        "the header and an event are one line: `2019-10-01 00:01:00 UTC`",
    ),
    "an event is glued by a blank": (
        text(*good(2), header=f"{HEADER} {good(1)[0]}"),
        "the header and an event are one line",
    ),
    "an event in seconds is glued": (
        text(header=f"{HEADER},1569888000,view,1004767,2053013555631882655,,,2.5,541312140,x"),
        "the header and an event are one line: `1569888000` is no name",
    ),
    "an event in seconds is glued to the last name": (
        text(*good(2), header=f"{HEADER}1569888000,view,1004767,,,,,,s"),
        "user_session is missing; `user_session1569888000` looks like it",
    ),
    "an event in the basic form of ISO is glued": (
        text(*good(2), header=f"{HEADER},20191001T000000Z,view,abc,def,,,free,me,x"),
        "the header and an event are one line: `20191001T000000Z` is no name",
    ),
    "an event with the day first is glued": (
        text(*good(2), header=f"{HEADER},01.10.2019 00:05,view,abc,def,,,free,me,x"),
        "the header and an event are one line: `01.10.2019 00:05` is no name",
    ),
    "blanks separate the names": (
        text(*good(), header=HEADER.replace(",", "  ")),
        "commas do not separate the names in line 1: `event_time  event_type",
    ),
    "colons separate all fields": (
        text(*good()).replace(b",", b"::"),
        "commas do not separate the names in line 1: `event_time::event_type",
    ),
    "each line is in quotes": (
        text(*[f'"{line}"' for line in good()], header=f'"{HEADER}"'),
        "commas do not separate the names .* quotes around single fields only",
    ),
    "two headers are glued": (text(*good(), header=HEADER + HEADER), "names event_type twice"),
    "a column twice": (text(*good(), header=f"{HEADER},Price"), "the header names price twice"),
    "no end of names": (
        text(*good(), header=HEADER + "".join(f",x{n}" for n in range(200))),
        "the header has 209 fields, 100 at most",
    ),
    "an open quote": (text(*good(), header=HEADER[:-1] + '"'), "line 1 opens a quote"),
    "an open quote at the start": (text(*good(), header='"' + HEADER), "line 1 opens a quote"),
    "quotes inside a name": (
        text(*good(), header=HEADER.replace("brand", 'br"an"d')),
        "line 1 has quotes inside a field",
    ),
    "a name of two lines": (
        text(*good(), header=HEADER.replace("brand", '"brand\nname"')),
        "line 1 opens a quote and does not close it",
    ),
    "a name of two lines that end in CR LF": (
        text(*good(), header=HEADER.replace("brand", '"brand\r\nname"')),
        "line 1 opens a quote and does not close it",
    ),
    "a name that is not UTF-8": (
        renamed(brand="brand~").replace(b"~", b"\xe9", 1),
        "line 1 is not UTF-8 text",
    ),
    "a NUL in a name": (renamed(brand="brand\0"), "line 1 is not UTF-8 text"),
    "two byte-order marks": (
        b"\xef\xbb\xbf" * 2 + text(*good()),
        r"event_time is missing; `\\ufeffevent_time` looks like it",
    ),
    "the first half of the first line is missing": (
        "\n".join([good(1)[0][40:], *good()]).encode(),
        "line 1 is not an event",
    ),
    "a title": (
        text(*good(), header=f"Export of October\n{HEADER}"),
        "put the header in the",
    ),
    "a separator declared": (
        text(*good(), header=f"SEP=;\n{HEADER}"),
        "line 1 is `SEP=;`, which only spreadsheets understand; remove it",
    ),
    "one CR in the header": (renamed(brand="br\rand"), "has a CR inside; remove it, and end lines"),
    "other names": (
        renamed(event_time="timestamp", event_type="event", user_session="session_id"),
        "^event_time is missing; `timestamp` looks like it; event_type is missing; `event` looks"
        " like it; user_session is missing; `session_id` looks like it: name all columns",
    ),
    "names behind that of a table": (
        text(*good(), header=",".join(f"shop.events.{name}" for name in NAMES)),
        "^event_time is missing; `shop.events.event_time` looks like it; event_type is missing",
    ),
    **{
        f"names such as {form.format('price')}": (
            text(*good(), header=",".join(form.format(name) for name in NAMES)),
            f"^event_time is missing; `{re.escape(form.format('event_time'))}` looks like it; event"
            f"_type is missing.*brand is missing; `{re.escape(form.format('brand'))}` looks like",
        )
        for form in ("Query1[{}]", "events:{}", "/shop/events/{}", "shop->events->{}")
    },
    **{
        f"names such as {form.format('price')}": (
            text(*good(), header=",".join(form.format(name) for name in NAMES)),
            "^names in line 1 have more than those of the event columns, such as"
            f" `{re.escape(form.format('event_time'))}`; name the columns event_time,event_type,",
        )
        for form in ("events_{}", "the {} of events", "shop_events_{}_raw")
    },
    "names in brackets": (
        text(*good(), header=",".join(f"[{name}]" for name in NAMES)),
        r"^event_time is missing; `\[event_time\]` looks like it; event_type is missing",
    ),
    "optional columns as analytics call them": (
        renamed(category_code="item_category", brand="item_brand"),
        "category_code is missing; `item_category` looks like it; brand is missing; `item_brand`",
    ),
    "names of another case and separator": (
        renamed(event_time="eventTime", product_id="Product-Id", user_id="User ID"),
        "event_time is missing; `eventTime` looks like it; product_id is missing; `Product-Id` look"
        "s like it; user_id is missing; `User ID` looks like it",
    ),
    "a name with a typing error": (
        renamed(price="prices"),
        "price is missing; `prices` looks like",
    ),
    "no event_time": (without("event_time"), "^event_time is missing: name"),
    "no event_type": (without("event_type"), "^event_type is missing: name"),
    "no product_id": (without("product_id"), "^product_id is missing: name"),
    "no category_id": (without("category_id"), "^category_id is missing: name"),
    "no price": (without("price"), "^price is missing: name"),
    "no user_id": (without("user_id"), "^user_id is missing: name"),
    "no user_session": (without("user_session"), "^user_session is missing: name"),
    "seconds": (with_each(event_time="1569888000"), r"`1569888000` in line 2 \(seconds since 1970"),
    "milliseconds": (with_each(event_time="1569888000123"), r"in line 2 \(milliseconds since 1970"),
    "microseconds": (with_each(event_time="1569888000123456"), "microseconds since 1970"),
    "nanoseconds": (with_each(event_time="1569888000123456789"), "nanoseconds since 1970"),
    "days of a spreadsheet": (with_each(event_time="43739.0034722"), "a spreadsheet's days"),
    "month first": (
        with_each(event_time="10/1/2019 0:05"),
        "event_time cannot be used.*`10",
    ),
    "day first": (with_each(event_time="01.10.2019 00:05:00"), "event_time cannot be used"),
    "without seconds": (with_each(event_time="2019-10-01 00:05"), "event_time cannot be used"),
    "a date": (with_each(event_time="2019-10-01"), "event_time cannot be used"),
    "a named zone": (with_each(event_time="2019-10-01 00:05:00 MSK"), "event_time cannot be used"),
    "a time long ago": (
        with_each(event_time="1970-01-19 04:04:48 UTC"),
        "or not from 2019-01-01 to tomorrow",
    ),
    "a time far ahead": (
        with_each(event_time="2999-01-01T00:00:00Z"),
        "or not from 2019-01-01 to tomorrow",
    ),
    "a decimal comma": (
        with_each(price="35,79"),
        "price cannot be used, such as `35,79`",
    ),
    "a decimal comma, without quotes": (
        text(*[line.replace(".82", ",82") for line in good()]),
        "line 2 cannot be split into 9 fields: .*; it has 10, so quote commas",
    ),
    "a currency": (with_each(price="$35.79"), r"price cannot be used, such as `\$35.79` in line 2"),
    "a currency behind": (with_each(price="35.79 EUR"), "price cannot be used"),
    "thousands": (with_each(price="1,235.79"), "price cannot be used, such as `1,235.79`"),
    "negative prices": (with_each(price="-1.00"), "price cannot be used"),
    "not a number": (with_each(price="NaN"), "price cannot be used"),
    "no price at all": (with_each(price=""), "price is empty in line 2"),
    "scientific ids": (
        with_each(category_id="2.05301E+18"),
        r"category_id cannot be used, such as `2.05301E\+18` in line 2 \(rounded by a spreadsheet",
    ),
    "floating-point ids": (with_each(category_id="2053013555631882752.0"), "rounded by a spread"),
    "ids with separators": (with_each(user_id="541,312,140"), "user_id cannot be used"),
    "ids with blanks": (with_each(product_id=" 1004767"), "product_id cannot be used"),
    "ids with a sign": (with_each(user_id="+541312140"), r"`\+541312140` in line 2 \(with a sign"),
    "ids with leading zeros": (with_each(product_id="0001004767"), r"\(with a leading zero\)"),
    "ids of 64 bits without a sign": (
        with_each(category_id="18446744073709551615"),
        r"in line 2 \(above 9223372036854775807\)",
    ),
    "ids as formulas": (
        text(*[line.replace("1004767", '"=""1004767"""') for line in good()]),
        r"`=\"1004767\"` in line 2 \(as a spreadsheet's text\)",
    ),
    "a NUL in each line": (
        text(*[line + ",a\0b" for line in good()], header=f"{HEADER},note"),
        "line 2 cannot be split into 10 fields: .*; it has a NUL byte",
    ),
    "negative ids": (with_each(user_id="-5"), "user_id cannot be used"),
    "ids with 15 digits": (
        with_ids("category_id", [str(number // 10_000 * 10_000) for number in CATEGORIES]),
        "category_id cannot be used, such as `2053013555631880000` in line 2 .*like most of them",
    ),
    "nearly all ids with 15 digits": (
        with_ids("category_id", [str(n // 10_000 * 10_000) for n in CATEGORIES] + ["205301"]),
        "digits are lost",
    ),
    "most ids with 15 digits": (
        with_ids(
            "category_id",
            [*[str((n + 10**5) // 10_000 * 10_000) for n in CATEGORIES], *map(str, CATEGORIES[:2])],
        ),
        "such as `2053013555631980000` in line 2",
    ),
    "ids with decimals": (
        with_each(category_id="2053013555631882655.000000000"),
        r"in line 2 \(with decimals\); write integers above 0, without blanks, separators or deci",
    ),
    "ids as a short float holds them": (
        with_ids("category_id", ["2053013608941486080", "2053015258208927744"]),
        "digits are lost",
    ),
    "one id with 15 digits": (with_ids("category_id", ["2053013555631880000"]), "digits are lost"),
    "ids as a float is written": (
        with_ids("category_id", [str(int(float(number)) // 100 * 100) for number in CATEGORIES]),
        "digits are lost",
    ),
    "ids as a float of 32 bits holds them": (
        with_ids("user_id", [str(int(np.float32(number))) for number in USERS]),
        r"user_id cannot be used, such as `510000128` .rounded to a floating-point number of 32",
    ),
    "ids as a data frame writes a float of 32 bits": (
        with_ids("user_id", [f"{np.format_float_positional(np.float32(n))}00" for n in USERS]),
        "user_id cannot be used, such as `510000130.00` .rounded to a floating-point number of 3",
    ),
    "ids as a float of 32 bits holds them, in a long file": (
        with_ids("user_id", [str(int(np.float32(510_000_123 + 10_001 * n))) for n in range(4000)]),
        "user_id cannot be used, such as",
    ),
    "ids as a float holds them": (
        with_ids("category_id", [str(int(float(number))) for number in CATEGORIES]),
        "digits are lost",
    ),
    "swapped price and user": (
        text(*good(), header=HEADER.replace("price,user_id", "user_id,price")),
        "user_id cannot be used, such as `254.82`",
    ),
    "swapped brand and type": (
        text(
            *good(),
            header="event_time,brand,product_id,category_id,category_code,event_type,"
            "price,user_id,user_session",
        ),
        "event_type cannot be used, such as `samsung` in line 2; use view, cart, remove_from_cart",
    ),
    "other event types": (with_each(event_type="pageview"), "event_type cannot be used"),
    "no session": (with_each(user_session=" "), "user_session cannot be used"),
    "a word for no session": (with_each(user_session=" NaN\u2003"), "user_session cannot be used"),
    "zeros for no session": (
        with_each(user_session="00000000-0000-0000-0000-000000000000"),
        "user_session cannot be used",
    ),
    "a word of analytics for no session": (
        with_each(user_session=" (Not Provided)"),
        "user_session cannot be used",
    ),
    "an abbreviation for no session": (with_each(user_session="N.A."), "user_session cannot be"),
    "sessions that a spreadsheet has rounded": (
        with_each(user_session="1.56989E+17"),
        r"user_session cannot be used, such as `1.56989E\+17` in line 2 .rounded.*digits are lost",
    ),
    "sessions that a spreadsheet with a decimal comma has rounded": (
        with_each(user_session="1,56989E+17"),
        r"user_session cannot be used, such as `1,56989E\+17` in line 2 .rounded.*digits are lost",
    ),
    "a name of rows, of which the header knows nothing": (
        text(*[f"{number},{line}" for number, line in enumerate(good())]),
        "line 2 cannot be split into 9 fields: .*; it has 10",
    ),
    "quoted fields, and too many": (
        text(*[f'"{line.replace(",", QUOTES)}","x"' for line in good()]),
        "line 2 cannot be split into 9 fields: .*; it has 10, so quote commas inside fields, or na",
    ),
    "a quoted comma, and too few": (
        text(*[line[:99].replace("samsung", '"a, b"') for line in good()]),
        "line 2 cannot be split into 9 fields: .*; it has 8, so complete the lines",
    ),
    "a line end inside each note": (
        text(*[f'{line},"two\nlines"' for line in good()], header=f"{HEADER},note"),
        "line 2 cannot be split into 10 fields: .*; it opens a quote and does not close it, so clo",
    ),
    "rows with another separator than the header": (
        text(*[line.replace(",", ";").replace(".82", ",82") for line in good()]),
        "line 2 cannot be split into 9 fields: .*; it is separated by `;`, so write it with commas",
    ),
    "quotes around each row": (
        text(*[f'"{line}"' for line in good()]),
        "line 2 cannot be split into 9 fields: .*; quotes enclose the whole line, so quote single",
    ),
    "a comma in a brand moves values into a note": (
        text(*[row.replace("samsung", "a,b") for row in good()], header=f"{HEADER},note"),
        "a comma inside a field before price in line 2 moves what follows: price is `b`, and the",
    ),
    "quotes behind backslashes": (
        text(*[line.replace("samsung", r'"a \"b\""') for line in good()]),
        "line 2 cannot be split into 9 fields: .*; quote whole fields, and double a quote inside",
    ),
    "not UTF-8": (
        text(*good()).replace(b"samsung", b"\xe9"),
        "line 2 cannot be split into 9 fields: .*; convert the file to UTF-8",
    ),
    "nothing but halves of lines": (
        text(*[line[:50] for line in good()]),
        "line 2 cannot be split into 9 fields",
    ),
    "a further header with its columns in another order": (
        text(*good(), reordered(HEADER), *map(reordered, good())),
        "a further header has other columns, or another order of them: `event_time,.*first line",
    ),
    "a further header with other columns, in quotes": (
        text(*good(), ",".join(f'"{name.upper()}"' for name in [*NAMES[:5], *NAMES[6:]])),
        "a further header has other columns",
    ),
    "a further header with an additional column": (
        text(*good(), f"{HEADER},note", *[f"{row},x" for row in good()]),
        "a further header has other columns, or another order",
    ),
    "a further header with a note in the place of the brand": (
        text(
            *noted(good(), "samsung,x"),
            *[HEADER.replace("brand", "note,brand"), *noted(good(), "x,samsung")],
            header=HEADER.replace("brand", "brand,note"),
        ),
        "a further header has other columns, or another order",
    ),
    "a sorted file whose header has come last": (
        "\n".join([*map(reordered, good()), reordered(HEADER)]).encode(),
        "cannot be used|a further header has other columns",
    ),
    "a further header far below": (
        text(*good(HEAD_LINES * 20), reordered(HEADER), *good(HEAD_LINES * 10)),
        "a further header has other columns",
    ),
    **{
        f"a further header with {separator!r} between its names": (
            text(*good(HEAD_LINES * 20), *[r.replace(",", separator) for r in (HEADER, *good())]),
            "a further header has other separators than commas: `event_time.*write that with comma",
        )
        for separator in ";\t|"
    },
    **{
        f"a part in {encoding}": (
            text(*good(HEAD_LINES * 20)) + "\r\n".join(good()).encode(encoding),
            "a part of it is UTF-16 text: `.*; save that part as UTF-8, and join the files again",
        )
        for encoding in ("utf-16-le", "utf-16-be", "utf-16")
    },
    **{
        f"a part that has not arrived, {place}": (
            text(*good(HEAD_LINES * 20)) + bytes(4096) + rest,
            "a part of it is zero bytes, as in an unfinished download; copy the file again",
        )
        for place, rest in (("at the end", b""), ("in the middle", text(*good(HEAD_LINES))[150:]))
    },
    "a part that has not arrived, of several blocks": (
        text(*good())[:-9] + bytes(3 << 20) + text(*good())[200:],
        "a part of it is zero bytes, as in an unfinished download; copy the file again",
    ),
    "CR ends the last lines": (
        text(*good(), "\r".join(good())),
        "a line holds several events: `2019-10-01 .*; its lines end in CR alone",
    ),
    "CR ends two lines far below": (
        text(*good(HEAD_LINES * 20), *joined_pairs(), *good(HEAD_LINES * 10)),
        "a line holds several events: .*; remove it, and end lines with LF",
    ),
    "a line separator ends lines": (
        text(*good(), "\u2028".join(good())),
        "a line holds several events: .*; end each with LF",
    ),
    "a decimal comma moves values into a column without a name": (
        text(*[moved(row) for row in good()], header=f"{HEADER},"),
        "price cannot be used, such as `2,50` in line 2 .a comma inside it moves what follows",
    ),
    "a decimal comma in one row moves values into a note": (
        text(*good(), *map(moved, good(1)), *good(), header=f"{HEADER},note"),
        "price cannot be used, such as `2,50` in line 5",
    ),
    "a thousands comma far below moves values": (
        text(
            *good(HEAD_LINES * 2),
            *[moved(row, "1,590.00") for row in good(500)],
            *good(HEAD_LINES * 2),
            header=f"{HEADER},",
        ),
        "price cannot be used, such as `1,590.00` further down",
    ),
    "a decimal comma in a price at the end": (
        text(
            "2019-10-01 00:00:00 UTC,view,1004767,2053013555631882655,,,541312140,s,35,79",
            header="event_time,event_type,product_id,category_id,category_code,brand,user_id,"
            "user_session,price,",
        ),
        "price cannot be used, such as `35,79` in line 2",
    ),
    "category ids above a bigint": (
        with_each(category_id="9300000000000000001"),
        "category_id cannot be used, .*above 9223372036854775807",
    ),
    "an optional column in another case": (
        renamed(category_code="categoryCode", brand="Brand Name"),
        "category_code is missing; `categoryCode` looks like it; brand is missing; `Brand Name`",
    ),
    "an optional column with a misspelled name": (
        renamed(category_code="category_kode"),
        "category_code is missing; `category_kode` looks like it",
    ),
    "an optional column behind a character that prints nothing": (
        renamed(brand="\u200bbrand"),
        "brand is missing; .* looks like it",
    ),
    "an only event behind a byte-order mark": (
        f"{HEADER}\n\ufeff{good(1)[0]}\n".encode(),
        "event_time cannot be used, such as `.*2019-10-01",
    ),
    "each line for another reason": (
        text(
            Lines().line(price="free"),
            Lines().line(price="gratis"),
            Lines().line(event_time="soon"),
        ),
        "^price cannot be used, such as `free` in line 2; .*event_time .*`soon` in line 4",
    ),
}


# What is refused is refused before the two ways part.
@pytest.mark.parametrize("load", [False], indirect=True, ids=["scan"])
@pytest.mark.parametrize("kind", REFUSED)
def test_a_file_that_reads_wrong_is_refused(kind: str, load: Callable[..., FileReport]) -> None:
    content, message = REFUSED[kind]
    report = load(content)
    assert report.status is Status.REFUSED, report
    assert_matches(message, report.message)
    assert query(load, f"select count(*) from {bronze.EVENTS}") == [(0,)]
    assert query(load, f"select count(*) from {bronze.LEDGER}") == [(0,)]
    corrected = load(text(*good()))
    assert (corrected.status, corrected.rows) == (Status.LOADED, 3)


@pytest.mark.parametrize("load", [False], indirect=True, ids=["scan"])
def test_an_endless_line_of_events_is_refused(load: Callable[..., FileReport]) -> None:
    line = good(1)[0].encode() + b"\r"
    report = load(line * (MAX_LINE_BYTES // len(line) + 2))
    assert report.status is Status.REFUSED
    assert_matches("longer than .* bytes; its lines end in CR alone", report.message)


@pytest.mark.parametrize("load", [False], indirect=True, ids=["scan"])
def test_the_zeros_of_a_file_that_never_came_are_named(load: Callable[..., FileReport]) -> None:
    zeros = bytes(MAX_LINE_BYTES + 1)
    for content, name in (
        (zeros[:9], "f.csv"),
        (zeros, "f.csv"),
        (gzip.compress(zeros), "f.csv.gz"),
    ):
        report = load(content, name)
        assert report.status is Status.REFUSED
        assert_matches("begins with zero bytes only, as an unfini.* does; copy", report.message)
    report = load(text(*good())[:-30] + zeros)
    assert report.status is Status.REFUSED
    assert_matches("a line is longer than .* it is zero bytes, as in an unf.*copy", report.message)
    assert query(load, f"select count(*) from {bronze.LEDGER}") == [(0,)]


def assert_matches(pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=pattern):
        raise ValueError(message)
    assert message.isprintable(), "one line, which no terminal obeys"


EMPTY: Final = {
    "nothing": b"",
    "a byte-order mark": b"\xef\xbb\xbf",
    "blank lines": b"\n \t\r\n\n\v\f\n",
    "a header": text(),
    "a header without a line end": HEADER.encode(),
    "a header and blank lines": text("", "  ", "\t"),
    "two headers": text(HEADER + "\r"),
    "a quoted header": text(header=",".join(f'"{name}"' for name in NAMES)),
}


@pytest.mark.parametrize("kind", EMPTY)
@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_a_file_without_a_row_is_not_loaded(
    kind: str, suffix: str, load: Callable[..., FileReport]
) -> None:
    stored = gzip.compress(EMPTY[kind]) if suffix == "csv.gz" else EMPTY[kind]
    report = load(stored, f"f.{suffix}")
    assert report.status is Status.EMPTY, report
    assert report.message in ("has no line yet", "has a header and no line of data yet")
    assert query(load, f"select count(*) from {bronze.LEDGER}") == [(0,)]


def numbered(*, header: str, first: int = 0) -> bytes:
    return text(*[f"{n},{line}" for n, line in enumerate(good(), first)], header=header)


NOTED_HEADER: Final = HEADER.replace("brand", 'brand,"x,y",X,x')

# The file -> how many rows it has, and their values in additional columns.
READ: Final[dict[str, tuple[bytes, list[str | None]]]] = {
    "an index without a name": (
        numbered(header=f",{HEADER}"),
        ['{"_c0":"0"}', '{"_c0":"1"}', '{"_c0":"2"}'],
    ),
    "an index of pandas": (
        numbered(header=f"Unnamed: 0,{HEADER}", first=1),
        ['{"Unnamed: 0":"1"}', '{"Unnamed: 0":"2"}', '{"Unnamed: 0":"3"}'],
    ),
    "a quoted index of R": (
        text(
            *[f'"{number}",{line}' for number, line in enumerate(good(1))],
            header=",".join(f'"{name}"' for name in ["", *NAMES]),
        ),
        ['{"_c0":"0"}'],
    ),
    "two additional columns, one with the name of the other's place": (
        text(good(1)[0] + ",a,b", header=f"{HEADER},_c10,"),
        ['{"_c10":"a","_c10_":"b"}'],
    ),
    "an additional column with the key of malformed lines": (
        text(good(1)[0] + ",a", header=f"{HEADER},_line"),
        ['{"_c9":"a"}'],
    ),
    "a comma at the end of each row": (text(*[f"{line}," for line in good()]), [None] * 3),
    "three commas at the end of each row": (text(*[f"{line},,," for line in good()]), [None] * 3),
    "a comma at the end of the header alone": (text(*good(), header=HEADER + ","), [None] * 3),
    "a comma at the end of most rows": (
        text(*[f"{line}," for line in good(3)], *good(1)),
        [None] * 4,
    ),
    "commas at the end of few rows": (text(*good(3), *[f"{r},,," for r in good(2)]), [None] * 5),
    "a note in few rows": (
        text(
            *[row + end for row, end in zip(good(4), ["", "", ",a", ","], strict=True)],
            header=f"{HEADER},note",
        ),
        [None, None, '{"note":"a"}', None],
    ),
    "quotes in rows without the last comma": (
        text(*[r.replace("samsung", '"s, t"') for r in good(2)], header=f"{HEADER},note,more"),
        [None] * 2,
    ),
    "a comma at the end of each row and of the header": (
        text(*[f"{line}," for line in good()], header=HEADER + ","),
        [None] * 3,
    ),
    "a header in quotes, upper case and blanks": (
        text(*good(), header=",".join(f'" {name.upper()} "' for name in NAMES)),
        [None] * 3,
    ),
    "a header with odd blanks around some names": (
        text(*good(), header=HEADER.replace("price", "\tprice\u3000") + "\xa0"),
        [None] * 3,
    ),
    "no category code": (without("category_code"), [None] * 3),
    "sessions with numbers and a note": (
        text(
            *[",".join([*row.split(",")[:8], f"{n},checked"]) for n, row in enumerate(good(), 9)],
            header=f"{HEADER},note",
        ),
        ['{"note":"checked"}'] * 3,
    ),
    "a count behind the price whose name begins as that of an unnamed column": (
        text(
            *[",".join([*row.split(",")[:6], "35,9", *row.split(",")[7:]]) for row in good()],
            header=HEADER.replace("price,", "price,_count,"),
        ),
        ['{"_count":"9"}'] * 3,
    ),
    "sessions with numbers before a column of events and a note": (
        text(
            *[
                ",".join([*row.split(",")[:5], "35,12", f"{number},samsung,checked"])
                for number, row in enumerate(good(), 9)
            ],
            header="event_time,event_type,product_id,category_id,category_code,price,user_id,"
            "user_session,brand,note",
        ),
        ['{"note":"checked"}'] * 3,
    ),
    "a brand with a CR in quotes": (
        text(*[row.replace(",samsung,", ',"sam\rsung",') for row in good()]),
        [None] * 3,
    ),
    "no brand": (without("brand"), [None] * 3),
    "a repeated header with names that differ in case, and one with a comma": (
        text(
            *noted(good(1), 'samsung,"a,b",c,d'),
            *[NOTED_HEADER, *noted(good(1), 'samsung,"a,b",c,d')],
            header=NOTED_HEADER,
        ),
        ['{"x,y":"a,b","X":"c","x":"d"}'] * 2,
    ),
    "a note that lists columns": (
        text(f'{good(1)[0]},"{",".join(NAMES[:6])}"', header=f"{HEADER},note"),
        [f'{{"note":"{",".join(NAMES[:6])}"}}'],
    ),
    "a page break below each row": (text(*[f"{row}\n\f" for row in good(9)]), [None] * 9),
    "another brand than that of the product": (
        text(*good(1), header=HEADER.replace("brand", "house/brand")),
        ['{"house/brand":"samsung"}'],
    ),
    "a session that may be rounded among others": (
        text(*good(), Lines().line(user_session="1.56989E+17")),
        [None] * 4,
    ),
    "sessions with an E": (with_each(user_session="1569E17"), [None] * 3),
    "blank lines before the header": (text(*good(), header=f"\n \r\n{HEADER}"), [None] * 3),
    "a category that is a float by chance": (
        with_ids("category_id", ["2053013555631882752", "2053013558920217191"]),
        [None] * 2,
    ),
    "ids that a service numbers by 2^22": (
        with_ids("user_id", [str(n << 22) for n in range(2**40, 2**40 + 9)]),
        [None] * 9,
    ),
}


@pytest.mark.parametrize("kind", READ)
def test_a_file_that_reads_right_is_loaded(kind: str, load: Callable[..., FileReport]) -> None:
    content, rescued = READ[kind]
    report = load(content)
    assert (report.status, report.rows, report.note) == (Status.LOADED, len(rescued), "")
    sql = "select count(*), count({}) from " + bronze.EVENTS
    for name in (*NAMES[:4], "price", "user_id", "user_session"):
        assert query(load, sql.format(name)) == [(len(rescued), len(rescued))], name
    found = query(load, f"select _rescued_data from {bronze.EVENTS} order by event_time")
    assert [row[0] for row in found] == rescued


QUOTED_HEADER: Final = ",".join(f'"{name}"' for name in NAMES)

# Files of three good lines and one more, which is a row with rescued data.
QUOTED_LINE: Final = '"' + good(1)[0].replace(",", '","') + '"'
JOINED: Final = {
    "a second header": text(HEADER, *good()),
    "a header in the middle": text(*good(1), HEADER, *good(2)),
    "a header of another line end": text(*good(1), f"{HEADER}\r", *good(2)),
    "a header without a line end": text(*good()) + HEADER.encode(),
    "a header after a byte-order mark": text(*good(1)) + b"\xef\xbb\xbf" + text(*good(2)),
    "quoted fields": text(QUOTED_LINE, HEADER, *good(2)),
}


@pytest.mark.parametrize("kind", JOINED)
def test_a_repeated_header_is_no_data_line(kind: str, load: Callable[..., FileReport]) -> None:
    report = load(JOINED[kind])
    assert (report.status, report.rows, report.rows_with_rescued_data) == (Status.LOADED, 3, 0)


ONE_BAD: Final = {
    "a quoted header in the middle": text(*good(1), QUOTED_HEADER, *good(2)),
    "a header at the end": "\n".join([*good(), HEADER]).encode(),
    "a byte-order mark in the middle": text(*good(3)) + f"\ufeff{good(1)[0]}".encode(),
    "the end of a DOS file": text(*good()) + b"\x1a",
    "NULs at the end": text(*good()) + b"\0" * 50,
    "the first half of a file": text(*good(4))[:-60],
    "two lines glued": text(*good(3), good(1)[0] + good(1)[0]),
    "a line separator for a line end": text(*good(3), good(1)[0] + "\u2028" + good(1)[0]),
    "the words of an error": text(*good(), good(1)[0] + '"unexpected text: "x'),
    "another header end": HEADER.encode() + b"\r\n" + "\n".join([*good(), "x"]).encode(),
}


@pytest.mark.parametrize("kind", ONE_BAD)
def test_a_bad_line_is_a_row(kind: str, load: Callable[..., FileReport]) -> None:
    report = load(ONE_BAD[kind])
    assert (report.status, report.rows, report.rows_with_rescued_data) == (Status.LOADED, 4, 1)


def test_a_row_of_more_fields_does_not_shift_columns(load: Callable[..., FileReport]) -> None:
    # Without its quotes, 254,82 would make 82 the user.
    shifted = good(1)[0].replace(".82", ",82") + ","
    report = load(text(*good(), shifted, good(1)[0] + ","))
    assert (report.status, report.rows, report.rows_with_rescued_data) == (Status.LOADED, 5, 2)


@pytest.mark.parametrize("place", [HEAD_LINES // 2, HEAD_LINES + 550, 3 * HEAD_LINES])
def test_one_clean_event_in_the_sample_is_enough(
    place: int, load: Callable[..., FileReport]
) -> None:
    lines = Lines()
    rows = [lines.line(price="free") for _ in range(3 * HEAD_LINES + 1)]
    # A piece of the sample begins in the middle of a file, which is smaller than a block.
    rows[place] = lines.line()
    report = load(text(*rows))
    in_sample = place != 3 * HEAD_LINES
    assert report.status is (Status.LOADED if in_sample else Status.REFUSED)


@pytest.mark.parametrize("whole", [FEW_LINES, HEAD_LINES, 5 * HEAD_LINES])
def test_rounded_ids_further_down_are_refused(whole: int, load: Callable[..., FileReport]) -> None:
    lines = Lines()
    ids = [CATEGORIES[0] + 1_234_567_891 * number for number in range(7)]
    rows = [lines.line() for _ in range(whole)]
    rows += [lines.line(category_id=str(ids[n % 7] // 10_000 * 10_000)) for n in range(2 * whole)]
    report = load(text(*rows))
    assert report.status is Status.REFUSED
    assert_matches("category_id cannot be used, .* further down .*digits are lost", report.message)
    assert query(load, f"select count(*) from {bronze.LEDGER}") == [(0,)]


def test_whole_ids_further_down_are_loaded(load: Callable[..., FileReport]) -> None:
    lines = Lines()
    ids = [CATEGORIES[0] + 1_234_567_891 * number for number in range(7)]
    # One of them ends in zeros by chance.
    ids[3] = ids[3] // 10_000 * 10_000
    rows = [lines.line(category_id=str(ids[n % 7])) for n in range(3 * HEAD_LINES)]
    assert load(text(*[lines.line() for _ in range(FEW_LINES)], *rows)).status is Status.LOADED


@pytest.mark.parametrize(
    "ids",
    [
        [int(np.float32(number)) for number in USERS[:5]],
        [*(int(np.float32(number)) for number in USERS), USERS[7]],
        range(16_777_216, 33_554_432, 100_002),
        range(300_000_000, 400_000_000, 100_010),
        range(300_000_000, 400_000_000, 1_000_100),
        range(1_000_000, 2_000_000, 10_000),
        range(9_000_000_000, 9_100_000_000, 1_001_000),
        [541_312_128] * 60,
    ],
    ids=["few", "one is whole", "even", "tens", "hundreds", "small", "thousands", "one user"],
)
def test_ids_that_a_float_of_32_bits_may_hold_by_design_are_read(
    ids: Iterable[int], load: Callable[..., FileReport]
) -> None:
    report = load(with_ids("user_id", [str(number) for number in ids]))
    assert (report.status, report.rows_with_rescued_data) == (Status.LOADED, 0), report


ZONES: Final = [" UTC", "Z", "+00:00", " +00:00", "-00"]


@pytest.mark.parametrize("zone", ["", *ZONES])
def test_a_missing_zone_is_noted_once_a_file(zone: str, load: Callable[..., FileReport]) -> None:
    report = load(with_each(event_time=f"2019-10-01T00:05:00{zone}"))
    assert report.note == ("" if zone else WITHOUT_ZONE)
    times = query(load, f"select distinct event_time from {bronze.EVENTS}")
    assert times == [(datetime(2019, 10, 1, 0, 5),)]


@pytest.mark.parametrize("zone", ["", " UTC"])
def test_a_file_without_a_price_above_0_is_noted(
    zone: str, load: Callable[..., FileReport]
) -> None:
    report = load(with_each(price="0.00", event_time=f"2019-10-01 00:05:00{zone}"))
    noted = "" if zone else f"{WITHOUT_ZONE}; "
    assert (report.status, report.note) == (Status.LOADED, f"{noted}{WITHOUT_PRICE}")
    assert load(with_each(price="0.01"), "priced.csv").note == ""


@pytest.mark.parametrize(
    ("end", "is_noted"),
    [
        (0, False),
        (1, True),
        (20, True),
        (35, True),
        (36, True),
        (37, True),
        (60, True),
        (len(good(1)[0]), False),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
def test_a_file_that_ends_within_an_event_is_noted(
    end: int, is_noted: bool, suffix: str, load: Callable[..., FileReport]
) -> None:
    content = text(*good(5))[: -1 - end]
    stored = gzip.compress(content) if suffix == "csv.gz" else content
    report = load(stored, f"f.{suffix}")
    assert (report.status, report.note) == (Status.LOADED, CUT if is_noted else "")
    assert load(text(*good(5)), "whole.csv").note == ""


@pytest.mark.parametrize(
    "end",
    [
        *("\x1a", " ", HEADER, QUOTED_LINE, good(1)[0] + "\r"),
        *("\ufeff", "\ufeff \x1a", f"\ufeff{QUOTED_LINE}"),
    ],
)
def test_a_last_line_without_a_line_end_may_be_whole(
    end: str, load: Callable[..., FileReport]
) -> None:
    assert load(text(*good(5)) + end.encode()).note == ""


def test_a_short_session_at_the_end_is_whole_among_others(load: Callable[..., FileReport]) -> None:
    assert load(with_each(user_session="4d3b30da")[:-1]).note == ""


def test_one_missing_zone_at_the_end_is_noted(load: Callable[..., FileReport]) -> None:
    lines = Lines()
    rows = [lines.line() for _ in range(2 * HEAD_LINES)]
    report = load(text(*rows, lines.line(event_time="2019-10-01 00:05:00")))
    assert (report.status, report.rows, report.note) == (
        Status.LOADED,
        len(rows) + 1,
        WITHOUT_ZONE,
    )
    assert query(load, f"select count(event_time) from {bronze.EVENTS}") == [(len(rows) + 1,)]
    # The rows of the first attempt are gone.
    assert query(load, f"select count(distinct user_id) from {bronze.EVENTS}") == [(len(rows) + 1,)]


def test_the_time_zone_of_the_session_changes_nothing(load: Callable[..., FileReport]) -> None:
    query(load, "set timezone = 'America/New_York'")
    load(with_each(event_time="2019-10-01 00:05:00+02:00"))
    assert query(load, f"select max(event_time) from {bronze.EVENTS}") == [
        (datetime(2019, 9, 30, 22, 5),)
    ]


def test_a_folder_of_them_ends_with_one_line_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECOMMERCE_HOME", str(tmp_path / "home"))
    contents = [content for content, _ in REFUSED.values()] + list(EMPTY.values())
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.csv").write_bytes(content)
    assert cli.main(["load", "--data", str(tmp_path)]) == 2
    output, errors = capfd.readouterr()
    lines = (output + errors).splitlines()
    for number in range(len(contents)):
        [_] = [line for line in lines if f"/{number}.csv" in line]
    assert all(line.isprintable() for line in lines)
    assert "Traceback" not in errors
