"""Loads one file into bronze: all or nothing, in one transaction with its ledger entry.

DuckDB's scan loads a file if the counts from `landing_files.profile` prove that it reads the file
correctly; the tolerant reader of `csv_records` loads the others. Both use the same SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import Final

import duckdb

from ingestion import bronze
from ingestion.contents import content_hash, open_content, require_readable
from ingestion.csv_records import LineTooLongError, RecordReader, printable
from ingestion.event_schema import EVENT_COLUMN_NAMES
from ingestion.fast_scan import NotRegularError, insert_by_scan
from ingestion.formats import NotReadableError
from ingestion.landing_files import (
    MINIMUM_EVENT_COLUMNS,
    PUBLISHED_LAYOUT,
    Identity,
    Layout,
    Profile,
    header_layout,
    profile,
)

_BATCH_ROWS: Final = 50_000


class Status(StrEnum):
    """The outcome for one file."""

    LOADED = "loaded"
    ALREADY_LOADED = "already_loaded"
    CHANGED = "changed"
    REFUSED = "refused"
    EMPTY = "empty"
    GROWING = "growing"
    WAITING = "waiting"


IN_BRONZE: Final = frozenset({Status.LOADED, Status.ALREADY_LOADED, Status.CHANGED})


@dataclass(frozen=True)
class FileReport:
    """The outcome for one file: `rows` counts its rows in bronze, `seconds` is this run's time."""

    path: Path
    status: Status
    rows: int = 0
    rows_with_rescued_data: int = 0
    seconds: float = 0.0
    message: str = ""


