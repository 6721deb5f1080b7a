"""The Auto Loader job loads what the local loader would, each file once, despite failures."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet
import pytest
from hypothesis import Phase, given, seed, settings
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ecommerce import cli
from ingestion import auto_loader, bronze, event_stream, file_load, judged_files
from ingestion.csv_records import MAX_LINE_BYTES
from ingestion.event_schema import EVENT_COLUMNS, METADATA_COLUMNS
from ingestion.event_stream import Limits
from ingestion.file_load import CUT, WITHOUT_PRICE, WITHOUT_ZONE, Status
from ingestion.judged_files import JudgedFile
from project.errors import UserError
from project.home import CHECKOUT
from support.auto_loader_runs import (
    CATALOG,
    TABLE,
    connect_server,
    counted,
    local_rows,
    stream_rows,
)
from support.dirty_files import HEADER, Lines, write_dirty_files
from support.event_files import csv_text, text_columns, write_parquet, write_zip, zstd
from support.event_texts import FITTING, MISFITS
from support.mutated_files import mutated
from support.unreadable import make_unreadable

pytestmark = pytest.mark.spark

MUTATIONS: Final = 60


class Lake:
    """A landing folder, a checkpoint and an empty bronze schema."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark = spark
        self.landing = folder.resolve() / "landing"
        self.landing.mkdir()
        self.checkpoint = folder / "checkpoint"
        self.lines = Lines()
        spark.sql(f"drop schema if exists {bronze.SCHEMA} cascade")
        spark.sql(f"create schema {bronze.SCHEMA} location '{folder}/bronze'")

    def land(self, name: str, rows: int = 3) -> Path:
        path = self.landing / name
        path.write_text("\n".join([HEADER, *[self.lines.line() for _ in range(rows)], ""]))
        return path

    def run(self, *arguments: str) -> int:
        paths = ["--source", str(self.landing), "--checkpoint", str(self.checkpoint)]
        command = ["--catalog", CATALOG, *paths, *arguments]
        return auto_loader.main(command, source_format="text")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.spark.sql(sql).collect()]

    def counts(self) -> dict[str, int]:
        sql = f"select _source_file, count(*) from {TABLE} group by all"
        return {Path(path).name: rows for path, rows in self.query(sql)}

    def micro_batches(self) -> int:
        return len(list((self.checkpoint / "commits").glob("[0-9]*")))


def write_formats(folder: Path) -> None:
    """Write a file in each format, and files that are skipped or refused."""
    new = Lines()
    (folder / "packed.csv.zst").write_bytes(zstd(csv_text(new)))
    members = {"in/a.csv": csv_text(new), "b.csv.gz": gzip.compress(csv_text(new)), "c.tsv": b"x"}
    archive = write_zip(folder / "archive.ZIP", members)
    (folder / "cut.zip").write_bytes(archive.read_bytes()[:-30])
    write_parquet(folder / "text.parquet", text_columns(csv_text(new)))
    (folder / "cut.parquet").write_bytes((folder / "text.parquet").read_bytes()[:-9])
    (folder / "packed.csv").write_bytes(gzip.compress(csv_text(new)))
    (folder / "b.csv.bz2").write_bytes(b"x")
    (folder / "delta" / "_delta_log").mkdir(parents=True)
    write_parquet(folder / "delta" / "a.parquet", text_columns(csv_text(new)))


def write_texts(path: Path) -> None:
    """Write a file with each text that fits its column, and each that does not."""
    texts = [(column, text) for column, text, _ in FITTING if len(text) < 1000]
    texts += [(column, text) for column, misfits in MISFITS.items() for text in misfits]
    new = Lines()
    quoted = (
        [f'"{value}"' if "," in value else value for value in new.values(**{column: text})]
        for column, text in texts
    )
    lines = [HEADER, new.line(), *map(",".join, quoted), *ODD_LINES, ""]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))


