"""Landed files: their identity, a profile of their bytes, and the columns that they have."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from itertools import islice
from os import stat_result
from pathlib import Path
from typing import Final

import numpy as np
import xxhash

from ingestion import archives
from ingestion.contents import content_hash, format_of, open_content
from ingestion.csv_records import BYTE_ORDER_MARK, MAX_LINE_BYTES, LineTooLongError, Width
from ingestion.event_schema import EVENT_COLUMN_NAMES, PUBLISHED_COLUMN_NAMES
from ingestion.formats import Format
from ingestion.typed_text import MAX_BIGINT

_BLOCK_BYTES: Final = 1 << 20
_PIECE_BYTES: Final = 1 << 14
_MOST_PIECES: Final = 8
_MOST_ODD_LINES: Final = 100
_NAME: Final = EVENT_COLUMN_NAMES[0].encode()


@dataclass(frozen=True)
class Identity:
    """Shows without reading whether a file has changed: size in bytes, time in nanoseconds.

    The inode is left out: a file system over object storage may assign a new one at each access.
    A file in an archive has its own size and the archive's time.
    """

    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> Identity:
        """Return the file's current identity; raises OSError and NotReadableError."""
        inside = archives.split(path)
        if inside is not None:
            return cls(archives.find_member(*inside).file_size, _modified_ns(inside[0].stat()))
        status = path.stat()
        return cls(status.st_size, _modified_ns(status))


def _modified_ns(status: stat_result) -> int:
    # A time before 1677 or after 2262, as clocks and copies get wrong, is beyond the ledger's type.
    return max(-MAX_BIGINT, min(status.st_mtime_ns, MAX_BIGINT))


@dataclass(frozen=True)
class Profile:
    """Result of one pass over a file: hash of its stored bytes, counts of those of its CSV text."""

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
    """Physical lines from places that are spread evenly over the file, and its odd lines."""
    last_line: bytes = b""
    """What follows the last line end."""


@dataclass(frozen=True)
class Layout:
    """The column name of each field of a record: an event column or an additional one."""

    names: tuple[str, ...]
    has_header: bool
    is_ragged: bool = False
    """Whether records may end in more empty fields, or without additional ones."""

    @property
    def width(self) -> Width:
        """How many fields a record has."""
        named = [n for n, name in enumerate(self.names, 1) if name in EVENT_COLUMN_NAMES]
        return Width(len(self.names), max(named), self.is_ragged)


PUBLISHED_LAYOUT: Final = Layout(PUBLISHED_COLUMN_NAMES, has_header=False)


def profile(path: Path, is_wanted: Callable[[], bool] = lambda: True) -> Profile:
    """Read the whole file once, in blocks. Raises OSError and NotReadableError.

    Raises CancelledError when it `is_wanted` no more.
    """
    size = lines_fed = commas = quotes = returns = returns_before_feed = 0
    has_mark = has_nul = False
    utf8 = codecs.getincrementaldecoder("utf-8")()
    is_utf8, is_ascii, last = True, True, b""
    last_line = b""
    digest = xxhash.xxh3_128()
    is_parquet = format_of(path) is Format.PARQUET
    pieces: list[bytes] = []
    odd: list[bytes] = []
    blocks, blocks_per_piece = 0, 1
    with open_content(path, digest.update) as (source, _):
        while block := source.read(_BLOCK_BYTES):
            if not is_wanted():
                raise CancelledError
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
            if (end := block.rfind(b"\n")) >= 0:
                last_line = block[end + 1 :]
            elif len(last_line) < MAX_LINE_BYTES:
                last_line += block
            if blocks % blocks_per_piece == 0:
                pieces.append(_middle_lines(block))
            if len(odd) < _MOST_ODD_LINES:
                odd += _odd_lines(block)
            blocks += 1
            if len(pieces) > _MOST_PIECES:
                pieces = pieces[::2]
                blocks_per_piece *= 2
    if is_utf8 and not is_ascii:
        is_utf8 = _feed(utf8, b"", final=True)
    return Profile(
        content_hash=content_hash(path) if is_parquet else digest.hexdigest(),
        size=size,
        lines=lines_fed + (last_line != b""),
        commas=commas,
        quotes=quotes,
        line_ends=lines_fed + returns,
        has_byte_order_mark=has_mark,
        is_regular=is_utf8
        and not has_nul
        and returns == returns_before_feed
        and returns in (0, lines_fed),
        pieces=(*pieces, b"".join(odd)),
        last_line=last_line,
    )


def sample_pieces(path: Path) -> list[bytes]:
    """Return the `pieces` that `profile` takes of a text, and read little else. Raises OSError.

    Odd lines are those of the blocks that the pieces are from.
    """
    blocks = -(-path.stat().st_size // _BLOCK_BYTES)
    step = 1
    while blocks > step * _MOST_PIECES:
        step *= 2
    pieces, odd = [], []
    with path.open("rb") as stream:
        for block in range(0, blocks, step):
            stream.seek(block * _BLOCK_BYTES)
            content = stream.read(_BLOCK_BYTES)
            pieces.append(_middle_lines(content))
            odd += _odd_lines(content)
    return [*pieces, b"".join(odd)]


def last_line_of(path: Path) -> bytes:
    """Return the `last_line` of a text as `profile` does, empty if it is long. Raises OSError."""
    start = max(path.stat().st_size - _BLOCK_BYTES, 0)
    with path.open("rb") as stream:
        stream.seek(start)
        _, line_end, line = stream.read().rpartition(b"\n")
    return line if line_end or not start else b""


def require_short_lines(path: Path) -> None:
    """Raise LineTooLongError if a line exceeds `MAX_LINE_BYTES`, or OSError.

    Between two line ends that are not farther apart than that no line can, so most of the file need
    not be read.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = 0
        while size - start > MAX_LINE_BYTES:
            stream.seek(start + MAX_LINE_BYTES // 2)
            stream.readline(MAX_LINE_BYTES)
            end = stream.tell()
            if end - start > MAX_LINE_BYTES:
                stream.seek(start)
                while stream.tell() < end:
                    line = stream.readline(MAX_LINE_BYTES + 1)
                    if len(line) > MAX_LINE_BYTES:
                        raise LineTooLongError(line)
                end = stream.tell()
            start = end


def _middle_lines(block: bytes) -> bytes:
    """Return the whole lines of a piece from the middle of a block."""
    middle = len(block) // 2
    piece = block[middle : middle + _PIECE_BYTES]
    return piece[piece.find(b"\n") + 1 : piece.rfind(b"\n") + 1]


def _odd_lines(block: bytes) -> list[bytes]:
    """Return the lines that may be headers or have another form than most, each with an LF."""
    has_lone_cr = b"\r" in block and block.count(b"\r") > block.count(b"\r\n")
    signs = [sign for sign in (_NAME, b"\0") if sign in block] + [b"\r"] * has_lone_cr
    if not signs:
        return []
    lines = (line.removesuffix(b"\r") for line in block.split(b"\n"))
    odd = (line + b"\n" for line in lines if any(sign in line for sign in signs))
    return list(islice(odd, _MOST_ODD_LINES))


def _feed(decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True
