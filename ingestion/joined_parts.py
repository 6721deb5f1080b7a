"""Lines of another form in a file, as where files of several exports were joined."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from ingestion.csv_records import RecordReader, cr_remedy, printable
from ingestion.event_schema import EVENT_COLUMN_NAMES
from ingestion.file_verdict import UnusableError
from ingestion.formats import FEWEST_NAMES, other_separator
from ingestion.header import LINE_ENDS, UNNAMED, shown, unique_names
from ingestion.landing_files import Layout
from project.variables import project_variables

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
# What may be around a name in a further header.
_AROUND_NAME: Final = f'"{project_variables()["blanks"]}'


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
    last = max(n for n, name in enumerate(names) if not UNNAMED.fullmatch(name))
    return [name.strip(_AROUND_NAME).lower() for name in names[: last + 1]]


def _hidden_events(layout: Layout, line: bytes, text: str) -> int:
    """Return how many events a line holds beyond the first."""
    if any(record.fields for record in RecordReader(io.BytesIO(line)).records(layout.width)):
        return 0
    commas = layout.width.least - 1
    events = [part for part in LINE_ENDS.split(text) if part.count(",") >= commas]
    return max(0, len(events) - 1)