ODD_LINES: Final = [
    *['"', '""', '"""', '""""', 'a"b', '"a"b', ' "a"', '"a","', '"a",""', ',,,,,,,,"x"', '",",,'],
    *[",,,,,,,,", '"","","","","","","","",""', ",,,,,,,,\r\r", "\x01\x1f\x7f,\t\b\f\\/"],
    *["\udcc3", "\udce2\udc82,é", "\udced\udca0\udc80", "\udcf4\udc90\udc80\udc80", "\udcc0\udc80"],
    *[
        "\udce2\r",
        ",\udcf0\r\r",
        "\0",
        "\ufeff",
        "\u2028",
        "\U0001f600,\udcff",
        '\udcff"',
        "'",
        "\\",
        '{"_line":1}',
    ],
]


def write_mutations(folder: Path) -> None:
    """Write files that are valid but for a few bytes, always the same ones."""
    folder.mkdir()
    contents: list[bytes] = []

    @seed(1)
    @settings(max_examples=MUTATIONS, database=None, deadline=None, phases=[Phase.generate])
    @given(mutated())
    def collect(file: tuple[object, bytes]) -> None:
        contents.append(file[1])

    collect()
    for number, content in enumerate(contents):
        (folder / f"{number:03}.csv").write_bytes(content)


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    return Lake(spark, tmp_path)


