"""The Auto Loader job: loads new files of a volume into `bronze_layer.events_raw`, each once.

The driver judges each new file, then Spark reads its lines. The bundle runs this file as a script.
Exit code 2 means bad input, or that nothing could be loaded.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import sleep
from typing import Final, NamedTuple

if __name__ == "__main__":
    # Python adds a script's folder to the path, not its parent; not every runner sets __file__.
    sys.path[:0] = [word.removeprefix("--code=") for word in sys.argv if word.startswith("--code=")]

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from ingestion import bronze, event_stream, judged_files
from ingestion.discovery import Landed, discover, expand
from ingestion.event_schema import (
    COLUMNS,
    TABLE_COMMENT,
    Column,
    columns_to_add,
    require_known_types,
)
from ingestion.event_stream import AUTO_LOADER, Limits
from ingestion.file_load import WITHOUT_PRICE, FileReport, Status, joined_notes
from ingestion.judged_files import JudgedFile, judge_new
from ingestion.load_report import LoadReport, print_report
from project.arguments import positive_integer
from project.errors import UserError

MARKER: Final = "table_of_these_lines"
CONVERTED: Final = "_converted"
"""How the name of the folder ends, beside the checkpoint, that has the text of other formats."""

# A file that lands between the driver's look and the stream's makes the driver look again.
_MOST_LOOKS: Final = 5
# The error shows the plan as well, which has the same words.
_NOT_JUDGED: Final = re.compile(rf"USER_RAISED_EXCEPTION\] {event_stream.NOT_JUDGED}<(.*)>")
_WITHOUT_EVENTS: Final = {
    AUTO_LOADER: {"cloudFiles.useManagedFileEvents": "false", **event_stream.WHOLE_LISTING}
}
_SECONDS: Final = {"millisecond": 0.001, "second": 1, "minute": 60, "hour": 3600}


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the job's parameters."""
    parser = argparse.ArgumentParser(prog="auto_loader.py", description=__doc__)
    parser.add_argument(
        "--code", metavar="FOLDER", help="folder of the packages, which the script cannot know"
    )
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
        help="load the files that are there and exit, or do it again and again (default:"
        " %(default)s)",
    )
    parser.add_argument(
        "--interval",
        type=_interval,
        default="30 seconds",
        help="pause between looks at the folder in continuous mode (default: %(default)s)",
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
        choices=("true", "false", "if_available"),
        default="false",
        help="find new files through file events of the external location, by listing the folder,"
        " or through file events where the location has them (default: %(default)s)",
    )
    return parser


