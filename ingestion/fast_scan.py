"""DuckDB's CSV scan, for files whose byte counts prove that it reads them by the contract.

The scan is laxer than the contract: it skips blank lines and accepts an empty tenth field, blanks
after a closing quote, and a lone CR as a line end. So the counts from `landing_files.profile` must
allow one reading only: one row per line, the commas that its fields need, every byte in a value.
The counts of a large file are taken while the scan reads it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb

from ingestion import archives, bronze
from ingestion.contents import Position, format_of, open_content
from ingestion.csv_records import BYTE_ORDER_MARK, Record
from ingestion.formats import Format
from ingestion.landing_files import Layout, Profile
from ingestion.parquet_text import path_literal
from ingestion.typed_text import Texts
from project.database import literal

_BLOCK_BYTES: Final = 1 << 20
_COMPRESSIONS: Final = {Format.CSV: "none", Format.GZIP: "gzip", Format.ZSTD: "zstd"}


class NotRegularError(Exception):
    """The scan may misread the file, which needs the tolerant reader."""


def insert_by_scan(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    layout: Layout,
    first: Record,
    counted: Future[Profile],
    ingested_at: datetime,
    advance: Callable[[int], object],
    texts: Texts,
) -> int:
    """Insert the file's rows within the open transaction and return their number.

    `first` is the file's first record, `texts` as in `bronze.insert_events`, whose error passes.
    Until the file is `counted`, it is read as one without quotes. Raises NotRegularError, also
    where a line may repeat the header. After both the caller must roll back.
    """
    has_quotes = counted.done() and counted.result().quotes > 0

    def require_as_read(content: Profile) -> None:
        require_regular(content, layout)
        if has_quotes != (content.quotes > 0):
            raise NotRegularError("quotes")

    if counted.done():
        require_as_read(counted.result())
    try:
        if has_quotes:
            with _scan(path, layout, has_quotes=True) as (scan, _):
                _check_quoted(connection, scan, layout, first.content, counted.result())
        with _scan(path, layout, has_quotes=has_quotes) as (scan, position):
            data = _without_headers(scan, layout, first)
            statement = bronze.insert_events(data, layout, texts)
            insert = partial(bronze.first_row, connection, statement, [str(path), ingested_at])
            rows = _run(connection, insert, advance, position, counted, require_as_read)
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.IOException) as error:
        if bronze.is_unexpected(error):
            raise
        # The counts may know the cause.
        require_as_read(counted.result())
        raise NotRegularError(str(error).splitlines()[0]) from error
    require_as_read(counted.result())
    expected = counted.result().lines - layout.has_header
    if rows != expected:
        raise NotRegularError(f"{expected:,} lines but {rows:,} rows")
    return rows


def require_regular(content: Profile, layout: Layout) -> None:
    """Raise NotRegularError if the counts alone show that the scan may misread the file."""
    if not content.is_regular:
        raise NotRegularError("NUL, invalid UTF-8 or mixed line ends")
    if not content.quotes and content.commas != content.lines * (len(layout.names) - 1):
        raise NotRegularError("a line with the wrong number of fields")


def _without_headers(scan: str, layout: Layout, first: Record) -> str:
    """Return the scan without rows that may repeat the header, so that the rows show them."""
    if not layout.has_header or first.fields is None:
        return scan
    time = layout.names.index("event_time")
    header, field = first.fields[time], bronze.field_names(layout)[time]
    headers = f"({literal(header)}, {literal(BYTE_ORDER_MARK.decode() + header)})"
    is_data = f"{field} is null or {field} not in {headers}"
    return f"(select * from {scan} where {is_data})"


@contextmanager
def _scan(
    path: Path, layout: Layout, *, has_quotes: bool
) -> Iterator[tuple[str, Callable[[float], int]]]:
    """Open the file as a relation of text columns, without auto-detection.

    With it comes the number of bytes read, given the percentage that DuckDB reports.
    """
    kind = format_of(path)
    if archives.split(path) is None and kind in _COMPRESSIONS:
        size = path.stat().st_size
        relation = _relation(str(path), _COMPRESSIONS[kind], layout, has_quotes=has_quotes)
        yield relation, lambda percentage: int(size * percentage / 100)
    else:
        with _piped(path) as (pipe, position):
            relation = _relation(pipe, "none", layout, has_quotes=has_quotes)
            yield relation, lambda _: position.tell()


@contextmanager
def _piped(path: Path) -> Iterator[tuple[str, Position]]:
    """Return the path of a pipe that gives the file's CSV text, once, and the position in the file.

    DuckDB opens no archives, and a copy on disk would outlive a kill.
    """
    with open_content(path) as (stream, position):
        reading, writing = os.pipe()
        with ThreadPoolExecutor(max_workers=1) as executor:
            fed = executor.submit(_feed, stream, writing)
            try:
                yield f"/dev/fd/{reading}", position
            finally:
                # Without a reader the other end stops.
                os.close(reading)
        fed.result()


def _feed(stream: io.BufferedReader, writing: int) -> None:
    with suppress(BrokenPipeError), os.fdopen(writing, "wb", buffering=0) as pipe:
        while block := stream.read(_BLOCK_BYTES):
            rest = memoryview(block)
            while rest:
                rest = rest[pipe.write(rest) :]


def _relation(path: str, compression: str, layout: Layout, *, has_quotes: bool) -> str:
    columns = ", ".join(f"'{name}': 'varchar'" for name in bronze.field_names(layout))
    quote = "'\"'" if has_quotes else "''"
    return (
        f"read_csv({path_literal(path)}, columns = {{{columns}}}, auto_detect = false, delim = ',',"
        f" header = {str(layout.has_header).lower()}, quote = {quote}, escape = {quote},"
        " strict_mode = true, null_padding = false, ignore_errors = false, nullstr = '',"
        f" compression = '{compression}')"
    )


def _check_quoted(
    connection: duckdb.DuckDBPyConnection,
    scan: str,
    layout: Layout,
    first_line: bytes,
    content: Profile,
) -> None:
    """Raise NotRegularError unless quotes only enclose one-line fields and no byte is lost."""
    names = bronze.field_names(layout)
    lengths = " + ".join(f"coalesce(strlen({name}), 0)" for name in names)
    special = " or ".join(
        f"coalesce(regexp_matches({name}, '[\"\\r\\n]'), false)" for name in names
    )
    row = bronze.first_row(
        connection,
        f"select count(*), coalesce(sum({lengths}), 0), coalesce(bool_or({special}), false)"
        f" from {scan}",
    )
    if row is None or row[2]:
        raise NotRegularError("a quoted field contains a quote or a line end")
    rows, value_bytes = int(row[0]), int(row[1])
    skipped = first_line if layout.has_header else b""
    line_ends = content.line_ends - skipped.count(b"\n") - skipped.count(b"\r")
    quotes = content.quotes - skipped.count(b'"')
    mark = len(BYTE_ORDER_MARK) if content.has_byte_order_mark else 0
    data_bytes = content.size - len(skipped) - mark
    if data_bytes != value_bytes + rows * (len(names) - 1) + quotes + line_ends:
        raise NotRegularError("misplaced quotes or blanks")


def _run(
    connection: duckdb.DuckDBPyConnection,
    insert: Callable[[], tuple[Any, ...] | None],
    advance: Callable[[int], object],
    position: Callable[[float], int],
    counted: Future[Profile],
    require_as_read: Callable[[Profile], None],
) -> int:
    """Run an insert in a thread, reporting progress, and return its number of rows.

    Ends it as soon as the file is counted and `require_as_read` raises NotRegularError.
    """
    done = 0
    with ThreadPoolExecutor(max_workers=1) as executor:
        inserted = executor.submit(insert)
        awaited: set[Future[Any]] = {inserted, counted}
        try:
            while not inserted.done():
                ended, awaited = wait(awaited, 0.2, FIRST_COMPLETED)
                if counted in ended:
                    require_as_read(counted.result())
                elif not ended:
                    reached = position(connection.query_progress())
                    advance(max(reached - done, 0))
                    done = max(reached, done)
            row = inserted.result()
        except BaseException:
            connection.interrupt()
            raise
    return int(row[0]) if row else 0