def test_bronze_equals_that_of_the_local_loader(
    lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate = ["generate", "--events", "3000", "--days", "4", "--out", str(lake.landing)]
    assert cli.main(generate) == 0
    for path in list(lake.landing.glob("*.csv"))[:2]:
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    write_dirty_files(lake.landing)
    write_formats(lake.landing)
    write_texts(lake.landing / "texts.csv")
    write_mutations(lake.landing / "mutations")
    (lake.landing / "sub dir" / "month=10").mkdir(parents=True)
    (lake.landing / "_unfinished").mkdir()
    for name in ("a b.csv", "100%25.csv", "a[1].csv", "é+#.csv", "B.CSV", "sub dir/month=10/z.csv"):
        lake.land(name)
    for name in (".a.csv", "_b.csv", "_c=1.csv", "_unfinished/d.csv", "e.csv.part", "f.txt"):
        lake.land(name)
    report, rows = local_rows(lake.landing, tmp_path / "local.duckdb")
    capsys.readouterr()

    assert lake.run() == 0
    found = stream_rows(lake.spark)
    assert found == rows
    assert sum(found.values()) > 3000
    reported = dict(re.findall(r"^\w+ +(/.+?): (.*)$", capsys.readouterr().out, re.MULTILINE))
    for unread in report.skipped:
        assert reported.pop(str(unread.path)) == unread.reason
    assert list(reported) == [str(file.path) for file in report.files]
    formats = ("packed.csv.zst", "archive.ZIP/in/a.csv", "archive.ZIP/b.csv.gz", "text.parquet")
    for name in formats:
        assert reported[str(lake.landing / name)].startswith("3 rows")
    for file in report.files:
        if file.status is Status.LOADED:
            assert reported[str(file.path)].startswith(f"{file.rows:,} rows"), file
            assert reported[str(file.path)].endswith(file.note), file
        else:
            assert reported[str(file.path)].startswith(file.message), file
    assert {file.status for file in report.files} == {Status.LOADED, Status.REFUSED, Status.EMPTY}


def test_real_rows_and_files_as_people_bring_them(
    lake: Lake,
    real_data: Path,
    cases: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(real_data, lake.landing / "real")
    shutil.copytree(cases, lake.landing / "cases")
    report, rows = local_rows(lake.landing, tmp_path / "local.duckdb")
    capsys.readouterr()
    assert lake.run() == 0
    assert stream_rows(lake.spark) == rows
    reported = capsys.readouterr().out
    for file in report.files:
        assert re.search(rf"(?m)^{file.status} +{re.escape(str(file.path))}: ", reported), file


def test_a_file_is_loaded_once_across_runs(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    times = f"select max(_ingested_at), count(distinct _ingested_at) from {TABLE}"
    lake.land("b.csv")
    (lake.landing / "x.csv").write_text("no,events\n")
    assert lake.run() == 0
    [(first, distinct)] = lake.query(times)
    assert distinct == 1
    assert "files: 1 loaded, 1 refused" in capsys.readouterr().out
    # First in path order, but not in time.
    lake.land("a.csv", 5)
    assert lake.run() == 0
    assert "files: 1 loaded, 1 already_loaded, 1 refused" in capsys.readouterr().out
    assert lake.counts() == {"a.csv": 5, "b.csv": 3}
    [(second, distinct)] = lake.query(times)
    assert (distinct, second > first) == (2, True)
    assert lake.run() == 0
    assert "files: 2 already_loaded, 1 refused" in capsys.readouterr().out
    assert lake.counts() == {"a.csv": 5, "b.csv": 3}


def test_micro_batches_respect_the_limits(lake: Lake) -> None:
    paths = [lake.land(f"{number}.csv", 40) for number in range(5)]
    assert lake.run("--max-files-per-trigger", "2") == 0
    assert lake.micro_batches() == 3
    sql = f"select count(distinct _source_file) from {TABLE} group by _ingested_at order by 1"
    assert lake.query(sql) == [(1,), (2,), (2,)]
    each_file = f"select max(n) from (select count(distinct _ingested_at) as n from {TABLE}"
    assert lake.query(f"{each_file} group by _source_file)") == [(1,)]
    for path in paths:
        path.with_name(f"more {path.name}").write_bytes(path.read_bytes())
    size = 2 * max(path.stat().st_size for path in paths) + 1
    assert lake.run("--max-bytes-per-trigger", f"{size}b") == 0
    assert lake.micro_batches() == 6


def unmark_passed(lake: Lake) -> None:
    """Make the driver's books those of before the stream ended."""
    files = judged_files.read_books(lake.checkpoint)
    pending = {path: replace(file, is_passed=False) for path, file in files.items()}
    judged_files.write_books(lake.checkpoint, pending)


def test_a_retried_micro_batch_keeps_its_time(lake: Lake) -> None:
    lake.land("a.csv")
    assert lake.run() == 0
    times = f"select distinct unix_millis(_ingested_at) from {TABLE}"
    first = lake.query(times)
    # The state after a kill before the sink's commit: planned, but not done.
    (lake.checkpoint / "commits" / "0").unlink()
    [(location,)] = lake.query(f"select distinct _metadata.file_path from {TABLE}")
    sink_log = Path(location.removeprefix("file:")).parent.joinpath("_spark_metadata")
    (sink_log / "0").unlink()
    lake.spark.catalog.refreshTable(TABLE)
    unmark_passed(lake)
    assert lake.run() == 0
    assert lake.counts() == {"a.csv": 3}
    assert lake.query(times) == first
    planned = (lake.checkpoint / "offsets" / "0").read_text().splitlines()[1]
    assert [(json.loads(planned)["batchTimestampMs"],)] == first


def test_continuous_mode_loads_files_that_land_later(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pauses: list[float] = []
    found = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        found.append(lake.counts())
        if len(pauses) == 4:
            raise KeyboardInterrupt
        if len(pauses) in (1, 2):
            lake.land(f"{len(pauses)}.csv")

    monkeypatch.setattr(auto_loader, "sleep", pause)
    with pytest.raises(KeyboardInterrupt):
        lake.run("--mode", "continuous", "--interval", "200 milliseconds")
    assert found == [{}, {"1.csv": 3}, {"1.csv": 3, "2.csv": 3}, {"1.csv": 3, "2.csv": 3}]
    assert pauses == [0.2] * 4
    assert lake.micro_batches() == 2
    output = capsys.readouterr().out
    assert output.count("files: ") == 2 and "files: 1 loaded, 1 already_loaded" in output


@pytest.mark.parametrize("kind", ["unreadable", "growing"])
def test_a_file_that_cannot_be_read_yet_is_not_skipped(
    lake: Lake, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.land("a.csv")

    def deny(path: Path) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    def grow(*arguments: Any) -> file_load.Judged:
        judged = file_load.judge_file(*arguments)
        with arguments[1].open("a") as file:
            file.write(lake.lines.line() + "\n")
        return judged

    # Root can read any file, so patch the readers.
    with monkeypatch.context() as patch:
        if kind == "unreadable":
            patch.setattr(file_load, "open_content", deny)
        else:
            patch.setattr(judged_files, "judge_file", grow)
        assert lake.run() == 2
    message = capsys.readouterr().err.strip()
    reason = "cannot be read: Permission denied; grant" if kind == "unreadable" else "changed"
    assert message.startswith(f"error: {lake.landing / 'a.csv'}: {reason}"), message
    assert "\n" not in message
    assert lake.counts() == {}
    assert lake.run() == 0
    assert lake.counts() == {"a.csv": 3 + (kind == "growing")}


def test_a_file_that_lands_or_grows_after_the_drivers_look_is_judged(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = lake.land("a.csv")
    looks: list[int] = []

    def look(*arguments: Any) -> dict[str, JudgedFile]:
        files = judged_files.judge_new(*arguments)
        looks.append(len(files))
        if len(looks) == 1:
            lake.land("b.csv")
        elif len(looks) == 2:
            with changing.open("a") as file:
                file.write(lake.lines.line() + "\n")
        return files

    monkeypatch.setattr(auto_loader, "judge_new", look)
    assert lake.run() == 0
    assert looks == [1, 2, 2]
    assert lake.counts() == {"a.csv": 4, "b.csv": 3}


def test_files_that_change_at_each_look_end_the_job(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lake.land("a.csv")
    known_files = event_stream.known_files

    def outdated(*arguments: Any) -> object:
        with path.open("a") as file:
            file.write(lake.lines.line() + "\n")
        return known_files(*arguments)

    monkeypatch.setattr(auto_loader, "_MOST_LOOKS", 2)
    monkeypatch.setattr(event_stream, "known_files", outdated)
    assert lake.run() == 2
    assert re.search(r"a\.csv: lands or changes whenever", capsys.readouterr().err)
    assert lake.counts() == {}


def test_what_was_refused_or_loaded_is_never_opened_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = lake.land("a.csv")
    (lake.landing / "x.csv").write_text("no,events\n")
    (lake.landing / "y.csv.gz").write_bytes(gzip.compress(csv_text(lake.lines))[:-3])
    assert lake.run() == 0
    first = capsys.readouterr().out
    monkeypatch.setattr(file_load, "open_content", None)
    assert lake.run() == 0
    again = capsys.readouterr().out
    refused = [line for line in first.splitlines() if line.startswith("refused")]
    assert len(refused) == 2 and again.splitlines()[:2] == refused
    assert "files: 1 already_loaded, 2 refused" in again
    with loaded.open("a") as file:
        file.write(lake.lines.line() + "\n")
    assert lake.run() == 0
    assert re.search(r"changed +.*a\.csv: changed after it was loaded", capsys.readouterr().out)
    assert lake.counts() == {"a.csv": 3}


def test_bronze_is_loaded_again_after_a_lost_checkpoint(lake: Lake) -> None:
    lake.land("a.csv")
    write_zip(lake.landing / "b.zip", {"b.csv": csv_text(lake.lines)})
    assert lake.run() == 0
    before = lake.counts()
    shutil.rmtree(lake.checkpoint)
    assert lake.run() == 2
    lake.spark.sql(f"truncate table {TABLE}")
    assert lake.run() == 0
    assert lake.counts() == before


def test_the_report_reads_new_rows_only(lake: Lake) -> None:
    lake.land("a.csv")
    assert lake.run() == 0
    [(newest,)] = lake.query(f"select unix_micros(max(_ingested_at)) from {TABLE}")
    path = lake.land("b.csv", 5)
    assert lake.run() == 0
    assert auto_loader.rows_since(lake.spark, TABLE, newest) == {str(path): (5, 0, 5)}
    assert len(auto_loader.rows_since(lake.spark, TABLE, None)) == 2


def test_no_row_leaves_the_jvm(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    plans = []
    start = event_stream.start

    def started(*arguments: Any, **named: Any) -> object:
        query = start(*arguments, **named)
        query.processAllAvailable()
        plans.append(query._jsq.explainInternal(True))
        return query

    monkeypatch.setattr(event_stream, "start", started)
    write_zip(lake.landing / "a.zip", {"a.csv": csv_text(lake.lines)})
    lake.land("b.csv")
    assert lake.run() == 0
    assert sum(lake.counts().values()) == 6
    [plan] = plans
    assert "FileScan text" in plan and "BroadcastHashJoin" in plan
    assert not re.search("(?i)python|arrow|udf|mapin|binaryFile", plan), plan


def test_a_missing_zone_is_noted_when_the_file_is_loaded(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lake.land("a.csv")
    path.write_text(path.read_text().replace(" UTC", ""))
    lake.land("b.csv")
    assert lake.run() == 0
    loaded = re.findall(r"^loaded .*", capsys.readouterr().out, re.MULTILINE)
    assert [WITHOUT_ZONE in line for line in loaded] == [True, False]
    assert lake.run() == 0
    assert WITHOUT_ZONE not in capsys.readouterr().out


def test_a_file_that_ends_within_an_event_is_noted_when_it_is_loaded(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lake.land("a.csv")
    path.write_text(path.read_text()[:-9])
    lake.land("b.csv")
    assert lake.run() == 0
    loaded = re.findall(r"^loaded .*", capsys.readouterr().out, re.MULTILINE)
    assert [CUT in line for line in loaded] == [True, False]


def test_a_file_without_a_price_above_0_is_noted_when_it_is_loaded(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.land("a.csv")
    free = [lake.lines.line(price="0.00") for _ in range(3)]
    (lake.landing / "b.csv").write_text("\n".join([HEADER, *free, ""]))
    without_zone = [line.replace(" UTC", "") for line in free]
    (lake.landing / "c.csv").write_text("\n".join([HEADER, *without_zone, ""]))
    assert lake.run() == 0
    loaded = re.findall(r"^loaded .*: 3 rows(.*)", capsys.readouterr().out, re.MULTILINE)
    assert loaded == ["", f"; {WITHOUT_PRICE}", f"; {WITHOUT_ZONE}; {WITHOUT_PRICE}"]


def test_a_file_that_replaced_a_refused_one_is_reported(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.land("a.csv")
    (lake.landing / "b.csv").write_text("no,events\n")
    assert lake.run() == 0
    assert "b.csv: not an events file" in capsys.readouterr().out
    lake.land("b.csv")
    assert lake.run() == 0
    output = capsys.readouterr().out
    assert re.search(r"^waiting .*b\.csv: .*land it under another name", output, re.MULTILINE)
    lake.land("c.csv")
    assert lake.run() == 0
    assert lake.counts() == {"a.csv": 3, "c.csv": 3}


def test_a_file_that_file_events_bring_late_is_loaded(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.land("a.csv")
    assert lake.run() == 0
    lake.land("b.csv")
    with monkeypatch.context() as patch:
        patch.setattr(event_stream, "_NAMES", "a*")
        assert lake.run() == 0
    assert re.search(r"^waiting .*b\.csv: ", capsys.readouterr().out, re.MULTILINE)
    assert lake.run() == 0
    assert lake.counts() == {"a.csv": 3, "b.csv": 3}


def test_what_a_killed_run_has_loaded_is_not_waited_for(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.land("a.csv")
    assert lake.run() == 0
    unmark_passed(lake)
    capsys.readouterr()
    assert lake.run() == 0
    assert "files: 1 already_loaded" in capsys.readouterr().out
    assert not any(f.is_pending for f in judged_files.read_books(lake.checkpoint).values())


def no_schema(lake: Lake) -> None:
    lake.spark.sql(f"drop schema {bronze.SCHEMA} cascade")


def other_columns(lake: Lake) -> None:
    lake.spark.sql(f"create table {TABLE} (event_time timestamp, price string) using parquet")


def checkpoint_of_another_table(lake: Lake) -> None:
    assert lake.run() == 0
    lake.land("b.csv")
    marker = lake.checkpoint / auto_loader.MARKER
    marker.write_text(marker.read_text().replace(CATALOG, "other"))


def checkpoint_of_another_stream(lake: Lake) -> None:
    rate = lake.spark.readStream.format("rate").load().writeStream.format("noop")
    place = str(lake.checkpoint)
    rate.trigger(availableNow=True).option("checkpointLocation", place).start().awaitTermination()


def table_is_gone(lake: Lake) -> None:
    assert lake.run() == 0
    lake.spark.sql(f"drop table {TABLE}")


def checkpoint_is_gone(lake: Lake) -> None:
    assert lake.run() == 0
    shutil.rmtree(lake.checkpoint)


def clock_is_behind(lake: Lake) -> None:
    assert lake.run() == 0
    frame = lake.spark.table(TABLE).drop("_ingested_at")
    future = frame.selectExpr("*", "current_timestamp() + interval 1 hour as _ingested_at")
    rows = lake.spark.createDataFrame(future.collect(), lake.spark.table(TABLE).schema)
    lake.spark.sql(f"drop table {TABLE}")
    rows.write.saveAsTable(TABLE)


def checkpoint_below_a_file(lake: Lake) -> None:
    lake.checkpoint.write_text("no folder")
    lake.checkpoint = lake.checkpoint / "events_raw"


BAD_STATES: dict[Callable[[Lake], None], str] = {
    no_schema: "no such schema, or no USE SCHEMA",
    other_columns: "its column price is string, double in models/bronze/events_raw.yml; alter the",
    checkpoint_of_another_table: r"is the checkpoint of `other`.*pass another --checkpoint",
    checkpoint_of_another_stream: "is the checkpoint of another stream.*pass another --checkpoint",
    table_is_gone: "does not exist, but .*undrop table",
    checkpoint_is_gone: "is empty, but .* loaded a second time; pass the --checkpoint",
    clock_is_behind: "newest _ingested_at is in the future.*correct the clock",
    checkpoint_below_a_file: "cannot be written: Not a directory; create the volume",
}


@pytest.mark.parametrize("spoil", BAD_STATES, ids=lambda spoil: spoil.__name__)
def test_bad_state_is_a_one_line_error_that_changes_nothing(
    lake: Lake, spoil: Callable[[Lake], None], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lake.landing.parent

    def state() -> tuple[object, object]:
        files = {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}
        is_there = lake.spark.catalog.tableExists(TABLE)
        return files, lake.query(f"select count(*) from {TABLE}") if is_there else None

    lake.land("a.csv")
    spoil(lake)
    capsys.readouterr()
    before = state()
    assert lake.run() == 2
    message = capsys.readouterr().err
    assert re.fullmatch(rf"error: [^\n]*{BAD_STATES[spoil]}[^\n]*\n", message), message
    assert state() == before


def test_nothing_loadable_is_an_error(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    (lake.landing / "b.csv").write_text("no,events\n")
    assert lake.run() == 2
    printed = capsys.readouterr()
    assert "b.csv: not an events file" in printed.out
    assert "none of its files could be loaded" in printed.err


CONNECT = """
import sys
sys.path.insert(0, sys.argv[1])
import pyarrow.parquet
from pyspark.sql import SparkSession
from ingestion import auto_loader
code = auto_loader.main(sys.argv[3:], source_format="text")
spark = SparkSession.builder.getOrCreate()
assert "connect" in type(spark).__module__
rows = spark.table("bronze_layer.events_raw").drop("_ingested_at").toArrow()
pyarrow.parquet.write_table(rows, sys.argv[2])
sys.exit(code)
"""


def test_spark_connect_gives_the_same_rows(lake: Lake, tmp_path: Path) -> None:
    # Serverless compute accepts only Spark Connect. No worker of Python could start.
    write_dirty_files(lake.landing)
    _, rows = local_rows(lake.landing, tmp_path / "local.duckdb")
    paths = ["--source", str(lake.landing), "--checkpoint", str(lake.checkpoint)]
    found = tmp_path / "found.parquet"
    command = [sys.executable, "-c", CONNECT, str(CHECKOUT), str(found), "--catalog", CATALOG]
    with connect_server(lake.spark) as url:
        result = subprocess.run(
            [*command, *paths],
            cwd=tmp_path,
            env=os.environ | {"SPARK_REMOTE": url},
            capture_output=True,
            text=True,
        )
    assert result.returncode == 0, result.stderr[-3000:]
    assert counted(pyarrow.parquet.read_table(found)) == rows


# Removes this project's editable installation from a process, as on a cluster.
NOT_INSTALLED = """
import sys
from importlib.util import find_spec
sys.meta_path = [f for f in sys.meta_path if "__editable__" not in getattr(f, "__module__", "")]
sys.path = [p for p in sys.path if p]
assert not any(find_spec(name) for name in ("ingestion", "project"))
"""


def test_the_script_needs_no_package_on_its_path(tmp_path: Path) -> None:
    script = str(CHECKOUT / "ingestion" / "auto_loader.py")
    # Some runners set no `__file__`.
    program = f"{NOT_INSTALLED}\nexec(compile(open({script!r}).read(), 'script', 'exec'))"
    paths = ["--source", str(tmp_path / "missing"), "--checkpoint", str(tmp_path / "cp")]
    result = subprocess.run(
        [sys.executable, "-c", program, f"--code={CHECKOUT}", "--catalog", "c", *paths],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    message = result.stderr.splitlines()[-1]
    assert "missing: cannot be read as a folder: No such file" in message
    assert "create the volume" in message


BAD_ARGUMENTS: Final = {
    ("f.csv",): "cannot be read as a folder: Not a directory",
    ("empty",): ".zip or .parquet file in this folder",
    ("empty", "--max-files-per-trigger", "0"): "not a whole number of 1 or more",
    ("empty", "--max-bytes-per-trigger", "ten"): "not a size such as",
    ("empty", "--interval", "soon"): "not an interval such as",
}


@pytest.mark.parametrize("arguments", BAD_ARGUMENTS, ids=" ".join)
def test_bad_arguments_are_an_error_that_changes_nothing(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "f.csv").write_text(HEADER)
    source, *options = arguments
    paths = ["--source", str(tmp_path / source), "--checkpoint", str(tmp_path / "cp")]
    with pytest.raises(SystemExit, match="2"):
        sys.exit(auto_loader.main(["--catalog", "c", *paths, *options]))
    assert BAD_ARGUMENTS[arguments] in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "cp").exists()


def test_a_folder_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_unreadable(tmp_path.resolve() / "closed", monkeypatch)
    paths = ["--source", str(tmp_path), "--checkpoint", str(tmp_path / "cp")]
    assert auto_loader.main(["--catalog", "c", *paths]) == 2
    message = capsys.readouterr().err
    assert "closed: cannot be read: Permission denied; get permission" in message
    assert "with --source" in message


def test_options_of_auto_loader() -> None:
    options = event_stream.source_options("cloudFiles", Limits(7, 10 << 30), file_events="true")
    assert options == {
        "recursiveFileLookup": "true",
        "pathGlobFilter": "*.[cC][sS][vV]",
        "lineSep": "\n",
        "mapreduce.input.linerecordreader.line.maxlength": str(MAX_LINE_BYTES + 1),
        "cloudFiles.format": "text",
        "cloudFiles.useManagedFileEvents": "true",
        "cloudFiles.maxFilesPerTrigger": "7",
        "cloudFiles.maxBytesPerTrigger": "10737418240",
    }


@pytest.mark.parametrize("arguments", [[], ["--file-events=false"], ["--file-events=if_available"]])
def test_file_events_are_never_left_to_the_runtime(arguments: list[str]) -> None:
    # From runtime 18.1 on, Auto Loader uses them by itself unless the option says no.
    required = ["--catalog=c", "--source=s", "--checkpoint=p"]
    wanted = auto_loader.build_parser().parse_args([*required, *arguments]).file_events
    options = event_stream.source_options("cloudFiles", Limits(), file_events=wanted)
    expected = arguments[0].partition("=")[2] if arguments else "false"
    assert options["cloudFiles.useManagedFileEvents"] == expected


@pytest.mark.parametrize(("events", "is_listed"), [("false", True), ("true", False)])
def test_a_folder_is_listed_whole(events: str, *, is_listed: bool) -> None:
    # Runtimes before 17.3 may look after the last name only; names are months, or hashes.
    options = event_stream.source_options("cloudFiles", Limits(), file_events=events)
    converted = options | auto_loader._WITHOUT_EVENTS["cloudFiles"]
    assert options.get("cloudFiles.useIncrementalListing") == ("false" if is_listed else None)
    assert converted["cloudFiles.useIncrementalListing"] == "false"
    assert "cloudFiles.useIncrementalListing" not in event_stream.source_options(
        "text", Limits(), file_events=events
    )


def test_table_on_databricks_is_clustered_and_described() -> None:
    statement = auto_loader.create_statement(TABLE, "cloudFiles")
    assert " using delta cluster by (event_time) comment 'One row per data line" in statement
    for column in EVENT_COLUMNS + METADATA_COLUMNS:
        comment = column.comment.replace("'", "\\'")
        assert f"{column.name} {column.sql_type} comment '{comment}'" in statement


# As Java's URIs write them, in letters and in ASCII.
SPELLINGS: Final = {
    "a b.csv": "a%20b.csv",
    "100%.csv": "100%25.csv",
    "é+#[1].csv": "é+%23%5B1%5D.csv",
    "è+?.csv": "%C3%A8+%3F.csv",
    "_c=1.csv": "_c=1.csv",
}


def test_paths_as_spark_may_write_them(spark: SparkSession) -> None:
    files = event_stream.known_files(spark, [], [f"/Volumes/c/{name}" for name in SPELLINGS])
    places = [f"{scheme}/Volumes/c/" for scheme in ("dbfs:", "file:", "file://", "")]
    names = [*SPELLINGS, *SPELLINGS.values()]
    rows = [("x", place + name, 1) for place in places for name in names]
    lines = spark.createDataFrame(rows, "value string, file_path string, file_size bigint")
    assert event_stream.events(lines, files).collect() == []
    other = spark.createDataFrame([("x", "s3://b/a.csv", 1)], lines.schema)
    with pytest.raises(PySparkException, match=f"{event_stream.NOT_JUDGED}<s3://b/a.csv>"):
        event_stream.events(other, files).collect()


def test_paths_that_spark_may_confuse_are_an_error(spark: SparkSession) -> None:
    with pytest.raises(UserError, match=r"a%20b\.csv: Spark may take it for .*a b\.csv.*rename"):
        event_stream.known_files(spark, [], ["/v/a b.csv", "/v/a%20b.csv"])
