"""A sample of a landed file, judged before it is loaded.

A file of which no line could be a clean event is refused whole, with the column and an example: in
bronze it would only be rows to throw away, and the ledger would keep the corrected file out. The
sample is the file's first lines and some from places spread over it.
"""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import duckdb
import numpy as np

from ingestion import bronze
from ingestion.csv_records import (
    BYTE_ORDER_MARK,
    Record,
    RecordReader,
    Width,
    cr_remedy,
    fitted_fields,
    printable,
    repetitions,
)
from ingestion.event_schema import EVENT_COLUMN_NAMES, REQUIRED_COLUMN_NAMES
from ingestion.formats import FEWEST_NAMES, other_separator, separator_of
from ingestion.header import LINE_ENDS, UUID, shown, unique_names
from ingestion.landing_files import Layout
from ingestion.typed_text import MAX_BIGINT, MAX_EXACT, lacks_zone
from project.variables import project_variables

HEAD_LINES: Final = 1000
HEAD_BYTES: Final = 1 << 20
FEW_LINES: Final = 20
_MOST_REASONS: Final = 3
# Shorter than the time of an event, longer than stray bytes.
_UTF16: Final = re.compile(rb"([ -~]\0){16}")
# A page of a disk, which has no content yet.
_HOLE: Final = bytes(4096)
# What a line must have to be a further header, several events, of another encoding or a hole, if it
# is.
_ODD: Final = re.compile(
    rb"event_time|\r.|[\v\f\x1c-\x1e]|\xc2\x85|\xe2\x80[\xa8\xa9]|\0{4096}|" + _UTF16.pattern,
    re.IGNORECASE,
)
# Blanks and the character that ends a file of DOS.
_BLANK_END: Final = b" \t\r\v\f\x1a"
_PART_OF_UUID: Final = re.compile("[0-9a-f-]{0,35}", re.IGNORECASE)
# What may be around a name in a further header.
_AROUND_NAME: Final = f'"{project_variables()["blanks"]}'
# A column that the header does not name, as `unique_names` calls it.
_UNNAMED: Final = re.compile("_c[0-9]+_*")
# Behind a comma: cents, or what follows thousands.
_PART_OF_PRICE: Final = re.compile("[0-9]{1,2}|[0-9]{3}([.][0-9]+)?")
_RAGGED_SHARE: Final = 0.1

_VARIABLES: Final = project_variables()
_EVENT_TYPES: Final = _VARIABLES["event_types"]
_EARLIEST: Final = _VARIABLES["earliest_event_date"]

_TYPES: Final = ", ".join(f"'{name}'" for name in _EVENT_TYPES)
_MISSING: Final = ", ".join(f"'{word}'" for word in ("", *_VARIABLES["null_words"]))
_SPELLED: Final = f"lower(trim({{}}, '{_VARIABLES['blanks']}'))"

# What a spreadsheet writes for a long number, and so for several of them.
_ROUNDED_SESSION: Final = "[0-9]([.,][0-9]+)?[eE][+][0-9]+"

# By required column, when the value can be that of a clean event: as in macro `event_rules`, which
# knows no rounded sessions: of a single one it cannot be known.
_CAN_BE_CLEAN: Final = {
    "event_time": f"event_time_value between timestamp '{_EARLIEST}' and ?::timestamp",
    "event_type": f"{_SPELLED.format('event_type')} in ({_TYPES})",
    "product_id": "product_id_value > 0",
    "category_id": "category_id_value > 0",
    "price": f"price_value between 0 and {_VARIABLES['highest_price']}",
    "user_id": "user_id_value > 0",
    "user_session": f"{_SPELLED.format('user_session')} not in ({_MISSING})"
    f" and not regexp_full_match(user_session, '{_ROUNDED_SESSION}')",
}

