"""Landed files: discovery, a profile of their bytes, and the columns that they have."""

from __future__ import annotations

import codecs
import gzip
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO, Final, cast

import numpy as np
import xxhash

from ingestion.csv_records import BYTE_ORDER_MARK
from ingestion.event_schema import PUBLISHED_COLUMN_NAMES
from project.errors import UserError

SUFFIXES: Final = (".csv", ".csv.gz")

_BLOCK_BYTES: Final = 1 << 20
_PIECE_BYTES: Final = 1 << 14
_MOST_PIECES: Final = 8


@dataclass(frozen=True)
class Identity:
    """Shows without reading whether a file has changed: size in bytes, time in nanoseconds.

    The inode is left out: a file system over object storage may assign a new one at each access.
    """

    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> Identity:
        """Return the file's current identity; raises OSError."""
        status = path.stat()
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Profile:
    """Result of one pass over a file: hash of its stored bytes, counts of the decompressed ones."""

    content_hash: str
    size: int
    lines: int
    commas: int
    quotes: int
    line_ends: int
    has_byte_order_mark: bool
    is_regular: bool
    """Valid UTF-8, no NUL, and all lines end the same way: LF without any CR, or CR LF."""
    pieces: tuple[bytes, ...] = ()
    """Physical lines from places that are spread evenly over the file."""


@dataclass(frozen=True)
class Layout:
    """The column name of each field of a record: an event column or an additional one."""

    names: tuple[str, ...]
    has_header: bool


PUBLISHED_LAYOUT: Final = Layout(PUBLISHED_COLUMN_NAMES, has_header=False)


def discover(data: Path, option: str = "--data") -> list[Path]:
    """Return the absolute, resolved paths of the landed files in path order.

    `data` is a file or a folder, `option` the command-line option that names it. Names that start
    with `.` or `_` are skipped, as in Auto Loader: writers use them for unfinished files. Raises
    UserError if there is nothing to read or a folder cannot be read.
    """
    try:
        return _discover(data, option)
    except OSError as error:
        raise UserError(
            f"{error.filename or data}: cannot be read: {error.strerror}; get permission to"
            f" read it, or pass another file or folder with {option}"
        ) from error


def _discover(data: Path, option: str) -> list[Path]:
    if not data.exists():
        raise UserError(f"{data}: no such file or folder; pass one with {option}")
    if data.is_file():
        if not data.name.lower().endswith(SUFFIXES):
            raise UserError(f"{data}: not a .csv or .csv.gz file; rename or convert it")
        return [data.resolve()]
    found: set[Path] = set()
    for folder, folders, names in os.walk(data, onerror=_raise):
        folders[:] = [name for name in folders if is_landed(PurePath(name, "f.csv"))]
        found.update(Path(folder, name).resolve() for name in names if is_landed(PurePath(name)))
    if not found:
        raise UserError(f"{data}: no .csv or .csv.gz file in this folder; land files first")
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error


def is_landed(relative: PurePath) -> bool:
    """Return whether a path below the landing folder is that of a finished CSV file."""
    unfinished = any(part.startswith((".", "_")) for part in relative.parts)
    return not unfinished and relative.name.lower().endswith(SUFFIXES)


def is_compressed(path: Path) -> bool:
    """Return whether the file's name is that of a gzip file."""
    return path.name.lower().endswith(".gz")


@contextmanager
def open_content(path: Path) -> Iterator[tuple[io.BufferedReader, BinaryIO]]:
    """Open the decompressed bytes and the stored file, whose position shows the progress."""
    with path.open("rb", buffering=0) as stored:
        if is_compressed(path):
            with gzip.GzipFile(fileobj=cast(BinaryIO, stored)) as unzipped:
                yield io.BufferedReader(unzipped, _BLOCK_BYTES), cast(BinaryIO, stored)
        else:
            yield io.BufferedReader(stored, _BLOCK_BYTES), cast(BinaryIO, stored)


def content_hash(path: Path) -> str:
    """Return the XXH3 hash (128 bits, hexadecimal) of the file as stored."""
    digest = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as stored:
        while block := stored.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


class _HashedFile:
    """A file for `gzip` to read, which hashes all bytes that are read."""

    def __init__(self, stored: io.FileIO) -> None:
        self._stored = stored
        self.digest = xxhash.xxh3_128()

    def read(self, size: int = -1) -> bytes:
        block = self._stored.read(size) or b""
        self.digest.update(block)
        return block


def profile(path: Path) -> Profile:
    """Read the whole file once, in blocks.

    Raises OSError and, for a damaged gzip file, BadGzipFile, EOFError or zlib.error.
    """
    size = lines_fed = commas = quotes = returns = returns_before_feed = 0
    has_mark = has_nul = False
    utf8 = codecs.getincrementaldecoder("utf-8")()
    is_utf8, is_ascii, last = True, True, b""
    pieces: list[bytes] = []
    blocks, blocks_per_piece = 0, 1
    with path.open("rb", buffering=0) as stored:
        hashed = _HashedFile(stored)
        source = gzip.GzipFile(fileobj=cast(BinaryIO, hashed)) if is_compressed(path) else hashed
        while block := source.read(_BLOCK_BYTES):
            if not size:
                has_mark = block.startswith(BYTE_ORDER_MARK)
            size += len(block)
            codes = np.frombuffer(block, np.uint8)
            lines_fed += int(np.count_nonzero(codes == ord("\n")))
            commas += int(np.count_nonzero(codes == ord(",")))
            if b'"' in block:
                quotes += block.count(b'"')
            if b"\r" in block or last == b"\r":
                returns += block.count(b"\r")
                returns_before_feed += (last + block).count(b"\r\n")
            has_nul = has_nul or b"\0" in block
            # Decoding costs ten times the rest: published files are ASCII, so it is rarely needed.
            is_ascii = is_ascii and block.isascii()
            if is_utf8 and not is_ascii:
                is_utf8 = _feed(utf8, block)
            last = block[-1:]
            if blocks % blocks_per_piece == 0:
                pieces.append(_middle_lines(block))
            blocks += 1
            if len(pieces) > _MOST_PIECES:
                pieces = pieces[::2]
                blocks_per_piece *= 2
    if is_utf8 and not is_ascii:
        is_utf8 = _feed(utf8, b"", final=True)
    return Profile(
        content_hash=hashed.digest.hexdigest(),
        size=size,
        lines=lines_fed + (last not in (b"", b"\n")),
        commas=commas,
        quotes=quotes,
        line_ends=lines_fed + returns,
        has_byte_order_mark=has_mark,
        is_regular=is_utf8
        and not has_nul
        and returns == returns_before_feed
        and returns in (0, lines_fed),
        pieces=tuple(pieces),
    )


def _middle_lines(block: bytes) -> bytes:
    """Return the whole lines of a piece from the middle of a block."""
    middle = len(block) // 2
    piece = block[middle : middle + _PIECE_BYTES]
    return piece[piece.find(b"\n") + 1 : piece.rfind(b"\n") + 1]


def _feed(decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True
