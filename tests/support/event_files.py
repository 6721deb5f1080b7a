"""Files of events in every format that the loaders read."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from support.dirty_files import HEADER, Lines


def csv_text(lines: Lines, rows: int = 3, separator: str = ",") -> bytes:
    """Return a file of events, different in each call with the same `lines`."""
    text = "".join(line + "\n" for line in [HEADER, *[lines.line() for _ in range(rows)]])
    return text.replace(",", separator).encode()


def zstd(content: bytes) -> bytes:
    """Compress with zstd."""
    return pa.compress(content, codec="zstd", asbytes=True)  # type: ignore[no-any-return]


def write_zip(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write a zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def write_parquet(path: Path, columns: Mapping[str, pa.Array]) -> Path:
    """Write a Parquet file with several row groups."""
    pq.write_table(pa.table(dict(columns)), path, row_group_size=2)
    return path


def text_columns(content: bytes) -> dict[str, pa.Array]:
    """Return the columns of a CSV file without quotes, as text; null where empty."""
    header, *rows = content.decode().splitlines()
    values = zip(*[row.split(",") for row in rows], strict=True)
    return {
        name: pa.array([value or None for value in column], pa.string())
        for name, column in zip(header.split(","), values, strict=True)
    }


def every_format(content: bytes) -> dict[str, bytes]:
    """Return the CSV content as it is stored in each format that needs no folder."""
    return {
        "plain.csv": content,
        "packed.csv.gz": gzip.compress(content),
        "packed.csv.zst": zstd(content),
    }
