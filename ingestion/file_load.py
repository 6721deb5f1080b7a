"""Loads one file into bronze: all or nothing, in one transaction with its ledger entry.

DuckDB's scan loads a file if the counts from `landing_files.profile` prove that it reads the file
correctly; the tolerant reader of `line_blocks` loads the others. Both use the same SQL. A large
file is counted while it is scanned; small ones share a transaction (docs/decisions/0032).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from threading import Event
from time import perf_counter
from typing import Final

import duckdb

from ingestion import bronze
from ingestion.contents import content_hash, open_content, require_readable
from ingestion.csv_records import Batch, LineTooLongError, Record, RecordReader, repetitions
from ingestion.fast_scan import NotRegularError, insert_by_scan, require_regular
from ingestion.file_sample import FEW_LINES, HEAD_LINES, Sample, is_cut, read_sample
from ingestion.file_verdict import UnusableError, is_published, judge, require_undamaged
from ingestion.formats import Format, NotReadableError
from ingestion.header import HeaderError, read_layout
from ingestion.joined_parts import require_one_form
from ingestion.landing_files import (
    Identity,
    Layout,
    Profile,
    profile,
    sample_pieces,
)
from ingestion.line_blocks import read_blocks
from ingestion.typed_text import Texts

WITHOUT_ZONE: Final = "event times without a zone are taken as UTC"
WITHOUT_PRICE: Final = "no line has a price above 0"
CUT: Final = "the last line is not whole and has no line end; check that the file is complete"

LARGE_BYTES = 64 << 20
"""A commit of fewer costs a good part of their load, and counting them is over at once."""

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
    note: str = ""
    """What was assumed about a loaded file, and what it lacks."""


@dataclass(frozen=True)
class Judged:
    """How the events of a file are read, as its first lines show."""

    first: Record
    layout: Layout
    texts: Texts

    @property
    def headers(self) -> frozenset[bytes]:
        """Each form of the header line; none if the first record is an event."""
        return repetitions(self.first.content) if self.layout.has_header else frozenset()


class NotLoadedError(Exception):
    """The file cannot be loaded now; none of its rows are kept."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status


class NotTogetherError(Exception):
    """A file of several in one transaction needs one of its own; nothing of them is loaded."""


_Transaction = Callable[[duckdb.DuckDBPyConnection], AbstractContextManager[None]]


def load_together(
    connection: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    advance: Callable[[int], object] = lambda _: None,
) -> list[FileReport]:
    """Load small files like `load_file`, in one transaction; raises NotTogetherError.

    A kill leaves all of them to the next run.
    """
    try:
        with _transaction(connection):
            return [load_file(connection, path, advance, transaction=_shared) for path in paths]
    except duckdb.Error as error:
        raise NotTogetherError from error


