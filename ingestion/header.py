r"""The first record of a landed file: a header of one physical line, or an event.

A header names each required column once; case and surrounding blanks do not matter. A column under
another name is not guessed, but the error says which name looks like it. What else a first line can
hold (events that lost their line end, line separators that end no line, an open quote) is refused,
because events that a header swallows would be missing without a trace.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Final

from ingestion.csv_records import Record, cr_remedy, printable
from ingestion.event_schema import EVENT_COLUMN_NAMES, REQUIRED_COLUMN_NAMES
from ingestion.landing_files import PUBLISHED_LAYOUT, Layout

MAX_NAMES: Final = 100
"""The widest export of click streams that we know has 40 columns."""

# What other trackers call the columns, without case and punctuation.
_ALIASES: Final = {
    "event_time": "timestamp eventtimestamp time datetime date ts createdat occurredat",
    "event_type": "event eventname type action activity behavior",
    "product_id": "product productcode item itemid sku article articleid",
    "category_id": "category cat catid categorynumber",
    "price": "amount value cost unitprice productprice itemprice revenue",
    "user_id": "user uid customer customerid visitor visitorid client clientid shopperid",
    "user_session": "session sessionid sessionkey sessiontoken usersessionid visit visitid",
    "category_code": "category categoryname categorypath itemcategory productcategory",
    "brand": "brandname manufacturer itembrand productbrand",
}
_SHOWN_CHARACTERS: Final = 60
# They end a line for some programs, and none for this reader.
_SEPARATORS: Final = "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
LINE_ENDS: Final = re.compile(f"[{_SEPARATORS}]")
"""What ends a line for some program."""
_INSTANT: Final = re.compile(
    r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}[ T][0-9]{1,2}:[0-9]{2}|[0-9]{8}T[0-9]{4}"
)
UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# A column that the header does not name, as `unique_names` calls it.
UNNAMED: Final = re.compile("_c[0-9]+_*")
_PARTS_OF_NAME: Final = re.compile(r"[][(){}.:/\\|!]+|->")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?(e[+-]?[0-9]+)?", re.IGNORECASE)
# Fewer event columns than this are no header of events, and may be an event's values.
_FEW_NAMES: Final = 3
# A pivoted export may have a year for a name; an event has four numbers.
_MOST_NUMBERS: Final = 2


class HeaderError(ValueError):
    """The file's first line is neither a header of events nor an event."""


def read_layout(first: Record, is_event: Callable[[list[str]], bool]) -> Layout:
    """Return the layout of a file with this first record; raises HeaderError.

    `is_event` says whether fields in the published order are an event.
    """
    line = printable(first.content)
    if first.fields is None:
        raise HeaderError(_why_malformed(first))
    names = [name.strip() for name in first.fields]
    known = [name.lower() for name in names if name.lower() in EVENT_COLUMN_NAMES]
    if len(known) < _FEW_NAMES and is_event(first.fields):
        return PUBLISHED_LAYOUT
    if "\r" in line:
        raise HeaderError(f"line {first.number} has a CR inside; {cr_remedy(line)}")
    if line.lower().startswith("sep="):
        raise HeaderError(
            f"line {first.number} is {shown(line)}, which only spreadsheets understand; remove it"
        )
    hints = _hints([name for name in names if name.lower() not in EVENT_COLUMN_NAMES], known)
    if len(known) + len(hints) < _FEW_NAMES:
        if len(longer := _longer_names(names)) >= _FEW_NAMES:
            raise HeaderError(
                f"names in line {first.number} have more than those of the event columns, such as"
                f" {shown(longer[0])}; name the columns {','.join(EVENT_COLUMN_NAMES)}"
            )
        if sum(name in line.lower() for name in EVENT_COLUMN_NAMES) >= _FEW_NAMES:
            raise HeaderError(
                f"commas do not separate the names in line {first.number}: {shown(line)}; write"
                " the file with commas between fields, and quotes around single fields only"
            )
        raise HeaderError(
            f"not an events file: line {first.number} is not an event, and as a header it names"
            f" {len(known)} of the {len(EVENT_COLUMN_NAMES)} event columns: {shown(line)}; put"
            f" the header in the first line: {','.join(EVENT_COLUMN_NAMES)}"
        )
    _check_is_one_line(line)
    for name in EVENT_COLUMN_NAMES:
        if known.count(name) > 1:
            raise HeaderError(f"the header names {name} twice; name each column once")
    _check_holds_no_event(names)
    missing = [
        f"{name} is missing" + (f"; {shown(hints[name])} looks like it" if name in hints else "")
        for name in EVENT_COLUMN_NAMES
        if name not in known and (name in REQUIRED_COLUMN_NAMES or name in hints)
    ]
    if missing:
        raise HeaderError(f"{'; '.join(missing)}: name all columns in the header")
    return Layout(unique_names(names), has_header=True)


