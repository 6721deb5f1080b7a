"""The stream that loads `events_raw` in Spark: Spark finds the files, this project reads them.

Spark lists the new files, tracks them in the checkpoint, and commits their rows once. Spark's
Python workers read them with `ingestion.file_load`, the local loader's own code: none of Spark's
CSV readers keeps the bronze contract of `ingestion.csv_records`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from pyspark import cloudpickle
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

import ingestion
import project
from ingestion import bronze
from ingestion.discovery import in_table, is_landed, members
from ingestion.event_schema import COLUMNS
from ingestion.file_load import FileReport, Status, load_readable_file
from ingestion.formats import Format
from project.errors import UserError

AUTO_LOADER: Final = "cloudFiles"

# Workers open a file by its path: `content` is declared and never read.
_FILES: Final = "path string, modificationTime timestamp, length bigint, content binary"
# Patterns of Spark are case-sensitive, so each letter is a class: `.[cC][sS][vV]`.
_SUFFIXES: Final = [re.sub("([a-z])", lambda a: f"[{a[0]}{a[0].upper()}]", f) for f in Format]
_NAMES: Final = "*{" + ",".join(_SUFFIXES) + "}"

_INGESTED_AT: Final = "_ingested_at"
_FILE_COLUMNS: Final = tuple(column for column in COLUMNS if column.name != _INGESTED_AT)
_ARROW_TYPES: Final = {
    "timestamp": pa.timestamp("us", tz="UTC"),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
}
_ROWS_PER_BATCH: Final = 20_000
# A Python worker on serverless compute has 1 GB in total.
_SETTINGS: Final[dict[str, str | bool | int | float | list[str]]] = {
    "threads": 1,
    "memory_limit": "400MB",
    "preserve_insertion_order": False,
}


@dataclass(frozen=True)
class Limits:
    """Upper limits of one micro-batch; None leaves the limit to the source."""

    files: int | None = None
    size: int | None = None
    """Bytes."""


def source_options(source_format: str, limits: Limits, *, file_events: bool) -> dict[str, str]:
    """Return options for the stream's source; Spark's own file source has some without a prefix."""
    is_auto_loader = source_format == AUTO_LOADER
    prefix = f"{AUTO_LOADER}." if is_auto_loader else ""
    options = {"recursiveFileLookup": "true", "pathGlobFilter": _NAMES}
    if is_auto_loader:
        options["cloudFiles.format"] = "binaryFile"
        if file_events:
            options["cloudFiles.useManagedFileEvents"] = "true"
    if limits.files is not None:
        options[f"{prefix}maxFilesPerTrigger"] = str(limits.files)
    if limits.size is not None:
        options[f"{prefix}maxBytesPerTrigger"] = str(limits.size)
    return options


def start(
    spark: SparkSession,
    source: Path,
    table: str,
    checkpoint: Path,
    *,
    interval: str | None,
    source_format: str,
    options: dict[str, str],
) -> StreamingQuery:
    """Start the stream from the folder into the table.

    With an `interval` it runs until it is stopped; without one it ends when it has read the files
    that are there. A file that cannot be read stops it, and none of that micro-batch's rows stay.
    """
    rows = (
        spark.readStream.format(source_format)
        .schema(_FILES)
        .options(**options)
        .load(str(source))
        .select("path")
        .mapInArrow(reader(str(source)), ", ".join(f"{c.name} {c.sql_type}" for c in _FILE_COLUMNS))
        # The micro-batch's time, which the checkpoint keeps, so that a retry gets the same one.
        .withColumn(_INGESTED_AT, F.current_timestamp())
    )
    writer = rows.writeStream.option("checkpointLocation", str(checkpoint))
    if interval is None:
        return writer.trigger(availableNow=True).toTable(table)
    return writer.trigger(processingTime=interval).toTable(table)


def reader(
    source: str,
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Return the function that turns batches of paths into batches of typed rows.

    Spark pickles it together with this project's code, because workers do not have the packages.
    """
    for package in (ingestion, project):
        cloudpickle.register_pickle_by_value(package)  # type: ignore[no-untyped-call]

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for uri in batch.column(0).to_pylist():
                path = local_path(uri)
                # Spark treats names such as `_a=1.csv` as finished files.
                if is_landed(path.relative_to(source)) and not in_table(path, Path(source)):
                    for file in members(path):
                        yield from file_rows(file)

    return read


def local_path(uri: str) -> Path:
    """Return the path under which a worker sees the file; UserError if there is none."""
    path = re.sub(r"^(dbfs|file):/+", "/", uri)
    if not path.startswith("/"):
        raise UserError(f"{uri}: not a path of a volume; pass --source as /Volumes/...")
    # Spark escapes paths in some columns and versions, and a name may contain a `%` itself.
    is_escaped = "%" in path and not Path(path).exists() and Path(unquote(path)).exists()
    return Path(unquote(path) if is_escaped else path)


def file_rows(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows that the local loader would load, without `_ingested_at`.

    A refused file yields none. Raises UserError for a file that a retry may be able to read: a
    stream processes each file once, so skipping it would lose it.
    """
    columns = ", ".join(column.name for column in _FILE_COLUMNS)
    schema = pa.schema([(c.name, _ARROW_TYPES[c.sql_type]) for c in _FILE_COLUMNS])
    try:
        with loaded_separately(path) as (connection, report):
            if report.status is Status.GROWING:
                raise UserError(f"{path}: {report.message}")
            rows = connection.sql(f"select {columns} from {bronze.EVENTS}")
            for batch in rows.to_arrow_reader(_ROWS_PER_BATCH):
                yield from pa.Table.from_batches([batch]).cast(schema).to_batches()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read: {error.strerror}; grant the job's principal READ VOLUME on it"
            " and run again"
        ) from error


@contextmanager
def loaded_separately(path: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, FileReport]]:
    """Load one file into a temporary database of its own; raises OSError.

    Whether a file follows the contract is known only at its end, so its rows must wait outside
    memory.
    """
    with (
        TemporaryDirectory() as folder,
        duckdb.connect(f"{folder}/file.duckdb", config=_SETTINGS) as connection,
    ):
        bronze.create_tables(connection)
        yield connection, load_readable_file(connection, path)