@contextmanager
def _shared(_: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Be a part of the open transaction, of which DuckDB cannot roll back a part."""
    try:
        yield
    except NotLoadedError as reason:
        # Nothing was inserted of an empty file.
        if reason.status is Status.EMPTY:
            raise
        raise NotTogetherError from reason
    except Exception as error:
        raise NotTogetherError from error


def load_file(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    advance: Callable[[int], object] = lambda _: None,
    *,
    tolerant: bool = False,
    transaction: _Transaction | None = None,
) -> FileReport:
    """Load one file into the tables that `bronze.create_tables` made.

    `path` must be absolute and resolved, because it identifies the file. `advance` receives the
    number of bytes just processed; `tolerant` skips DuckDB's scan; `transaction` takes the place of
    one for the file alone. Raises duckdb.Error if DuckDB cannot write.
    """
    started = perf_counter()
    try:
        str(path).encode()
        before = Identity.of(path)
        report = _from_ledger(connection, path, before)
        if report is None:
            report = _load_new(
                connection, path, before, advance, tolerant, transaction or _transaction
            )
    except NotLoadedError as reason:
        report = FileReport(path, reason.status, message=str(reason))
    except NotReadableError as reason:
        report = FileReport(path, Status.REFUSED, message=str(reason))
    except UnicodeEncodeError:
        report = FileReport(path, Status.REFUSED, message="its name is not UTF-8, rename it")
    except OSError as error:
        remedy = (
            "get permission to read it" if isinstance(error, PermissionError) else "copy it again"
        )
        message = f"cannot be read: {error.strerror}; {remedy}"
        report = FileReport(path, Status.REFUSED, message=message)
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
    transaction: _Transaction,
) -> FileReport:
    """Load a file that the ledger does not know. Raises NotLoadedError and OSError."""
    with refusals(path, before), _counting(path, before) as (counted, look_through):
        judged = judge_file(connection, path, look_through)
        new = _NewFile(path, before, counted, judged)
        texts = judged.texts
        while True:
            try:
                return _insert(connection, new, advance, texts, transaction, tolerant=tolerant)
            except duckdb.Error as error:
                if not bronze.is_unexpected(error) or texts is Texts.ALL:
                    raise
                texts = Texts(texts + 1)


@contextmanager
def _counting(
    path: Path, identity: Identity
) -> Iterator[tuple[Future[Profile], Callable[[], Sequence[bytes]]]]:
    """Yield the coming profile of a file, and what looks through it for `judge_file`.

    The profile of a large file of plain text comes from a thread, so that the scan need not wait.
    """
    if identity.size < LARGE_BYTES or not path.name.lower().endswith(Format.CSV):
        counted: Future[Profile] = Future()

        def look_through() -> Sequence[bytes]:
            counted.set_result(profile(path))
            return counted.result().pieces

        yield counted, look_through
        return
    is_ended = Event()
    with ThreadPoolExecutor(max_workers=1) as executor:
        try:
            coming = executor.submit(profile, path, lambda: not is_ended.is_set())
            yield coming, lambda: sample_pieces(path)
        finally:
            is_ended.set()


@contextmanager
def refusals(path: Path, before: Identity) -> Iterator[None]:
    """Raise NotLoadedError for what is wrong with a file that had this identity; or OSError."""
    try:
        yield
    except (
        NotLoadedError,
        HeaderError,
        UnusableError,
        LineTooLongError,
        NotReadableError,
    ) as error:
        # A file that is still being written may look broken; the next run reads it whole.
        if Identity.of(path) != before:
            message = "changed while it was read; run again when it is complete"
            raise NotLoadedError(Status.GROWING, message) from error
        if isinstance(error, NotLoadedError):
            raise
        raise NotLoadedError(Status.REFUSED, str(error)) from error


def judge_file(
    connection: duckdb.DuckDBPyConnection, path: Path, look_through: Callable[[], Sequence[bytes]]
) -> Judged:
    """Return how the events of a file are read.

    `look_through` raises what refuses the rest of the file, or returns physical lines from places
    spread over it. Raises as it does, NotLoadedError, HeaderError, UnusableError, LineTooLongError,
    NotReadableError and OSError.
    """
    require_readable(path)
    first, sample = _inspect(connection, path, FEW_LINES)
    further = look_through()
    require_one_form(sample.layout, [*(record.content for record in sample.records), *further])
    if is_published(sample):
        require_undamaged(sample, further)
        return Judged(first, sample.layout, Texts.PUBLISHED)
    _, sample = _inspect(connection, path, HEAD_LINES)
    judge(connection, sample, further)
    return Judged(first, sample.layout, Texts.ALL if sample.lacks_zone else Texts.ZONED)


def _inspect(
    connection: duckdb.DuckDBPyConnection, path: Path, lines: int
) -> tuple[Record, Sample]:
    """Return the first record of an events file, and a sample of at most so many more lines.

    Raises NotLoadedError for a file without a line, HeaderError, LineTooLongError and
    NotReadableError.
    """
    with open_content(path) as (stream, _):
        reader = RecordReader(stream)
        first = next(reader.records(), None)
        if first is None:
            raise NotLoadedError(Status.EMPTY, "has no line yet")
        layout = read_layout(first, lambda fields: bronze.is_event(connection, fields))
        return first, read_sample(reader, first, layout, lines)


def sample_of(connection: duckdb.DuckDBPyConnection, path: Path) -> Sample:
    """Return the first lines of a file that was judged, which may have changed since.

    Raises NotLoadedError for a file without a line, HeaderError, LineTooLongError, NotReadableError
    and OSError.
    """
    return _inspect(connection, path, HEAD_LINES)[1]


@dataclass(frozen=True)
class _NewFile:
    """What is known of a file before it is loaded."""

    path: Path
    identity: Identity
    counted: Future[Profile]
    judged: Judged


def _insert(
    connection: duckdb.DuckDBPyConnection,
    new: _NewFile,
    advance: Callable[[int], object],
    texts: Texts,
    transaction: _Transaction,
    *,
    tolerant: bool,
) -> FileReport:
    """Insert the file's rows and its ledger entry by the fastest way that reads it right."""
    reason = ""
    while not tolerant:
        is_counted = new.counted.done()
        try:
            # Before a transaction that other files may share.
            if is_counted:
                require_regular(new.counted.result(), new.judged.layout)
            with transaction(connection):
                at = _ingested_at(connection)
                insert_by_scan(
                    connection,
                    new.path,
                    new.judged.layout,
                    new.judged.first,
                    new.counted,
                    at,
                    advance,
                    texts,
                )
                return _record(connection, new, at, texts, "")
        except NotRegularError as error:
            # Counted first, a file with quotes can be scanned as one.
            if is_counted or not new.counted.result().quotes:
                reason = f"read line by line: {error}"
                break
    with transaction(connection):
        at = _ingested_at(connection)
        _insert_by_reader(connection, new, at, advance, texts)
        return _record(connection, new, at, texts, reason)


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
    new: _NewFile,
    ingested_at: datetime,
    advance: Callable[[int], object],
    texts: Texts,
) -> None:
    """Insert the file's rows with the tolerant reader, within the open transaction."""
    with open_content(new.path) as (stream, stored):
        layout = new.judged.layout
        done = 0
        batches = read_blocks(stream, layout.width, _BATCH_ROWS, new.judged.headers)
        for batch in _read_ahead(batches):
            bronze.insert_batch(connection, batch, layout, str(new.path), ingested_at, texts)
            advance(stored.tell() - done)
            done = stored.tell()