def _size(text: str) -> int:
    found = re.fullmatch("([1-9][0-9]*)([kmgt]?)b?", text.lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512m or 10g")
    # Spark's own file source accepts no unit.
    return int(found[1]) << 10 * " kmgt".index(found[2] or " ")


def _interval(text: str) -> float:
    found = re.fullmatch("([0-9]+) (millisecond|second|minute|hour)s?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an interval such as '30 seconds'")
    return int(found[1]) * _SECONDS[found[2]]


def main(argv: Sequence[str] | None = None, *, source_format: str = AUTO_LOADER) -> int:
    """Run the job and return its exit code; user errors become one line on stderr.

    `source_format` is the stream's source: Auto Loader, or `text` for Spark's own file source
    outside Databricks.
    """
    args = build_parser().parse_args(argv)
    try:
        return run(args, source_format)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def run(args: argparse.Namespace, source_format: str) -> int:
    """Check the input, load the new files and print the outcome for each file.

    Raises UserError; nothing is created or changed until all input is checked. In continuous mode
    it goes on until it is stopped.
    """
    require_known_types()
    source, args.checkpoint = args.source.resolve(), args.checkpoint.resolve()
    is_triggered = args.mode == "triggered"
    _check_source(source, must_hold_files=is_triggered)
    table = f"`{args.catalog}`.{bronze.EVENTS}"
    spark = SparkSession.builder.getOrCreate()
    while True:
        before = prepare(spark, table, args.checkpoint, source_format)
        loaded = _load(spark, args, source, table, source_format, before)
        if is_triggered:
            return print_report(loaded, source)
        if loaded.count(Status.LOADED):
            print_report(loaded, source)
        sleep(args.interval)


def _load(
    spark: SparkSession,
    args: argparse.Namespace,
    source: Path,
    table: str,
    source_format: str,
    before: int | None,
) -> LoadReport:
    """Load the files that are there; `before` is the newest `_ingested_at` until now."""
    checkpoint, converted = args.checkpoint, _converted(args.checkpoint)
    options = event_stream.source_options(
        source_format,
        Limits(args.max_files_per_trigger, args.max_bytes_per_trigger),
        file_events=args.file_events,
    )
    # The job writes these texts itself, in a place that may have no file events.
    sources = {source: options, converted: options | _WITHOUT_EVENTS.get(source_format, {})}
    try:
        known = judged_files.read_books(checkpoint)
        for _ in range(_MOST_LOOKS):
            # Before the files are judged, so that none is left out that lands meanwhile.
            others = list(judged_files.csv_files(source))
            landed = discover(source, "--source", may_be_empty=args.mode == "continuous")
            landed = expand(landed) if landed.files else landed
            known = judge_new(landed.files, known, converted)
            judged_files.write_books(checkpoint, known)
            if not any(file.is_pending for file in known.values()):
                return _report(landed, known, {})
            files = event_stream.known_files(
                spark, known.values(), [*others, *judged_files.csv_files(converted)]
            )
            try:
                event_stream.start(
                    spark, sources, files, table, checkpoint, source_format=source_format
                ).awaitTermination()
                break
            except PySparkException as error:
                if not (met := _NOT_JUDGED.findall(str(error))):
                    raise _to_user_error(error) from error
        else:
            raise UserError(
                f"{met[0]}: lands or changes whenever the job looks; begin the names of files with"
                " `_` until they are complete, and run again"
            )
        counts = rows_since(spark, table, before)
        # Also those of a run that was killed before it wrote its books.
        missing = [path for path, file in known.items() if file.is_pending and path not in counts]
        known = judged_files.passed(known, [*counts, *_loaded_before(spark, table, missing)])
        judged_files.write_books(checkpoint, known)
        judged_files.remove_converted(converted, known)
    except OSError as error:
        raise UserError(
            f"{error.filename or checkpoint}: cannot be written: {error.strerror}; get WRITE VOLUME"
            " on it, or pass another --checkpoint"
        ) from error
    return _report(landed, known, counts)


def _converted(checkpoint: Path) -> Path:
    return checkpoint.with_name(checkpoint.name + CONVERTED)


def _to_user_error(error: PySparkException) -> UserError:
    first_line = str(error).splitlines()[0]
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
        for folder in (checkpoint, _converted(checkpoint)):
            folder.mkdir(parents=True, exist_ok=True)
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


class NewRows(NamedTuple):
    """How many rows of a file are new."""

    rows: int
    rescued: int
    """With rescued data."""
    priced: int
    """With a price above 0."""


def rows_since(spark: SparkSession, table: str, before: int | None) -> dict[str, NewRows]:
    """Return by file the rows that came after `before`.

    `before` is an `_ingested_at` in microseconds since 1970, None for all rows. Statistics of the
    table keep the query away from older rows.
    """
    since = "" if before is None else f" where _ingested_at > timestamp_micros({before})"
    query = (
        "select _source_file, count(*), count(_rescued_data), count_if(price > 0)"
        f" from {table}{since} group by 1"
    )
    return {path: NewRows(*counts) for path, *counts in spark.sql(query).collect()}


def _loaded_before(spark: SparkSession, table: str, paths: Sequence[str]) -> list[str]:
    """Return which of the files have rows; the query is rarely needed, and reads a whole column."""
    if not paths:
        return []
    rows = spark.table(table).where(F.col("_source_file").isin(list(paths)))
    return [path for (path,) in rows.select("_source_file").distinct().collect()]


def _report(
    landed: Landed, files: Mapping[str, JudgedFile], counts: Mapping[str, NewRows]
) -> LoadReport:
    """Return the outcome for each file; `counts` has those whose rows are new."""
    outcomes = (_outcome(path, files[str(path)], counts.get(str(path))) for path in landed.files)
    return LoadReport(tuple(outcomes), landed.unread)


def _outcome(path: Path, file: JudgedFile, counts: NewRows | None) -> FileReport:
    if counts is not None:
        note = joined_notes({file.note: file.note != "", WITHOUT_PRICE: not counts.priced})
        return FileReport(path, Status.LOADED, counts.rows, counts.rescued, note=note)
    if file.is_pending:
        return FileReport(path, Status.WAITING, message=judged_files.WAITING)
    if file.status is Status.LOADED:
        return FileReport(path, Status.ALREADY_LOADED)
    # Unlike the local loader, a stream never reads a file again.
    is_final = file.is_passed and file.status in (Status.REFUSED, Status.EMPTY)
    message = f"{file.message}; a corrected file needs another name" if is_final else file.message
    return FileReport(path, file.status, message=message)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
