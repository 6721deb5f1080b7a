"""Parquet files as CSV text, so that one contract holds for all formats.

Typed columns become the text that the contract reads: a timestamp in UTC, `12` for an integer,
`12.0` for a double without a fraction, `1.2e+09` for a float that has lost digits. Text stays as it
is, also as bytes, but for a line feed, which becomes a blank: one row is one line. Other bytes
become hexadecimal digits. Event columns of lists or structures are refused, and those of 16-bit
floats, which hold three digits.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from ingestion.event_schema import EVENT_COLUMN_NAMES
from ingestion.formats import ENCRYPTED_PARQUET, NotReadableError, damaged
from project.database import literal

_ROWS_PER_BATCH: Final = 20_000
# The driver of serverless compute converts several files at a time.
_SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "threads": 1,
    "memory_limit": "400MB",
    "preserve_insertion_order": True,
}
_SECONDS: Final = "%Y-%m-%d %H:%M:%S"
# Their text never needs quotes.
_PLAIN: Final = (
    "BIGINT",
    "INTEGER",
    "SMALLINT",
    "TINYINT",
    "UBIGINT",
    "UINTEGER",
    "DOUBLE",
)
# How DuckDB begins to say that a file may be whole, and is beyond it.
_NOT_READ: Final = re.compile("unsupported|(not|only) supported|not implemented", re.IGNORECASE)
_SHOWN_BYTES: Final = 20
_FIRST_INEXACT_FLOAT: Final = 1 << 24
_ZONED: Final = ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS")


class _Text(io.RawIOBase):
    """The rows of a file as a stream of lines; its position is that in the stored file."""

    def __init__(self, header: bytes, rows: pa.RecordBatchReader, path: Path, count: int) -> None:
        self._rest = memoryview(header)
        self._rows, self._path = rows, path
        self._size, self._count, self._read = path.stat().st_size, count, 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size * self._read // max(self._count, 1)

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        while not self._rest:
            try:
                batch = self._rows.read_next_batch()
            except StopIteration:
                return 0
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                raise _unreadable(self._path, error) from error
            self._read += batch.num_rows
            self._rest = _bytes_of(batch.column(0))
        part = self._rest[: len(view)]
        view[: len(part)] = part
        self._rest = self._rest[len(part) :]
        return len(part)


@contextmanager
def open_text(path: Path) -> Iterator[_Text]:
    """Open a Parquet file as CSV text, whose position is that in the stored file.

    Raises OSError, and NotReadableError for a damaged or encrypted file.
    """
    # Files of other formats need not pay for the import.
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema, count = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise damaged("Parquet", error) from error
    names = schema.names
    if not names:
        raise NotReadableError("has no columns; write the events to it again")
    for column in schema:
        if pa.types.is_nested(column.type) and _is_event_column(column.name):
            raise NotReadableError(
                f"{column.name} has several values in a row ({column.type}); write one as text"
            )
        # DuckDB reads them as floats of 32 bits, in which nothing shows the lost digits.
        if pa.types.is_float16(column.type) and _is_event_column(column.name):
            raise NotReadableError(
                f"{column.name} is a column of 16-bit floats, which hold three digits; export the"
                " file again from its source, with 64 bits"
            )
    header = ",".join(_quoted(name) for name in names) + "\n"
    with path.open("rb") as stored, duckdb.connect(config=_SETTINGS) as connection:
        try:
            # In a pattern, DuckDB takes a backslash for the end of a folder's name.
            scan = _scan(f"/dev/fd/{stored.fileno()}" if "\\" in str(path) else str(path))
            types = [str(kind) for kind in connection.sql(f"from {scan}").types]
            fields = [
                f"coalesce({_field(n, kind, _is_event_column(name))}, '')"
                for n, (name, kind) in enumerate(zip(names, types, strict=True))
            ]
            aliases = ", ".join(f"c{n}" for n in range(len(types)))
            record = " || ',' || ".join(fields)
            line = (
                "case when contains(record, chr(10)) then replace(record, chr(10), ' ')"
                " else record end || chr(10)"
            )
            rows = connection.sql(
                f"select {line} from (select {record} as record from {scan} as t({aliases}))"
            )
            reader = rows.to_arrow_reader(_ROWS_PER_BATCH)
        except duckdb.Error as error:
            raise _unreadable(path, error) from error
        yield _Text(header.encode(), reader, path, count)


def _unreadable(path: Path, error: Exception) -> NotReadableError:
    # A path may have the same words.
    text = str(error).replace(str(path), "")
    if "UTF8" in text:
        place = _not_text(path) or text.splitlines()[0].rpartition(": ")[2]
        return NotReadableError(
            f"has a value that is no text, number or time (invalid UTF8: {place}); write that"
            " column as text in UTF-8"
        )
    if "encrypted" in text:
        return NotReadableError(ENCRYPTED_PARQUET)
    if _NOT_READ.search(text):
        return NotReadableError(
            "was written in a way that is not read; write it again with the default encodings and"
            f" compression: {text.splitlines()[0]}"
        )
    # Batches come through Arrow, which keeps only the text of DuckDB's error.
    if isinstance(error, duckdb.ConversionException) or "Conversion Error" in text:
        value = re.sub("^.*Conversion Error: ", "", text.splitlines()[0])
        return NotReadableError(
            f"has a value that is no text, number or time ({value}); write that column as text"
        )
    return damaged("Parquet", error)


def _not_text(path: Path) -> str:
    """Return where the first bytes are that must be text and are not; empty if there are none."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        names = [
            column.name
            for column in file.schema_arrow
            if str(column.type) in ("string", "large_string")
            or ("binary" in str(column.type) and _is_event_column(column.name))
        ]
        row = 1
        for batch in file.iter_batches(_ROWS_PER_BATCH, columns=names):
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                for number, value in enumerate(values.cast(pa.large_binary()).to_pylist(), row):
                    try:
                        (value or b"").decode()
                    except UnicodeDecodeError:
                        return f"{value[:_SHOWN_BYTES]!r} of {name!r} in row {number:,}"
            row += batch.num_rows
    return ""