# Values of published files. Where one of the first lines has them all, the sample needs no SQL,
# whose planning takes half as long as loading a small file.
_PUBLISHED: Final = {
    "event_time": re.compile("[0-9-]{10} ([01][0-9]|2[0-3])(:[0-5][0-9]){2} UTC"),
    "event_type": re.compile("|".join(_EVENT_TYPES)),
    "product_id": re.compile("[1-9][0-9]{0,17}"),
    "category_id": re.compile("[1-9][0-9]{0,17}|[1-8][0-9]{18}"),
    "price": re.compile("[0-9]{1,9}[.][0-9]{1,2}"),
    "user_id": re.compile("[1-9][0-9]{0,17}"),
    "user_session": re.compile("(?=.*[1-9a-f])[0-9a-f-]{36}"),
}

_IDS: Final = ("product_id", "category_id", "user_id")
_REMEDIES: Final = {
    "event_time": "write instants as 2019-10-01 00:05:00 UTC, or with T, Z or +hh:mm",
    "event_type": f"use {', '.join(_EVENT_TYPES)}",
    "price": "write numbers from 0 with a decimal point, without currency or thousands separators",
    "user_session": "fill in the tracker's session id",
    **dict.fromkeys(_IDS, "write integers above 0, without blanks, separators or decimals"),
}
_LONG_ID: Final = re.compile("[1-9][0-9]{15,18}")
_LEAST_DIGITS: Final = len(str(MAX_EXACT))
_ROUNDED: Final = "rounded by a spreadsheet or to a floating-point number"
# What an unusable value of a column looks like, as far as that shows where it comes from.
_ORIGINS: Final = {
    "event_time": (
        ("[0-9]{9,10}([.][0-9]*)?", "seconds since 1970"),
        ("[0-9]{12,13}", "milliseconds since 1970"),
        ("[0-9]{15,16}", "microseconds since 1970"),
        ("[0-9]{18,19}", "nanoseconds since 1970"),
        ("[0-9]{5}([.,][0-9]+)?", "a spreadsheet's days since 1900"),
        (
            "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T].*",
            f"of another form, or not from {_EARLIEST} to tomorrow",
        ),
    ),
    "price": (("-?[0-9.]+,[0-9]{1,2}", "a decimal comma"),),
    "user_session": ((_ROUNDED_SESSION, _ROUNDED),),
    **dict.fromkeys(
        _IDS,
        (
            ("[0-9]+[.]0{2,}", "with decimals"),
            ("[+-][0-9]+", "with a sign"),
            ("0[0-9]+", "with a leading zero"),
            ("[1-9][0-9]{18,}", f"above {MAX_BIGINT}"),
            ("='?[\"']?[0-9]+[\"']?|'[0-9]+'?", "as a spreadsheet's text"),
            ("[0-9]+[.,]?[0-9]*[eE][+]?[0-9]+|[0-9]+[.][0-9]+", _ROUNDED),
        ),
    ),
}
_LOST: Final = "the digits are lost, so export the file again from its source, with ids as text"
_COARSE_ID: Final = re.compile("([1-9][0-9]{8,9})([.]0+)?")
# In this range the neighbors of a float of 32 bits are 32 to 256 apart. Below, ids may well be even
# or multiples of 4; above, those of 1,000 would look like such floats.
_COARSE: Final = range(1 << 28, 1 << 32)
_FEWEST_COARSE: Final = 50
# A column of ids is damaged if chance makes most of them look so in fewer than one of 1,000 files.
_CHANCE: Final = 0.001


class UnusableError(ValueError):
    """No line of the sample could be a clean event, or a column is damaged."""


@dataclass(frozen=True)
class Sample:
    """The first records of a file after its header."""

    layout: Layout
    records: tuple[Record, ...]
    lacks_zone: bool
    """Whether an event time names no zone."""
    is_extended: bool
    """Whether the layout has columns that the header does not name."""

    @property
    def rows(self) -> list[tuple[Record, list[str]]]:
        """The well-formed records with their fields."""
        return [(record, record.fields) for record in self.records if record.fields is not None]


def read_sample(reader: RecordReader, first: Record, named: Layout, most_lines: int) -> Sample:
    """Return a sample of the stream, of which `first` is read; raises `LineTooLongError`.

    Its layout has columns for the empty fields that each record has beyond those that `named` has.
    """
    following = reader.lines(most_lines, HEAD_BYTES)
    if named.has_header:
        start, content = first.number + 1, b"".join(following)
    else:
        start, content = first.number, b"".join([first.content, *following])
    headers = repetitions(first.content) if named.has_header else frozenset()
    records = _records(content, start, None, headers)
    layout = _ragged(_with_empty_fields(named, records), records)
    width = layout.width.fields
    if any(record.fields is None or len(record.fields) != width for record in records):
        records = _records(content, start, layout.width, headers)
    time = layout.names.index("event_time")
    lacks = any(record.fields and lacks_zone(record.fields[time]) for record in records)
    return Sample(layout, tuple(records), lacks, layout is not named)


