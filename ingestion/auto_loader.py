"""The Auto Loader job: loads new files of a volume into `bronze_layer.events_raw`, each once.

The bundle runs this file as a script. Exit code 2 means bad input, or that nothing could be loaded.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    # Python adds a script's folder to the path, not its parent; not every runner sets __file__.
    sys.path.insert(0, str(Path(inspect.getfile(lambda: None)).resolve().parent.parent))

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ingestion import bronze, event_stream
from ingestion.discovery import Landed, discover, expand
from ingestion.event_schema import (
    COLUMNS,
    TABLE_COMMENT,
    Column,
    columns_to_add,
    require_known_types,
)
from ingestion.event_stream import AUTO_LOADER, Limits
from ingestion.file_load import WITHOUT_ZONE, FileReport, Status, lacks_zone
from ingestion.formats import NotReadableError
from ingestion.load_report import LoadReport, print_report
from project.arguments import positive_integer
from project.errors import UserError

MARKER: Final = "table_of_this_stream"

# The report opens each new file, and a volume takes a tenth of a second for it.
_FILES_AT_A_TIME: Final = 16


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the job's parameters."""
    parser = argparse.ArgumentParser(prog="auto_loader.py", description=__doc__)
    parser.add_argument("--catalog", required=True, help="catalog that holds bronze_layer")
    parser.add_argument(
        "--source", type=Path, required=True, help="landing folder, /Volumes/<catalog>/..."
    )
    parser.add_argument(
        "--checkpoint", type=Path, required=True, help="the stream's folder, in another volume"
    )
    parser.add_argument(
        "--mode",
        choices=("triggered", "continuous"),
        default="triggered",
        help="load the files that are there and exit (all that serverless compute supports), or"
        " keep running (default: %(default)s)",
    )
    parser.add_argument(
        "--interval",
        type=_interval,
        default="30 seconds",
        help="time between micro-batches in continuous mode (default: %(default)s)",
    )
    parser.add_argument(
        "--max-files-per-trigger",
        type=positive_integer,
        metavar="N",
        help="files per micro-batch",
    )
    parser.add_argument(
        "--max-bytes-per-trigger",
        type=_size,
        metavar="SIZE",
        help="bytes per micro-batch, such as 10g",
    )
    parser.add_argument(
        "--file-events",
        nargs="?",
        choices=("true", "false"),
        const="true",
        default="false",
        help="find new files through file events instead of listing the folder; the external"
        " location must have them enabled",
    )
    return parser


