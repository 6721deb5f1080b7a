"""Whether a sample of a file can be events: a file of which no line can is refused whole.

In bronze it would only be rows to throw away, and the ledger would keep the corrected file out. The
reason names the column, an example and the remedy.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import duckdb

from ingestion import bronze
from ingestion.csv_records import Record, RecordReader, cr_remedy, printable
from ingestion.event_schema import EVENT_COLUMN_NAMES, REQUIRED_COLUMN_NAMES
from ingestion.file_sample import Sample, records_of
from ingestion.formats import separator_of
from ingestion.header import UNNAMED, UUID, shown
from ingestion.rounded_ids import CHANCE, rounded_id, short_float
from ingestion.typed_text import MAX_BIGINT
from project.variables import project_variables

_MOST_REASONS: Final = 3
# Behind a comma: cents, or what follows thousands.
_PART_OF_PRICE: Final = re.compile("[0-9]{1,2}|[0-9]{3}([.][0-9]+)?")

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


class UnusableError(ValueError):
    """No line could be a clean event, a column is damaged, or lines have another form."""


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
    more = [r for piece in pieces for r in records_of(piece, 1, sample.layout.width)]
    if more and not _faults(connection, replace(sample, records=(*sample.records, *more))):
        return
    raise UnusableError("; ".join(faults))


def require_undamaged(sample: Sample, pieces: Sequence[bytes]) -> None:
    """Raise UnusableError for rounded ids or commas inside prices in lines further down the file.

    Exports that are joined may differ. Rounded ids break no rule: they only merge categories.
    """
    parts = [replace(sample, records=tuple(records_of(p, 1, sample.layout.width))) for p in pieces]
    for column in _IDS:
        position = sample.layout.names.index(column)
        texts = {fields[position] for part in (sample, *parts) for _, fields in part.rows}
        if short := short_float(texts):
            why = "(rounded to a floating-point number of 32 bits, like all of them)"
            raise UnusableError(_fault(column, short, why, _LOST))
    for part in parts:
        _require_unmoved(part, "further down")
        for column in _IDS:
            if example := _rounded_id(part, column, CHANCE / len(pieces)):
                why = f"further down ({_ROUNDED}, like most of them there)"
                raise UnusableError(_fault(column, example[1], why, _LOST))


def _require_unmoved(sample: Sample, place: str = "") -> None:
    """Raise UnusableError if a comma inside a price has moved values into the next columns.

    Without an additional column, which takes what is then too much, such a line is malformed.
    """
    names = sample.layout.names
    price, session = names.index("price"), names.index("user_session")
    behind_price, behind_session = (names[at + 1 :][:1] for at in (price, session))
    takes_part = any(map(UNNAMED.fullmatch, behind_price))
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


def _rounded_id(sample: Sample, column: str, chance: float = CHANCE) -> tuple[Record, str] | None:
    """Return an example of ids that a spreadsheet or a float has rounded, None if most are not."""
    rows, position = sample.rows, sample.layout.names.index(column)
    found = rounded_id([fields[position] for _, fields in rows], chance)
    if found is None:
        return None
    record, fields = rows[found]
    return record, fields[position]