def _records(
    content: bytes, start: int, width: Width | None, headers: frozenset[bytes] = frozenset()
) -> list[Record]:
    reader = RecordReader(io.BytesIO(content), start, has_start=start == 1)
    records = reader.records(width)
    return [record for record in records if record.content not in headers]


def _with_empty_fields(layout: Layout, records: Sequence[Record]) -> Layout:
    known = len(layout.names)
    widths = Counter(len(record.fields) for record in records if record.fields is not None)
    if not widths or known in widths:
        return layout
    [(width, _)] = widths.most_common(1)
    rows = [record.fields for record in records if record.fields and len(record.fields) == width]
    if width < known or any(any(fields[known:]) for fields in rows):
        return layout
    return replace(layout, names=unique_names([*layout.names, *[""] * (width - known)]))


def _ragged(layout: Layout, records: Sequence[Record]) -> Layout:
    """Return the layout as a ragged one if a tenth of the records are so, and two at least.

    In a single one the last field may be empty because a decimal comma has moved all fields.
    """
    ragged = replace(layout, is_ragged=True)
    uneven = [r.fields for r in records if r.fields and len(r.fields) != len(layout.names)]
    fitting = sum(fitted_fields(fields, ragged.width) is not None for fields in uneven)
    return ragged if fitting >= max(2, _RAGGED_SHARE * len(records)) else layout


def is_cut(sample: Sample, last_line: bytes) -> bool:
    """Whether a line without a line end is a part of an event, as in an unfinished download.

    A part of a session's id would pass for an id.
    """
    # Before a quote, a mark of the file or of one that was joined would make it malformed.
    line = last_line.removeprefix(BYTE_ORDER_MARK)
    if not line.strip(_BLANK_END):
        return False
    [record] = RecordReader(io.BytesIO(line), has_start=False).records()
    if record.fields is None or len(record.fields) < sample.layout.width.least:
        return True
    at = sample.layout.names.index("user_session")
    sessions = [fields[at] for _, fields in sample.rows]
    return (
        len(record.fields) == at + 1
        and _PART_OF_UUID.fullmatch(record.fields[at]) is not None
        and sum(UUID.fullmatch(session) is not None for session in sessions) > len(sessions) / 2
    )


def is_published(sample: Sample) -> bool:
    """Whether a row is surely a clean event, so that a longer sample has nothing to add."""
    columns = {sample.layout.names.index(name): form for name, form in _PUBLISHED.items()}
    time, price = (sample.layout.names.index(name) for name in ("event_time", "price"))
    return (
        not sample.is_extended
        and set(bronze.typed_columns(sample.layout)) <= set(REQUIRED_COLUMN_NAMES)
        and not any(_rounded_id(sample, name, chance=1.0) for name in _IDS)
        and any(
            all(form.fullmatch(fields[position]) for position, form in columns.items())
            and _is_day_of_data(fields[time][:10])
            and float(fields[price]) <= _VARIABLES["highest_price"]
            for _, fields in sample.rows
        )
    )


def _is_day_of_data(text: str) -> bool:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return False
    return date.fromisoformat(str(_EARLIEST)) <= day <= datetime.now(UTC).date()


def require_undamaged(sample: Sample, pieces: Sequence[bytes]) -> None:
    """Raise UnusableError for rounded ids or commas inside prices in lines further down the file.

    Exports that are joined may differ. Rounded ids break no rule: they only merge categories.
    """
    parts = [replace(sample, records=tuple(_records(p, 1, sample.layout.width))) for p in pieces]
    for column in _IDS:
        if short := _short_float([sample, *parts], column):
            why = "(rounded to a floating-point number of 32 bits, like all of them)"
            raise UnusableError(_fault(column, short, why, _LOST))
    for part in parts:
        _require_unmoved(part, "further down")
        for column in _IDS:
            if example := _rounded_id(part, column, _CHANCE / len(pieces)):
                why = f"further down ({_ROUNDED}, like most of them there)"
                raise UnusableError(_fault(column, example[1], why, _LOST))