def _size(text: str) -> int:
    found = re.fullmatch("([1-9][0-9]*)([kmgt]?)b?", text.lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512m or 10g")
    # Spark's own file source accepts no unit.
    return int(found[1]) << 10 * " kmgt".index(found[2] or " ")


def _interval(text: str) -> str:
    if not re.fullmatch("[0-9]+ (millisecond|second|minute|hour)s?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not an interval such as '30 seconds'")
    return text


def main(argv: Sequence[str] | None = None, *, source_format: str = AUTO_LOADER) -> int:
    """Run the job and return its exit code; user errors become one line on stderr.

    `source_format` is the stream's source: Auto Loader, or `binaryFile` for Spark's own file source
    outside Databricks.
    """
    args = build_parser().parse_args(argv)
    try:
        return run(args, source_format)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def run(args: argparse.Namespace, source_format: str) -> int:
    """Check the input, run the stream and, when it ends, print the outcome for each file.

    Raises UserError; nothing is created or changed until all input is checked.
    """
    require_known_types()
    source = args.source.resolve()
    is_triggered = args.mode == "triggered"
    _check_source(source, must_hold_files=is_triggered)
    table = f"`{args.catalog}`.{bronze.EVENTS}"
    spark = SparkSession.builder.getOrCreate()
    before = prepare(spark, table, args.checkpoint, source_format)
    limits = Limits(args.max_files_per_trigger, args.max_bytes_per_trigger)
    try:
        event_stream.start(
            spark,
            source,
            table,
            args.checkpoint,
            interval=None if is_triggered else args.interval,
            source_format=source_format,
            options=event_stream.source_options(
                source_format, limits, file_events=args.file_events == "true"
            ),
        ).awaitTermination()
    except PySparkException as error:
        raise _to_user_error(error) from error
    landed = expand(discover(source, "--source"))
    return print_report(report(spark, table, landed, before), source)


def _to_user_error(error: PySparkException) -> Exception:
    """Return a UserError where the user can act on the error; a bug keeps its traceback."""
    # An error in a Python worker arrives as the text of its traceback.
    user_error = re.search(r"UserError: (.+)", str(error))
    if user_error is not None:
        return UserError(user_error[1].rstrip("'\""))
    first_line = str(error).splitlines()[0]
    if "Traceback" in first_line:
        return error
    return UserError(
        f"the stream stopped: {first_line}; bronze holds only whole files, so remove the cause and"
        " run again"
    )


def _check_source(source: Path, *, must_hold_files: bool) -> None:
    try:
        next(source.iterdir(), None)
    except OSError as error:
        raise UserError(
            f"{source}: cannot be read as a folder: {error.strerror}; create the volume and the"
            " folder (databricks bundle deploy), get READ VOLUME on it, or pass another --source"
        ) from error
    if must_hold_files:
        discover(source, "--source")


def prepare(spark: SparkSession, table: str, checkpoint: Path, source_format: str) -> int | None:
    """Check that table and checkpoint belong together, and create or add what is missing.

    Returns the table's newest `_ingested_at` in microseconds since 1970, None if it has no row.
    """
    schema = table.rpartition(".")[0]
    try:
        if not spark.catalog.databaseExists(schema):
            raise UserError(
                f"{schema}: no such schema, or no USE SCHEMA on it; create it (databricks bundle"
                " deploy) or pass another --catalog"
            )
        exists = spark.catalog.tableExists(table)
        missing = _missing_columns(spark, table) if exists else []
        newest = _newest(spark, table) if exists else None
        _check_checkpoint(checkpoint, table, table_exists=exists, has_rows=newest is not None)
        checkpoint.mkdir(parents=True, exist_ok=True)
        (checkpoint / MARKER).write_text(table, encoding="utf-8")
        if not exists:
            spark.sql(create_statement(table, source_format))
        if missing:
            spark.sql(f"alter table {table} add columns ({_described(missing)})")
    except PySparkException as error:
        raise UserError(
            f"{table}: {str(error).splitlines()[0]}; the job's principal needs USE CATALOG, and USE"
            f" SCHEMA, CREATE TABLE, SELECT and MODIFY on {schema}"
        ) from error
    except OSError as error:
        raise UserError(
            f"{checkpoint}: cannot be written: {error.strerror}; create the volume (databricks"
            " bundle deploy), get WRITE VOLUME on it, or pass another --checkpoint"
        ) from error
    return newest


def _missing_columns(spark: SparkSession, table: str) -> list[Column]:
    fields = spark.table(table).schema
    return columns_to_add(table, {field.name: field.dataType.simpleString() for field in fields})


def _newest(spark: SparkSession, table: str) -> int | None:
    """Check the clock, and return the newest `_ingested_at`."""
    [(newest, is_ahead)] = spark.sql(
        "select unix_micros(max(_ingested_at)), max(_ingested_at) >= current_timestamp()"
        f" from {table}"
    ).collect()
    if is_ahead:
        raise UserError(
            f"{table}: its newest _ingested_at is in the future, and incremental models would miss"
            " rows that are older; wait until then, or correct the clock"
        )
    return None if newest is None else int(newest)


def _check_checkpoint(checkpoint: Path, table: str, *, table_exists: bool, has_rows: bool) -> None:
    """Raise UserError if a stream of this checkpoint would lose files or load them twice."""
    is_started = (checkpoint / "metadata").exists()
    marker = checkpoint / MARKER
    marked = marker.read_text(encoding="utf-8") if marker.exists() else ""
    if is_started and marked != table:
        raise UserError(
            f"{checkpoint}: is the checkpoint of {marked or 'another stream'}, not of {table}; pass"
            " another --checkpoint"
        )
    if is_started and not table_exists:
        raise UserError(
            f"{table}: does not exist, but {checkpoint} says that its files are loaded; restore it"
            " (undrop table), or delete the checkpoint to load all files again"
        )
    if has_rows and not is_started:
        raise UserError(
            f"{checkpoint}: is empty, but {table} has rows, which would be loaded a second time;"
            " pass the --checkpoint that they were loaded with"
        )


def create_statement(table: str, source_format: str) -> str:
    """Return the statement that creates the table; only Databricks accepts `cluster by` here."""
    kind = "delta cluster by (event_time)" if source_format == AUTO_LOADER else "parquet"
    return (
        f"create table if not exists {table} ({_described(COLUMNS)}) using {kind}"
        f" comment '{_escaped(TABLE_COMMENT)}'"
    )


def _described(columns: Sequence[Column]) -> str:
    return ", ".join(f"{c.name} {c.sql_type} comment '{_escaped(c.comment)}'" for c in columns)


def _escaped(text: str) -> str:
    return text.replace("'", "\\'")


def report(spark: SparkSession, table: str, landed: Landed, before: int | None) -> LoadReport:
    """Return the outcome for each file; a file without rows in the table is read again for it.

    `before` is the table's newest `_ingested_at` before the run, in microseconds since 1970.
    """
    query = (
        "select _source_file, count(*), count(_rescued_data), unix_micros(max(_ingested_at))"
        f" from {table} group by _source_file"
    )
    in_bronze = {}
    for path, rows, rescued, at in spark.sql(query).collect():
        is_new = before is None or at > before
        status = Status.LOADED if is_new else Status.ALREADY_LOADED
        in_bronze[path] = FileReport(Path(path), status, rows, rescued)

    def outcome(path: Path) -> FileReport:
        found = in_bronze.get(str(path))
        if found is None:
            return _without_rows(path)
        return _with_note(found) if found.status is Status.LOADED else found

    with ThreadPoolExecutor(_FILES_AT_A_TIME) as pool:
        return LoadReport(tuple(pool.map(outcome, landed.files)), landed.unread)


def _with_note(found: FileReport) -> FileReport:
    """Add what a worker, which sends nothing but rows, assumed about the file."""
    with suppress(OSError, NotReadableError):
        if lacks_zone(found.path):
            return replace(found, note=WITHOUT_ZONE)
    return found


def _without_rows(path: Path) -> FileReport:
    try:
        with event_stream.loaded_separately(path) as (_, found):
            pass
    except OSError as error:
        return FileReport(path, Status.WAITING, message=f"cannot be read: {error.strerror}")
    if found.status is Status.LOADED:
        message = (
            "landed while the job ran, and the next run loads it; if that does not, the checkpoint"
            " has it as loaded: land it under another name"
        )
        return FileReport(path, Status.WAITING, message=message)
    # Unlike the local loader, a stream never reads a refused file again.
    message = f"{found.message}; a corrected file needs another name"
    return FileReport(path, found.status, message=message)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