def _read_ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield the batches, each of which a thread reads while the one before is inserted."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        coming = executor.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = executor.submit(next, batches, None)
            yield batch


def joined_notes(notes: Mapping[str, bool]) -> str:
    """Return the notes that apply as one text."""
    return "; ".join(note for note, applies in notes.items() if applies)


def _record(
    connection: duckdb.DuckDBPyConnection,
    new: _NewFile,
    ingested_at: datetime,
    texts: Texts,
    message: str,
) -> FileReport:
    """Add the file to the ledger, in the transaction of its rows.

    Raises NotLoadedError if it has no row, or changed meanwhile.
    """
    row = bronze.first_row(
        connection,
        "select count(*), count(_rescued_data), count_if(price > 0)"
        f" from {bronze.EVENTS} where _ingested_at = ?",
        [ingested_at],
    )
    rows, rescued, priced = row or (0, 0, 0)
    counted = new.counted.result()
    if not rows:
        raise NotLoadedError(Status.EMPTY, "has a header and no line of data yet")
    connection.execute(
        f"insert into {bronze.LEDGER} values (?, ?, ?, ?, ?, ?, ?)",
        [
            str(new.path),
            new.identity.size,
            new.identity.modified_ns,
            counted.content_hash,
            rows,
            rescued,
            ingested_at,
        ],
    )
    # All of it: of a large file, only parts were at hand before.
    require_one_form(new.judged.layout, counted.pieces)
    if Identity.of(new.path) != new.identity:
        raise NotLoadedError(Status.GROWING, "")
    end = counted.last_line
    note = joined_notes(
        {
            WITHOUT_ZONE: texts is Texts.ALL,
            WITHOUT_PRICE: not priced,
            CUT: end != b"" and is_cut(sample_of(connection, new.path), end),
        }
    )
    return FileReport(new.path, Status.LOADED, rows, rescued, message=message, note=note)