def unique_names(names: list[str]) -> tuple[str, ...]:
    """Return event columns in lower case, and a key of `_rescued_data` for each other column.

    A key is unique and looks like no malformed line: where the name is not, it is `_c` and the
    field's position from 0.
    """
    given = {name for name in names if name and name != "_line"}
    unique: list[str] = []
    for position, name in enumerate(names):
        if name.lower() in EVENT_COLUMN_NAMES:
            unique.append(name.lower())
        elif name in given and name not in unique:
            unique.append(name)
        else:
            key = f"_c{position}"
            while key in given or key in unique:
                key += "_"
            unique.append(key)
    return tuple(unique)


def _why_malformed(first: Record) -> str:
    place = f"line {first.number}"
    start = shown(printable(first.content))
    try:
        is_text = "\0" not in first.content.decode()
    except UnicodeDecodeError:
        is_text = False
    if not is_text:
        return f"not an events file: {place} is not UTF-8 text: {start}; convert the file"
    if first.content.count(b'"') % 2:
        return f"{place} opens a quote and does not close it: {start}; correct it"
    return f"{place} has quotes inside a field: {start}; quote whole fields"


def _check_is_one_line(line: str) -> None:
    for separator in _SEPARATORS:
        if separator in line:
            raise HeaderError(
                f"the header has the character U+{ord(separator):04X}, a line separator that ends"
                f" no line here: {shown(line)}; end lines with LF"
            )


def _check_holds_no_event(names: list[str]) -> None:
    """Raise HeaderError if fields are values, or too many for names."""
    numbers = [name for name in names if _NUMBER.fullmatch(name)]
    values = [name for name in names if _INSTANT.search(name) or UUID.search(name)]
    if values or len(numbers) > _MOST_NUMBERS:
        raise HeaderError(
            f"the header and an event are one line: {shown((values or numbers)[0])} is no name;"
            " end the header's line"
        )
    if len(names) > MAX_NAMES:
        raise HeaderError(
            f"the header has {len(names):,} fields, {MAX_NAMES} at most; end its line, or leave"
            " out columns"
        )


def _hints(others: list[str], known: list[str]) -> dict[str, str]:
    """Return by missing column the other name that looks like it, required columns first."""
    by_letters = {_letters(name): name for name in reversed(others)}
    of_tables = [(column, name) for name in others if (column := _column_of_table(name))]
    has_tables = any(column in REQUIRED_COLUMN_NAMES for column, _ in of_tables)
    for column, name in of_tables:
        # `house/brand` alone may be what it says.
        if has_tables or name.lower().endswith(f".{column}"):
            by_letters.setdefault(_letters(column), name)
    hints = {}
    optional = [name for name in EVENT_COLUMN_NAMES if name not in REQUIRED_COLUMN_NAMES]
    for column in (*REQUIRED_COLUMN_NAMES, *optional):
        if column in known:
            continue
        letters = column.replace("_", "")
        similar = get_close_matches(letters, by_letters, n=1, cutoff=0.8)
        # A required column is somewhere; `brand_id` may be what it says.
        begun = [n for n in by_letters if n.startswith(letters)] if column not in optional else []
        aliases = [alias for alias in _ALIASES.get(column, "").split() if alias in by_letters]
        for found in (*similar, *begun, *aliases):
            hints[column] = by_letters.pop(found)
            break
    return hints


def _longer_names(names: list[str]) -> list[str]:
    """Return the names that have that of one event column in them, the first for each."""
    found: dict[str, str] = {}
    for name in names:
        columns = [column for column in EVENT_COLUMN_NAMES if column in name.lower()]
        if len(columns) == 1:
            found.setdefault(columns[0], name)
    return list(found.values())


def _column_of_table(name: str) -> str:
    """Return the event column that a name ends in, behind that of a table; empty if there is none.

    Queries, reports and flattened records write it so: `events.price`, `Query1[price]`.
    """
    *table, column = [part for part in _PARTS_OF_NAME.split(name.lower()) if part] or [""]
    return column if table and column in EVENT_COLUMN_NAMES else ""


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def shown(text: str) -> str:
    """Return the beginning of a text, with everything that a terminal might obey escaped."""
    cut = text[:_SHOWN_CHARACTERS] + ("..." if len(text) > _SHOWN_CHARACTERS else "")
    return f"`{''.join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)}`"