class _NotLoadedError(Exception):
    """The file cannot be loaded now; none of its rows are kept."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status


def load_file(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    advance: Callable[[int], object] = lambda _: None,
    *,
    tolerant: bool = False,
) -> FileReport:
    """Load one file into the tables that `bronze.create_tables` made.

    `path` must be absolute and resolved, because it identifies the file. `advance` receives the
    number of bytes just processed; `tolerant` skips DuckDB's scan. Raises duckdb.Error if DuckDB
    cannot write.
    """
    try:
        return load_readable_file(connection, path, advance, tolerant=tolerant)
    except OSError as error:
        return FileReport(path, Status.REFUSED, message=f"cannot be read: {error.strerror}")


def load_readable_file(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    advance: Callable[[int], object] = lambda _: None,
    *,
    tolerant: bool = False,
) -> FileReport:
    """Load one file like `load_file`, but raise OSError, because a retry may succeed."""
    started = perf_counter()
    try:
        str(path).encode()
        before = Identity.of(path)
        report = _from_ledger(connection, path, before)
        if report is None:
            report = _load_new(connection, path, before, advance, tolerant)
    except _NotLoadedError as reason:
        report = FileReport(path, reason.status, message=str(reason))
    except NotReadableError as reason:
        report = FileReport(path, Status.REFUSED, message=str(reason))
    except UnicodeEncodeError:
        report = FileReport(path, Status.REFUSED, message="its name is not UTF-8, rename it")
    return replace(report, seconds=perf_counter() - started)


def _from_ledger(
    connection: duckdb.DuckDBPyConnection, path: Path, identity: Identity
) -> FileReport | None:
    """Return the report on a file that the ledger has, or None if the file is new."""
    entry = bronze.first_row(
        connection,
        "select size, modified_ns, content_hash, rows, rows_with_rescued_data, _ingested_at"
        f" from {bronze.LEDGER} where path = ?",
        [str(path)],
    )
    if entry is None:
        return None
    size, modified_ns, loaded_hash, rows, rescued, ingested_at = entry
    if identity.size == size and identity.modified_ns == modified_ns:
        return FileReport(path, Status.ALREADY_LOADED, rows, rescued)
    if identity.size == size and content_hash(path) == loaded_hash:
        # Touched but unchanged: the next run need not hash it again.
        connection.execute(
            f"update {bronze.LEDGER} set modified_ns = ? where path = ?",
            [identity.modified_ns, str(path)],
        )
        return FileReport(path, Status.ALREADY_LOADED, rows, rescued)
    message = (
        f"changed after {ingested_at} UTC, when it was loaded; land the new data as a new file"
    )
    return FileReport(path, Status.CHANGED, rows, rescued, message=message)


def _load_new(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    before: Identity,
    advance: Callable[[int], object],
    tolerant: bool,
) -> FileReport:
    """Load a file that the ledger does not know. Raises _NotLoadedError and OSError."""
    try:
        content, layout, first_line = _inspect(connection, path)
        reason = ""
        if not tolerant:
            try:
                with _transaction(connection):
                    at = _ingested_at(connection)
                    insert_by_scan(connection, path, layout, first_line, content, at, advance)
                    return _record(connection, path, before, content, at, "")
            except NotRegularError as error:
                reason = f"read line by line: {error}"
        with _transaction(connection):
            at = _ingested_at(connection)
            _insert_by_reader(connection, path, layout, at, advance)
            return _record(connection, path, before, content, at, reason)
    except (_NotLoadedError, LineTooLongError, NotReadableError) as error:
        # A file that is still being written may look broken; the next run reads it whole.
        if Identity.of(path) != before:
            message = "changed while it was read; run again when it is complete"
            raise _NotLoadedError(Status.GROWING, message) from error
        if isinstance(error, _NotLoadedError):
            raise
        raise _NotLoadedError(Status.REFUSED, str(error)) from error


def _inspect(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[Profile, Layout, bytes]:
    """Return profile, layout and first line of an events file; raises _NotLoadedError."""
    require_readable(path)
    with open_content(path) as (stream, _):
        fields, first_line = RecordReader(stream).first_record()
    if not first_line:
        raise _NotLoadedError(Status.EMPTY, "has no line yet")
    try:
        layout = header_layout(fields or [])
    except ValueError as error:
        raise _NotLoadedError(Status.REFUSED, f"{error}; name each column once") from error
    if layout is None and bronze.is_event(connection, fields or []):
        layout = PUBLISHED_LAYOUT
    if layout is None:
        known = {field.strip().lower() for field in fields or []} & set(EVENT_COLUMN_NAMES)
        raise _NotLoadedError(
            Status.REFUSED,
            f"not an events file: its first line is not an event and names {len(known)} of the"
            f" {len(EVENT_COLUMN_NAMES)} event columns ({MINIMUM_EVENT_COLUMNS} are needed):"
            f" {printable(first_line)[:60]!r}",
        )
    return profile(path), layout, first_line


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        # A commit that failed on a full disk has ended the transaction; its error is the cause.
        with suppress(duckdb.TransactionException):
            connection.rollback()
        raise


def _ingested_at(connection: duckdb.DuckDBPyConnection) -> datetime:
    """Return now in UTC, or later: watermarks need it to increase, and clocks may step back."""
    now = datetime.now(UTC).replace(tzinfo=None)
    row = bronze.first_row(connection, f"select max(_ingested_at) from {bronze.LEDGER}")
    newest: datetime | None = row[0] if row else None
    return now if newest is None else max(now, newest + timedelta(microseconds=1))


def _insert_by_reader(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    layout: Layout,
    ingested_at: datetime,
    advance: Callable[[int], object],
) -> None:
    """Insert the file's rows with the tolerant reader, within the open transaction."""
    with open_content(path) as (stream, stored):
        reader = RecordReader(stream)
        if layout.has_header:
            reader.first_record()
        done = 0
        for batch in reader.batches(len(layout.names), _BATCH_ROWS):
            bronze.insert_batch(connection, batch, layout, str(path), ingested_at)
            advance(stored.tell() - done)
            done = stored.tell()


def _record(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    before: Identity,
    content: Profile,
    ingested_at: datetime,
    message: str,
) -> FileReport:
    """Add the file to the ledger, in the transaction of its rows."""
    row = bronze.first_row(
        connection,
        f"select count(*), count(_rescued_data) from {bronze.EVENTS} where _ingested_at = ?",
        [ingested_at],
    )
    rows, rescued = row or (0, 0)
    connection.execute(
        f"insert into {bronze.LEDGER} values (?, ?, ?, ?, ?, ?, ?)",
        [
            str(path),
            before.size,
            before.modified_ns,
            content.content_hash,
            rows,
            rescued,
            ingested_at,
        ],
    )
    if Identity.of(path) != before:
        raise _NotLoadedError(Status.GROWING, "")
    return FileReport(path, Status.LOADED, rows, rescued, message=message)