def require_one_form(layout: Layout, parts: Iterable[bytes]) -> None:
    """Raise UnusableError for a further header of other columns, or lines of another form.

    Files that are joined may have the same columns in another order, other separators, line ends or
    encodings, and what has not arrived is zero bytes. A line of two events may be a slip, and is a
    malformed row; so is a single other one.
    """
    lines = {line for part in parts if _ODD.search(part) for line in part.split(b"\n")}
    hidden = begun = wide = 0
    for line in sorted(filter(_ODD.search, lines)):
        if _HOLE in line:
            raise UnusableError(
                "a part of it is zero bytes, as in an unfinished download; copy the file again"
            )
        text = printable(line)
        begun += line.startswith(b"\r")
        wide += _UTF16.search(line) is not None
        if wide > 1:
            raise UnusableError(
                f"a part of it is UTF-16 text: {shown(text)}; save that part as UTF-8, and join the"
                " files again"
            )
        if begun > 1:
            raise UnusableError(f"lines begin with a CR: {shown(text)}; end each with LF or CR LF")
        _check_is_no_other_header(layout, line, text)
        hidden += _hidden_events(layout, line, text)
        if hidden > 1:
            remedy = cr_remedy(text) if "\r" in text else "end each with LF"
            raise UnusableError(f"a line holds several events: {shown(text)}; {remedy}")


def _check_is_no_other_header(layout: Layout, line: bytes, text: str) -> None:
    separator = other_separator(text) or ","
    record = next(RecordReader(io.BytesIO(line), has_start=False).records(), None)
    # A text that lists columns is one field.
    fields = record.fields if record and separator == "," else None
    names = [field.strip(_AROUND_NAME) for field in fields or text.split(separator)]
    if len({name.lower() for name in names} & set(EVENT_COLUMN_NAMES)) < FEWEST_NAMES:
        return
    if separator != ",":
        raise UnusableError(
            f"a further header has other separators than commas: {shown(text)}; make it the first"
            " line of another file, and write that with commas"
        )
    known = _named(layout.names)
    found = _named(unique_names(names))
    # In a ragged file additional columns at the end may be missing.
    if found != known and not (layout.is_ragged and found == known[: len(found)]):
        raise UnusableError(
            f"a further header has other columns, or another order of them: {shown(text)};"
            " make it the first line of another file"
        )


def _named(names: Sequence[str]) -> list[str]:
    """Return the names in lower case, without those at the end that the header does not give."""
    last = max(n for n, name in enumerate(names) if not _UNNAMED.fullmatch(name))
    return [name.strip(_AROUND_NAME).lower() for name in names[: last + 1]]


def _hidden_events(layout: Layout, line: bytes, text: str) -> int:
    """Return how many events a line holds beyond the first."""
    if any(record.fields for record in RecordReader(io.BytesIO(line)).records(layout.width)):
        return 0
    commas = layout.width.least - 1
    events = [part for part in LINE_ENDS.split(text) if part.count(",") >= commas]
    return max(0, len(events) - 1)


def _require_unmoved(sample: Sample, place: str = "") -> None:
    """Raise UnusableError if a comma inside a price has moved values into the next columns.

    Without an additional column, which takes what is then too much, such a line is malformed.
    """
    names = sample.layout.names
    price, session = names.index("price"), names.index("user_session")
    behind_price, behind_session = (names[at + 1 :][:1] for at in (price, session))
    takes_part = any(map(_UNNAMED.fullmatch, behind_price))
    takes_session = session > price and not set(behind_session) <= set(EVENT_COLUMN_NAMES)
    if not takes_part and not takes_session:
        return
    for record, fields in sample.rows:
        has_part = fields[price].isdigit() and _PART_OF_PRICE.fullmatch(fields[price + 1])
        if (has_part and takes_part) or (takes_session and _has_moved(fields[session:], has_part)):
            where = place or f"in line {record.number}"
            if not fields[price].isdigit():
                raise UnusableError(
                    f"a comma inside a field before price {where} moves what follows: price is"
                    f" {shown(fields[price])}, and the next field {shown(fields[price + 1])};"
                    " quote such fields"
                )
            value = ",".join(fields[price : price + 2])
            why = f"{where} (a comma inside it moves what follows)"
            raise UnusableError(_fault("price", value, why, _REMEDIES["price"]))


