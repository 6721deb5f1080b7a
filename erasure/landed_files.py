"""Landed files without a user's records: each is copied beside itself, then renamed."""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from erasure.statements import USER_COLUMN
from ingestion import archives, bronze
from ingestion.contents import format_of, open_content
from ingestion.csv_records import LineTooLongError, Record, RecordReader, printable
from ingestion.file_load import NotLoadedError, sample_of
from ingestion.formats import Format, NotReadableError
from ingestion.header import HeaderError
from ingestion.landing_files import Layout
from project.errors import UserError, reason

_BLOCK_BYTES: Final = 1 << 20
_WHOLE_NUMBER: Final = re.compile("[1-9][0-9]*")


@dataclass(frozen=True)
class Cut:
    """What a landed file has lost, in records without its header."""

    removed: int
    kept: int


def by_stored_file(paths: Iterable[Path]) -> dict[Path, list[Path]]:
    """Return the paths by the file that stores them: files in an archive by their archive."""
    stored: dict[Path, list[Path]] = {}
    for path in paths:
        inside = archives.split(path)
        stored.setdefault(path if inside is None else inside[0], []).append(path)
    return stored


def require_writable(stored: Iterable[Path]) -> None:
    """Raise UserError if a file cannot be replaced; a file that is gone need not be."""
    for path in stored:
        if path.exists() and not os.access(path.resolve().parent, os.W_OK):
            raise UserError(
                f"{path}: has lines of the user, and its folder cannot be written; get permission,"
                " then run again: nothing was changed"
            )


def rewrite(stored: Path, paths: Collection[Path], user: int) -> dict[Path, Cut]:
    """Replace a stored file by one without the user's records; return the cut of each path.

    `paths` are the file itself, or files inside the archive. Blank lines and a byte-order mark,
    which are no data, go as well. Raises OSError and NotReadableError; the file is then unchanged.
    """
    # A link may have taken the file's place: what it leads to has the records.
    content = stored.resolve()
    # Loaders do not read names that begin with a dot.
    written = content.with_name(f".{content.name}.erased")
    try:
        if [*paths] != [stored]:
            cuts = _rewrite_archive(stored, set(paths), user, written)
        elif format_of(stored) is Format.PARQUET:
            cuts = {stored: _copy_parquet(stored, user, written)}
        else:
            with written.open("wb") as sink:
                cuts = {stored: _copy(stored, user, sink)}
        shutil.copymode(stored, written)
        written.replace(content)
    except (HeaderError, LineTooLongError) as error:
        # Something else has taken the file's place since it was loaded.
        raise NotReadableError(str(error)) from error
    finally:
        written.unlink(missing_ok=True)
    return cuts


def _rewrite_archive(archive: Path, paths: set[Path], user: int, written: Path) -> dict[Path, Cut]:
    cuts: dict[Path, Cut] = {}
    members = archives.read_directory(archive).members
    path_of = {member.info.filename: archive / name for name, member in members.items()}
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(written, "w") as target:
        for info in source.infolist():
            path = path_of.get(info.filename)
            with target.open(_described(info), "w", force_zip64=True) as sink:
                if path is not None and path in paths:
                    cuts[path] = _copy(path, user, sink)
                elif not info.is_dir():
                    _copy_other(source, info, sink)
    return cuts


def _copy_other(archive: zipfile.ZipFile, info: zipfile.ZipInfo, sink: IO[bytes]) -> None:
    try:
        with archive.open(info) as member:
            shutil.copyfileobj(member, sink, _BLOCK_BYTES)
    except archives.MEMBER_ERRORS as error:
        raise NotReadableError(f"{info.filename}: {reason(error)}") from error


def _described(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    same = zipfile.ZipInfo(info.filename, info.date_time)
    same.compress_type, same.external_attr = info.compress_type, info.external_attr
    return same


def _copy(path: Path, user: int, sink: IO[bytes]) -> Cut:
    """Copy a file of text without the user's records, compressed as it is."""
    removed = kept = 0
    with _compressed(format_of(path), sink) as target:
        for content, is_users in _records(path, user):
            if is_users is None:
                target.write(content)
            elif is_users:
                removed += 1
            else:
                kept += 1
                target.write(content)
    return Cut(removed, kept)


@contextmanager
def _compressed(kind: Format, sink: IO[bytes]) -> Iterator[IO[bytes]]:
    if kind is Format.GZIP:
        with gzip.GzipFile(fileobj=sink, mode="wb") as packed:
            yield cast(IO[bytes], packed)
    elif kind is Format.ZSTD:
        with pa.CompressedOutputStream(pa.PythonFile(_Open(sink), mode="w"), "zstd") as packed:
            yield cast(IO[bytes], packed)
    else:
        yield sink


class _Open(io.RawIOBase):
    """A file that stays open when Arrow has written to it: an archive has more to write."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, content: object, /) -> int:
        return self._sink.write(cast(bytes, content))


def _copy_parquet(path: Path, user: int, written: Path) -> Cut:
    """Copy a Parquet file without the user's rows: each row is one record of its text."""
    keep = pa.array([not is_users for _, is_users in _records(path, user) if is_users is not None])
    with pq.ParquetFile(path) as source:
        rows = source.metadata.num_rows
        if len(keep) != rows:
            raise UserError(
                f"{path}: {rows:,} rows are read as {len(keep):,} records, so the user's cannot be"
                " found; remove them by the program that wrote the file"
            )
        done = 0
        with pq.ParquetWriter(written, source.schema_arrow) as target:
            for batch in source.iter_batches():
                target.write_batch(batch.filter(keep.slice(done, len(batch))))
                done += len(batch)
    return Cut(keep.false_count, keep.true_count)


def _records(path: Path, user: int) -> Iterator[tuple[bytes, bool | None]]:
    """Yield each record with its line end, and whether it is the user's; None for the header."""
    with duckdb.connect() as connection, open_content(path) as (stream, _):
        try:
            layout = sample_of(connection, path).layout
        except NotLoadedError:
            # No line is left where an earlier erasure, which died, has removed all of them.
            return
        reader = RecordReader(stream)
        if layout.has_header:
            yield next(reader.records()).content, None
        is_users = _judge(connection, layout, user)
        for record in reader.records(layout.width):
            yield record.content, is_users(record)


def _judge(
    connection: duckdb.DuckDBPyConnection, layout: Layout, user: int
) -> Callable[[Record], bool]:
    """Return a function that says whether bronze has a record as one of the user's."""
    position, digits = layout.names.index(USER_COLUMN), str(user)
    named = re.compile(rf"(?<![0-9])0*{user}(?![0-9])")

    def is_users(record: Record) -> bool:
        if record.fields is None:
            return named.search(printable(record.content)) is not None
        text = record.fields[position]
        if text == digits:
            return True
        if not text or _WHOLE_NUMBER.fullmatch(text):
            return False
        # Anything else is rare, and bronze itself says what number it is, if any.
        value = f"{USER_COLUMN}_value"
        [(typed,)] = bronze.evaluate(connection, [record.fields], layout, [value], [])
        return typed == user or (typed is None and named.search(text) is not None)

    return is_users
