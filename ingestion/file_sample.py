"""A sample of a landed file: its first lines and some from places spread over it."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ingestion.csv_records import (
    BYTE_ORDER_MARK,
    Record,
    RecordReader,
    Width,
    fitted_fields,
    repetitions,
)
from ingestion.header import UUID, unique_names
from ingestion.landing_files import Layout
from ingestion.typed_text import lacks_zone

HEAD_LINES: Final = 1000
HEAD_BYTES: Final = 1 << 20
FEW_LINES: Final = 20
# Blanks and the character that ends a file of DOS.
_BLANK_END: Final = b" \t\r\v\f\x1a"
_PART_OF_UUID: Final = re.compile("[0-9a-f-]{0,35}", re.IGNORECASE)
_RAGGED_SHARE: Final = 0.1


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
    records = records_of(content, start, None, headers)
    layout = _ragged(_with_empty_fields(named, records), records)
    width = layout.width.fields
    if any(record.fields is None or len(record.fields) != width for record in records):
        records = records_of(content, start, layout.width, headers)
    time = layout.names.index("event_time")
    lacks = any(record.fields and lacks_zone(record.fields[time]) for record in records)
    return Sample(layout, tuple(records), lacks, layout is not named)


def records_of(
    content: bytes, start: int, width: Width | None, headers: frozenset[bytes] = frozenset()
) -> list[Record]:
    """Return the records of some lines, the first of which has number `start`, without headers."""
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
