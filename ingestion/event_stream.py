"""The stream that loads `events_raw` in Spark: Spark reads lines, and SQL parses and types them.

Spark lists the new files, tracks them in the checkpoint, and commits their rows once. What the
driver knows of each file (`ingestion.judged_files`) is joined to its lines. A file that the driver
has not seen stops the stream, so that it can look.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from ingestion import spark_lines
from ingestion.event_schema import COLUMNS, EVENT_COLUMNS
from ingestion.formats import Format
from ingestion.judged_files import JudgedFile
from project.errors import UserError

AUTO_LOADER: Final = "cloudFiles"

# Patterns of Spark are case-sensitive, so each letter is a class: `.[cC][sS][vV]`.
_NAMES: Final = "*" + re.sub("([a-z])", lambda a: f"[{a[0]}{a[0].upper()}]", Format.CSV)

NOT_JUDGED: Final = "not as the driver knows it: "
"""How the error begins that stops the stream at a new or changed file."""

# Before runtime 17.3 Auto Loader may list only names after those that it knows, as if names grew by
# time: `2019-Nov.csv` comes before `2019-Oct.csv`, and the names of converted texts are hashes.
WHOLE_LISTING: Final = {"cloudFiles.useIncrementalListing": "false"}

_LINES: Final = "value string"
_FILES: Final = "key string, is_loaded boolean, source_file string, text_size bigint"
# What Java's URIs keep in a path, besides letters and digits.
_UNESCAPED: Final = "/!$&'()*+,;=:@~"
_TYPED: Final = {c.name: f"{c.name}_value" for c in EVENT_COLUMNS if c.sql_type != "string"}


@dataclass(frozen=True)
class Limits:
    """Upper limits of one micro-batch; None leaves the limit to the source."""

    files: int | None = None
    size: int | None = None
    """Bytes."""


def source_options(source_format: str, limits: Limits, *, file_events: str) -> dict[str, str]:
    """Return options for the stream's source; Spark's own file source has some without a prefix.

    `file_events` is the value of `cloudFiles.useManagedFileEvents`, whose default depends on the
    runtime.
    """
    is_auto_loader = source_format == AUTO_LOADER
    prefix = f"{AUTO_LOADER}." if is_auto_loader else ""
    options = {"recursiveFileLookup": "true", "pathGlobFilter": _NAMES, **spark_lines.TEXT_OPTIONS}
    if is_auto_loader:
        options["cloudFiles.format"] = "text"
        options["cloudFiles.useManagedFileEvents"] = file_events
        if file_events == "false":
            options |= WHOLE_LISTING
    if limits.files is not None:
        options[f"{prefix}maxFilesPerTrigger"] = str(limits.files)
    if limits.size is not None:
        options[f"{prefix}maxBytesPerTrigger"] = str(limits.size)
    return options


def start(
    spark: SparkSession,
    sources: Mapping[Path, Mapping[str, str]],
    files: DataFrame,
    table: str,
    checkpoint: Path,
    *,
    source_format: str,
) -> StreamingQuery:
    """Start the stream from folders, each with its options, into the table.

    It ends when it has read the files that are there. At a file that is not in `known_files`, or
    not with this size, it fails, and none of that micro-batch's rows stay.
    """
    lines: DataFrame | None = None
    for source, options in sources.items():
        read = spark.readStream.format(source_format).schema(_LINES).options(**options)
        new = read.load(str(source)).selectExpr(
            "value", "_metadata.file_path as file_path", "_metadata.file_size as file_size"
        )
        lines = new if lines is None else lines.unionByName(new)
    assert lines is not None
    # The micro-batch's time, which the checkpoint keeps, so that a retry gets the same one.
    rows = events(lines, files).withColumn("_ingested_at", F.current_timestamp())
    writer = rows.select([column.name for column in COLUMNS]).writeStream
    writer = writer.option("checkpointLocation", str(checkpoint))
    return writer.trigger(availableNow=True).toTable(table)


def known_files(
    spark: SparkSession, files: Iterable[JudgedFile], others: Iterable[str]
) -> DataFrame:
    """Return what the stream may meet: judged files, and `others`, whose lines are no events.

    Raises UserError if two paths may look the same to Spark.
    """
    by_key: dict[str, tuple[str, tuple[object, ...]]] = {}
    for path, row in _known_rows(files, others):
        for key in _spellings(path):
            other, _ = by_key.setdefault(key, (path, row))
            if other != path:
                raise UserError(
                    f"{path}: Spark may take it for {other}, because it writes some characters of"
                    " a name with `%`; rename one of the two"
                )
    rows = [(key, *row) for key, (_, row) in by_key.items()]
    return spark.createDataFrame(rows, f"{_FILES}, {spark_lines.LAYOUT}")


def _known_rows(
    files: Iterable[JudgedFile], others: Iterable[str]
) -> Iterator[tuple[str, tuple[object, ...]]]:
    nothing = (None,) * len(spark_lines.LAYOUT_COLUMNS)
    seen = set()
    for file in files:
        if file.is_pending:
            layout = spark_lines.layout_row(file.header, file.layout)
            seen.add(file.text)
            yield file.text, (True, file.path, file.text_size, *layout)
    for path in others:
        if path not in seen:
            yield path, (False, None, None, *nothing)


def _spellings(path: str) -> set[str]:
    """Return how Spark may write a path, which depends on its version."""
    escaped = quote(path, safe=_UNESCAPED)
    in_part = "".join(c if c > "\x7f" else quote(c, safe=_UNESCAPED) for c in path)
    return {path, escaped, in_part}


def events(lines: DataFrame, files: DataFrame) -> DataFrame:
    """Return the rows of lines (`value`, `file_path`, `file_size`), without `_ingested_at`.

    `files` is a result of `known_files`.
    """
    # In one condition: apart from it, the join would lose lines of unknown files without an error.
    is_loaded = (
        f"case when key is null then raise_error(concat('{NOT_JUDGED}<', file_path, '>'))"
        " when is_loaded and file_size <> text_size"
        f" then raise_error(concat('{NOT_JUDGED}<', source_file, '>')) else is_loaded end"
    )
    # Spark names files by a URI, whose scheme depends on the place: `dbfs:/`, `file:///` or none.
    path = F.expr("replace(substring(file_path, instr(file_path, ':/') + 1), '///', '/')")
    return (
        lines.join(F.broadcast(files), path == F.col("key"), "left")
        .where(is_loaded)
        .withColumn("line", F.expr(spark_lines.without_return("value")))
        .where(spark_lines.is_data("line"))
        .withColumn("fields", F.expr(spark_lines.fields()))
        .withColumn("fields", F.expr(spark_lines.fitted()))
        .withColumns({name: F.expr(text) for name, text in spark_lines.texts().items()})
        .withColumns(
            {
                _TYPED[c.name]: F.expr(spark_lines.value(c))
                for c in EVENT_COLUMNS
                if c.name in _TYPED
            }
        )
        .selectExpr(
            *[f"{_TYPED.get(c.name, c.name)} as {c.name}" for c in EVENT_COLUMNS],
            f"{spark_lines.rescued_data(_TYPED)} as _rescued_data",
            "source_file as _source_file",
        )
    )