def _bytes_of(texts: pa.StringArray) -> memoryview:
    """Return all texts as one, without a copy: that is how Arrow keeps them."""
    _, offsets, content = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(content or b"").cast("B")[ends[0] : ends[-1]]


def path_literal(path: str) -> str:
    """Return the SQL text of a path for DuckDB's scans, which take it for a glob."""
    # Brackets make each special character literal.
    return literal("".join(f"[{c}]" if c in "*?[" else c for c in path))


def _scan(path: str) -> str:
    # Otherwise a folder such as `month=10` would become a column.
    options = "hive_partitioning = false, binary_as_string = false"
    return f"read_parquet({path_literal(path)}, {options})"


def _is_event_column(name: str) -> bool:
    return name.strip().lower() in EVENT_COLUMN_NAMES


def _field(position: int, kind: str, is_event_column: bool) -> str:
    """Return the SQL for one column's text, quoted as CSV where necessary."""
    column = f"c{position}"
    text = f"cast({column} as varchar)"
    if kind.startswith("TIMESTAMP"):
        zone = " UTC" if kind in _ZONED else ""
        # A cast of a zoned timestamp would use the zone of the machine.
        is_fine = kind.endswith("_NS")
        micros = f"epoch_ns({column}) // 1000" if is_fine else f"epoch_us({column})"
        nanos = f"epoch_ns({column}) % 1000" if is_fine else "0"
        stamp = f"make_timestamp({micros})"
        return (
            f"coalesce(case when {nanos} <> 0"
            f" then strftime({stamp}, '{_SECONDS}.%f') || format('{{:03d}}{zone}', {nanos})"
            f" when ({micros}) % 1000000 = 0 then strftime({stamp}, '{_SECONDS}{zone}')"
            f" else strftime({stamp}, '{_SECONDS}.%f{zone}') end, {text})"
        )
    if kind == "FLOAT":
        # No text of a whole number may come from it: that would be an id, and a wrong one.
        is_inexact = f"isfinite({column}) and abs({column}) >= {_FIRST_INEXACT_FLOAT}"
        return f"case when {is_inexact} then format('{{:.8e}}', {column}) else {text} end"
    if kind in _PLAIN:
        return text
    if kind == "BLOB":
        # Of an event column they are damage, which `decode` names.
        text = f"decode({column})"
        text = text if is_event_column else f"coalesce(try({text}), hex({column}))"
    return (
        f"case when regexp_matches({text}, '[\",\\r\\n]')"
        f" then '\"' || replace({text}, '\"', '\"\"') || '\"' else {text} end"
    )


def _quoted(name: str) -> str:
    name = re.sub("[\r\n]", " ", name)
    if '"' in name or "," in name:
        return '"' + name.replace('"', '""') + '"'
    return name
