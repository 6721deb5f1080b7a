r"""Tolerant reader of landed CSV bytes: every data line becomes exactly one row, however malformed.

The rules below are the bronze contract; every engine that loads `events_raw` follows them.

Records
  * A record is one physical line, so that any part of a file can be read by itself. It ends with
    LF; one CR before the LF (or before the end of the file) belongs to the line end. Any other CR
    is an ordinary character. A byte-order mark at the start is dropped.
  * A line of only spaces, tabs, CR, VT and FF is blank and not a data line.
  * Commas separate the fields of a line. With double quotes, RFC 4180 applies strictly, but for a
    line end within quotes: quotes enclose a whole field and are doubled inside it, so `a"b`,
    `"a"b` and ` "a"` are invalid. Comma and CR inside quotes are data. A quote that the line does
    not close makes it malformed, and the line that it would go on in as well.
  * A record is well formed when it is valid UTF-8, has no NUL byte, follows the quoting rule
    and has as many fields as the header. In a ragged file, as spreadsheets write, empty fields
    beyond them do not count, and additional columns at the end may be missing.
  * A last line without a line end counts as a line.

Header
  * The first record is a header or an event (`ingestion.header`). Where no record has as many
    fields as the header, because each ends in empty ones that the header does not name, those are
    additional columns without values.
  * A line that repeats the header byte for byte, as where files were joined, is no data line.

Rows
  * A well-formed record: an empty field, quoted or not, is null. Text columns keep every character.
    `ingestion.bronze` types the other columns; a value that does not fit leaves its column null and
    `_rescued_data` = `{"column": "raw text"}`. A value in an additional column is set aside there
    too, under a name that is no event column's, and says nothing against the row.
  * A malformed record: all event columns null and `_rescued_data` = `{"_line": "<line>"}`: the line
    without its line end, with NUL and non-UTF-8 bytes written as `\xNN`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

MAX_LINE_BYTES: Final = 16 << 20
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_CR_ALONE: Final = "its lines end in CR alone: convert them to LF (`tr '\\r' '\\n'`)"

_BLANKS: Final = b" \t\r\v\f\n"
_FIELD: Final = re.compile(r'(?:"((?:[^"]|"")*+)"|([^",]*+))(,|\Z)')


class LineStream(Protocol):
    """A binary stream, such as `io.BufferedReader` or `gzip.GzipFile`."""

    def readline(self, size: int = -1, /) -> bytes:
        """Return the next line with its line end, at most `size` bytes; empty at the end."""


class LineTooLongError(ValueError):
    """A physical line exceeds `MAX_LINE_BYTES`, which bounds the memory."""

    def __init__(self, start: bytes) -> None:
        if 2 * start.count(0) > len(start):
            remedy = "it is zero bytes, as in an unfinished download: copy the file again"
        elif b"\r" in start.rstrip(b"\r\n"):
            remedy = _CR_ALONE
        else:
            remedy = "end each event with LF, or leave the line out"
        super().__init__(f"a line is longer than {MAX_LINE_BYTES:,} bytes; {remedy}")


@dataclass
class Batch:
    """Rows from part of a file: well-formed records, and malformed lines as text.

    A record without quotes stays one string; the caller splits it at the commas, in bulk, if
    `ingestion.line_blocks` has not done so.
    """

    plain: list[str] = field(default_factory=list)
    quoted: list[list[str]] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    split: list[Any] = field(default_factory=list)
    """Arrow arrays of lists of fields."""

    def __len__(self) -> int:
        return len(self.plain) + len(self.quoted) + len(self.malformed) + sum(map(len, self.split))

    def add(self, other: Batch) -> None:
        """Take the rows of another batch, too."""
        self.plain += other.plain
        self.quoted += other.quoted
        self.malformed += other.malformed
        self.split += other.split


@dataclass(frozen=True)
class Width:
    """Fields of a record, two or more; in a ragged file some may be missing, or more be empty."""

    fields: int
    least: int
    """Without the additional columns at the end."""
    is_ragged: bool


@dataclass(frozen=True)
class Record:
    """A record as the file has it: one physical line."""

    fields: list[str] | None
    """None if it is malformed."""
    content: bytes
    """With its line end."""
    number: int
    """Of the line, from 1."""


class RecordReader:
    """Reads one stream from its start: `records` one by one if wanted, then `batches`.

    `first_number` is the number of the stream's first line in its file. `has_start` is whether a
    byte-order mark there is one.
    """

    def __init__(
        self, stream: LineStream, first_number: int = 1, *, has_start: bool = True
    ) -> None:
        self._stream = stream
        self._lines = first_number - 1
        start = stream.readline(MAX_LINE_BYTES + 1)
        self._start = start.removeprefix(BYTE_ORDER_MARK) if has_start else start

    def records(self, width: Width | None = None) -> Iterator[Record]:
        """Yield the records, of that width if one is given, without blank lines."""
        while line := self._next_line():
            if not line.strip(_BLANKS):
                continue
            fields = _split(line)
            fitted = None if fields is None else fitted_fields(fields, width)
            yield Record(fitted, line, self._lines)

    def lines(self, most: int, most_bytes: int) -> list[bytes]:
        """Return the next physical lines, at most `most`, until they have `most_bytes`."""
        taken: list[bytes] = []
        size = 0
        while len(taken) < most and size < most_bytes and (line := self._next_line()):
            taken.append(line)
            size += len(line)
        return taken

    def batches(
        self, width: Width, batch_rows: int, headers: frozenset[bytes] = frozenset()
    ) -> Iterator[Batch]:
        """Yield batches of `batch_rows` rows, of records of that width that are not `headers`.

        Raises `LineTooLongError` and any error of the stream.
        """
        batch = Batch()
        commas = width.fields - 1
        while line := self._next_line():
            if line in headers:
                continue
            if b'"' in line:
                fields = _split(line)
                fitted = None if fields is None else fitted_fields(fields, width)
                if fitted is not None:
                    batch.quoted.append(fitted)
                else:
                    batch.malformed.append(printable(line))
            elif (text := _decode(line)) is not None and text.count(",") == commas:
                batch.plain.append(text)
            elif line.strip(_BLANKS):
                fitted = None if text is None else fitted_fields(text.split(","), width)
                if fitted is None:
                    batch.malformed.append(printable(line))
                else:
                    batch.plain.append(",".join(fitted))
            if len(batch) >= batch_rows:
                yield batch
                batch = Batch()
        if len(batch):
            yield batch

    def _next_line(self) -> bytes:
        line = self._start or self._stream.readline(MAX_LINE_BYTES + 1)
        self._start = b""
        if len(line) > MAX_LINE_BYTES:
            raise LineTooLongError(line)
        self._lines += bool(line)
        return line


def without_end(line: bytes) -> bytes:
    """Return a line without its line end."""
    return line.removesuffix(b"\n").removesuffix(b"\r")


def repetitions(header: bytes) -> frozenset[bytes]:
    """Return each form of a line that repeats the header: line end and byte-order mark may vary."""
    content = without_end(header)
    ends = (b"", b"\r", b"\n", b"\r\n")
    return frozenset(mark + content + end for mark in (b"", BYTE_ORDER_MARK) for end in ends)


def fitted_fields(fields: list[str], width: Width | None) -> list[str] | None:
    """Return as many fields as the header has, None if they are too few or too many."""
    if width is None or len(fields) == width.fields:
        return fields
    if not width.is_ragged or any(fields[width.fields :]) or len(fields) < width.least:
        return None
    return [*fields[: width.fields], *[""] * (width.fields - len(fields))]


def cr_remedy(line: str) -> str:
    """Return what is wrong with a line that has CRs inside, and what to do about it."""
    return _CR_ALONE if line.count("\r") > 1 else "remove it, and end lines with LF"


def printable(line: bytes) -> str:
    r"""Return the line without its line end; NUL and non-UTF-8 bytes as `\xNN`."""
    text = line.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    return text.removesuffix("\n").removesuffix("\r")


def _split(line: bytes) -> list[str] | None:
    """Return the fields of a line, None if it is malformed."""
    text = _decode(line)
    if text is None:
        return None
    return _split_quoted(text) if '"' in text else text.split(",")


def _decode(record: bytes) -> str | None:
    """Return a line as text without its line end, or None if it is not valid text."""
    try:
        text = record.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.removesuffix("\n").removesuffix("\r")


def _split_quoted(text: str) -> list[str] | None:
    """Return the fields by RFC 4180, or None if a quote is misplaced."""
    fields = []
    position = 0
    while match := _FIELD.match(text, position):
        quoted, plain, end = match.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        if not end:
            return fields
        position = match.end()
    return None
