"""The bytes of landed files: as stored, and as CSV text, whatever the format and the place.

A path is that of a file or, inside a zip archive, `<archive>/<name inside>`.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any, Final, Protocol, cast

import pyarrow as pa
import xxhash

from ingestion import archives, parquet_text
from ingestion.formats import (
    HEAD_BYTES,
    Format,
    NotReadableError,
    content_problem,
    damaged,
    format_by_content,
    format_by_name,
    problem,
)

_BLOCK_BYTES: Final = 1 << 20
_LONG_WINDOW: Final = (
    "was compressed with a window of more than 128 MB; decompress it with `zstd -d --long=31`, and"
    " compress it without --long"
)
_DICTIONARY: Final = (
    "was compressed with a dictionary; decompress it with `zstd -d -D` and that file, and compress"
    " it without -D"
)
_TITLES: Final = {Format.GZIP: "gzip", Format.ZSTD: "zstd"}


class Position(Protocol):
    """How far the stored bytes have been read."""

    def tell(self) -> int:
        """Return the number of bytes."""


class _Source(Protocol):
    def read(self, size: int, /) -> bytes | None: ...


class _Stream(io.RawIOBase):
    """Shows a source's bytes to an observer, and names the damage that reading it finds."""

    def __init__(
        self, source: _Source, title: str, observe: Callable[[bytes], object] | None = None
    ) -> None:
        self._source, self._title, self._observe = source, title, observe

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        try:
            block = self._source.read(len(view)) or b""
        except (*archives.MEMBER_ERRORS, OSError) as error:
            # The errors of gzip and Arrow are OSErrors as well, but have no number.
            if isinstance(error, NotReadableError) or getattr(error, "errno", None) is not None:
                raise
            if "too much memory" in str(error):
                raise NotReadableError(_LONG_WINDOW) from error
            if "Dictionary mismatch" in str(error):
                raise NotReadableError(_DICTIONARY) from error
            raise damaged(self._title, error) from error
        if self._observe is not None:
            self._observe(block)
        view[: len(block)] = block
        return len(block)


@contextmanager
def open_stored(path: Path) -> Iterator[IO[bytes]]:
    """Open a file as it is stored, in an archive or outside, without a buffer.

    Raises OSError, and NotReadableError for a pipe, a socket or a device, which it does not open.
    """
    inside = archives.split(path)
    if inside is not None:
        with archives.open_member(*inside) as member:
            yield member
    elif not S_ISREG(path.stat().st_mode):
        raise NotReadableError("is not a regular file; land a copy of its content")
    else:
        with path.open("rb", buffering=0) as stored:
            yield cast(IO[bytes], stored)


def format_of(path: Path) -> Format:
    """Return the format of a file that `require_readable` accepts. Raises OSError."""
    promised = format_by_name(path.name)
    return format_by_content(_head(path)) if promised is None else promised


def _head(path: Path) -> bytes:
    with open_stored(path) as stored:
        return _Stream(stored, "zip").read(HEAD_BYTES) or b""


def require_readable(path: Path) -> None:
    """Raise NotReadableError for a file that is not what its name says, or not CSV inside.

    Reads the start of the file, and the directory of an archive. Raises OSError.
    """
    head = _head(path)
    if reason := problem(path.name, head):
        raise NotReadableError(reason)
    kind = format_of(path)
    if kind is Format.ZIP and head and not archives.read_directory(path).members:
        raise NotReadableError("holds no file that can be read; unpack it")
    if kind in _TITLES:
        with open_content(path) as (stream, _):
            if reason := content_problem(stream.read(HEAD_BYTES)):
                raise NotReadableError(f"what it holds {reason}")


@contextmanager
def open_content(
    path: Path, observe: Callable[[bytes], object] | None = None
) -> Iterator[tuple[io.BufferedReader, Position]]:
    """Open a file as CSV text, with the stored file, whose position shows the progress.

    `observe` receives the stored bytes, except for Parquet, which is not read in order. Opening and
    reading raise OSError and NotReadableError.
    """
    kind = format_of(path)
    with open_stored(path) as stored:
        if kind is Format.PARQUET and path.stat().st_size:
            with parquet_text.open_text(path) as text:
                yield io.BufferedReader(text, _BLOCK_BYTES), text
            return
        raw = _Stream(stored, "zip", observe)
        yield io.BufferedReader(_decompressed(raw, kind), _BLOCK_BYTES), stored


def _decompressed(stored: io.RawIOBase, kind: Format) -> io.RawIOBase:
    if kind is Format.GZIP:
        return _Stream(gzip.GzipFile(fileobj=cast(IO[bytes], stored)), _TITLES[kind])
    if kind is Format.ZSTD:
        unpacked = pa.CompressedInputStream(pa.PythonFile(stored, mode="r"), "zstd")
        return _Stream(unpacked, _TITLES[kind])
    return stored


def content_hash(path: Path) -> str:
    """Return the XXH3 hash (128 bits, hexadecimal) of the file as stored."""
    digest = xxhash.xxh3_128()
    with open_stored(path) as stored:
        stream = _Stream(stored, "zip", digest.update)
        while stream.read(_BLOCK_BYTES):
            pass
    return digest.hexdigest()