def _has_moved(fields: Sequence[str], has_part: object) -> bool:
    """Whether fields from the session on begin with a user, and the session is the next."""
    user, session = fields[:2]
    is_text = session != "" and not session.isdigit()
    return user.isdigit() and bool(UUID.fullmatch(session) or (has_part and is_text))


def judge(
    connection: duckdb.DuckDBPyConnection, sample: Sample, pieces: Sequence[bytes] = ()
) -> None:
    """Raise UnusableError if no line of the sample could be a clean event.

    Also if a typed column never reads, or ids have lost digits. `pieces` are lines from other
    places of the file, which count for it; against it only where their ids have lost digits.
    """
    if not sample.records:
        return
    _require_unmoved(sample)
    for column in _IDS:
        if example := _rounded_id(sample, column):
            why = f"in line {example[0].number} ({_ROUNDED}, like most of them)"
            raise UnusableError(_fault(column, example[1], why, _LOST))
    require_undamaged(sample, pieces)
    faults = _faults(connection, sample)
    if not faults:
        return
    more = [r for piece in pieces for r in _records(piece, 1, sample.layout.width)]
    if more and not _faults(connection, replace(sample, records=(*sample.records, *more))):
        return
    raise UnusableError("; ".join(faults))


def _faults(connection: duckdb.DuckDBPyConnection, sample: Sample) -> list[str]:
    """Return why the records are unusable, the most frequent reasons first, or nothing."""
    verdicts = _verdicts(connection, sample)
    required = [verdicts[name] for name in REQUIRED_COLUMN_NAMES]
    never = [name for name, fits in verdicts.items() if False in fits and True not in fits]
    if not never and any(all(row) for row in zip(*required, strict=True)):
        return []
    failing = Counter({name: fits.count(False) for name, fits in verdicts.items()})
    columns = never or [name for name, count in failing.most_common() if count]
    reasons = [_why_unusable(sample, name, verdicts[name].index(False)) for name in columns]
    malformed = [record for record in sample.records if record.fields is None]
    if len(malformed) > len(sample.rows):
        reasons.insert(0, _why_malformed(malformed[0], len(sample.layout.names)))
    return reasons[:_MOST_REASONS]


def _verdicts(
    connection: duckdb.DuckDBPyConnection, sample: Sample
) -> dict[str, list[bool | None]]:
    """Return by column whether the value in each row is usable; None where it may be missing."""
    others = set(bronze.typed_columns(sample.layout)) - set(REQUIRED_COLUMN_NAMES)
    conditions = {name: f"coalesce({_CAN_BE_CLEAN[name]}, false)" for name in REQUIRED_COLUMN_NAMES}
    conditions |= {n: f"case when {n} is not null then {n}_value is not null end" for n in others}
    tomorrow = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
    found = bronze.evaluate(
        connection,
        [fields for _, fields in sample.rows],
        sample.layout,
        list(conditions.values()),
        [tomorrow],
    )
    return {name: [row[column] for row in found] for column, name in enumerate(conditions)}


def _why_malformed(record: Record, width: int) -> str:
    content = printable(record.content)
    where = f"line {record.number} cannot be split into {width} fields: {shown(content)}"
    if "\r" in content:
        return f"{where}; {cr_remedy(content)}"
    [alone] = RecordReader(io.BytesIO(record.content)).records()
    if alone.fields is None:
        if content.count('"') % 2:
            return (
                f"{where}; it opens a quote and does not close it, so close it, and write blanks"
                " for line ends inside fields"
            )
        if '"' in content:
            return f"{where}; quote whole fields, and double a quote inside"
        if b"\0" in record.content:
            return f"{where}; it has a NUL byte, so copy or export the file again"
        return f"{where}; convert the file to UTF-8"
    fields = len(alone.fields)
    if fields < width and (separator := separator_of(content, width)):
        return f"{where}; it is separated by {separator}, so write it with commas"
    if fields == 1 and content.startswith('"'):
        return f"{where}; quotes enclose the whole line, so quote single fields only"
    remedy = (
        "quote commas inside fields, or name the additional columns in the header"
        if fields > width
        else "complete the lines, or name only the columns that they have"
    )
    return f"{where}; it has {fields}, so {remedy}"


