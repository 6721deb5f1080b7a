"""The tolerant reader at speed: blocks of regular lines are split in bulk, others line by line.

In a file with a bad line nearly all blocks have none. A block is regular if counts prove what
`csv_records` asks of each of its lines: plain text without quotes, with as many fields as the
header. All other blocks, cut small, go to `RecordReader`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from ingestion.csv_records import MAX_LINE_BYTES, Batch, RecordReader, Width

BLOCK_BYTES = 1 << 20
PART_BYTES = 1 << 15
"""Of a block with a bad line."""

_LINE_FEED: Final = ord("\n")


def read_blocks(
    stream: io.BufferedReader, width: Width, batch_rows: int, headers: frozenset[bytes]
) -> Iterator[Batch]:
    """Yield the rows of a stream from its start, which `RecordReader.batches` would yield.

    Each batch but the last has `batch_rows` rows or more. Raises LineTooLongError and any error of
    the stream.
    """
    header = min(headers, key=len, default=None)
    batch = Batch()
    # The first line may begin with a byte-order mark, which is none elsewhere.
    for found in RecordReader(io.BytesIO(_next_block(stream, 0))).batches(width, 1, headers):
        batch.add(found)
    while block := _next_block(stream, BLOCK_BYTES):
        for part in _parts(block, width, header):
            if isinstance(part, bytes):
                reader = RecordReader(io.BytesIO(part), has_start=False)
                for found in reader.batches(width, batch_rows, headers):
                    batch.add(found)
            else:
                batch.split.append(part)
        if len(batch) >= batch_rows:
            yield batch
            batch = Batch()
    if len(batch):
        yield batch


def _parts(block: bytes, width: Width, header: bytes | None) -> Iterator[pa.Array | bytes]:
    """Yield what a block holds: split lines where they are regular, and the others as they are."""
    fields = _fields(block, width, header)
    if fields is not None:
        yield fields
        return
    stream = io.BytesIO(block)
    while part := _next_block(stream, PART_BYTES):
        fields = _fields(part, width, header)
        yield part if fields is None else fields


def _next_block(stream: io.BufferedReader | io.BytesIO, size: int) -> bytes:
    """Return so many bytes and the rest of their last line, empty at the end."""
    block = stream.read(size)
    if block.endswith(b"\n"):
        return block
    # Beyond this the reader of the block refuses the line.
    return block + stream.readline(MAX_LINE_BYTES + 1)


def _fields(block: bytes, width: Width, header: bytes | None) -> pa.Array | None:
    """Return a list of fields for each line, or None if a line needs a closer look."""
    if not block.endswith(b"\n") or len(block) > MAX_LINE_BYTES:
        return None
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if b"\r" in block or b'"' in block or b"\0" in block:
        return None
    if (header is not None and header in block) or not _is_utf8(block):
        return None
    codes = np.frombuffer(block, np.uint8)
    is_end = (codes == ord(",")) | (codes == _LINE_FEED)
    ends = np.flatnonzero(is_end)
    if len(ends) % width.fields:
        return None
    # Each last one of so many ends is a line feed, and no other one is.
    last = codes[ends[width.fields - 1 :: width.fields]]
    if (last != _LINE_FEED).any() or len(last) != np.count_nonzero(codes == _LINE_FEED):
        return None
    # Field after field without what ends it, and where each begins there.
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends - np.arange(len(ends))
    texts = pa.StringArray.from_buffers(
        len(ends), pa.py_buffer(offsets), pa.py_buffer(codes[~is_end])
    )
    return pa.FixedSizeListArray.from_arrays(texts, width.fields)


def _is_utf8(block: bytes) -> bool:
    if block.isascii():
        return True
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True