def _why_unusable(sample: Sample, column: str, row: int) -> str:
    record, fields = sample.rows[row]
    text = fields[sample.layout.names.index(column)]
    if not text:
        return f"{column} is empty in line {record.number}; {_REMEDIES.get(column, 'fill it in')}"
    origins = (name for form, name in _ORIGINS.get(column, ()) if re.fullmatch(form, text))
    origin = next(origins, "")
    remedy = _LOST if origin == _ROUNDED else _REMEDIES.get(column, "correct it")
    why = f"in line {record.number}" + (f" ({origin})" if origin else "")
    return _fault(column, text, why, remedy)


def _fault(column: str, example: str, why: str, remedy: str) -> str:
    return f"{column} cannot be used, such as {shown(example)} {why}; {remedy}"


def _rounded_id(sample: Sample, column: str, chance: float = _CHANCE) -> tuple[Record, str] | None:
    """Return an example of ids that a spreadsheet or a float has rounded, None if most are not.

    `chance` is the probability with which ids that are not rounded may look so.
    """
    position = sample.layout.names.index(column)
    long = {
        int(fields[position]): (record, fields[position])
        for record, fields in reversed(sample.rows)
        if len(fields[position]) >= _LEAST_DIGITS and _LONG_ID.fullmatch(fields[position])
    }
    rounded = _rounded({number for number in long if number > MAX_EXACT}, chance)
    return next((example for number, example in reversed(long.items()) if number in rounded), None)


def _short_float(samples: Iterable[Sample], column: str) -> str:
    """Return an example of ids that have been floats of 32 bits, as small data frames have them.

    Empty if one of the large ones has not, or they are few: these could be so by design.
    """
    texts = {
        fields[sample.layout.names.index(column)] for sample in samples for _, fields in sample.rows
    }
    ids = {int(match[1]): match[0] for text in texts if (match := _COARSE_ID.fullmatch(text))}
    coarse = [number for number in ids if number in _COARSE]
    if len(coarse) < _FEWEST_COARSE or not all(map(_is_short_float, coarse)):
        return ""
    # Ids that a service numbers in larger steps look so as well.
    is_by_design = math.gcd(*coarse) > np.spacing(np.float32(min(coarse)))
    return "" if is_by_design else ids[min(coarse)]


def _is_short_float(number: int) -> bool:
    """Whether a float of 32 bits has this value, or is written so with its fewest digits."""
    value = np.float32(number)
    return number in (int(value), int(np.format_float_positional(value, trim="-")))


def _rounded(ids: set[int], chance: float) -> set[int]:
    """Return those of ids above 2^53 that are rounded, if these are more than half of them.

    A spreadsheet keeps 15 significant digits, a float is written with 17 at most, and one of 64 or
    of 32 bits is a multiple of its spacing.
    """

    def found(steps: dict[int, int]) -> set[int]:
        fitting = {number for number, step in steps.items() if number % step == 0}
        ways = math.comb(len(ids), len(fitting))
        by_chance = ways * math.prod(1 / steps[number] for number in fitting)
        return fitting if 2 * len(fitting) > len(ids) and by_chance < chance else set()

    for significant in (15, 17):
        if fitting := found({n: 10 ** max(len(str(n)) - significant, 0) for n in ids}):
            return fitting
    for lost_bits in (0, 29):
        steps = {number: int(math.ulp(float(number))) << lost_bits for number in ids}
        fitting = found(steps)
        # Ids that a service numbers may all end in more zero bits than rounding explains.
        shared = math.gcd(*fitting)
        if fitting and shared & -shared < 8 * min(steps[number] for number in fitting):
            return fitting
    return set()
