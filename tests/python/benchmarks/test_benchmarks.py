"""The benchmark on few events: same tables, correct figures, and a page with missed goals."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import duckdb
import pytest

from benchmarks import contenders, phases, report
from benchmarks.contenders import PLAIN_SCRIPT, Built, Platform, plain
from benchmarks.data import Dataset, dataset
from benchmarks.measure import CommandFailed, Measured, Sample, Usage, measure
from benchmarks.phases import Results, Size, Update
from benchmarks.plain import steps
from support.fork_server import start

pytestmark = pytest.mark.benchmarks

SECOND = Usage(1.0, 1.0, 1, 1, 1)
MARTS = {"customer_metrics", "product_performance", "daily_sales_summary", "conversion_funnel"}
# Columns for updates and rescued data, which the plain script does not have.
NOT_IN_SCRIPT = ("_ingested_at", "_batch_id", "_rescued_data")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def data(folder: Path) -> Dataset:
    return dataset(30_000, folder / "data")


@pytest.fixture(scope="module")
def platform(folder: Path, data: Dataset) -> Platform:
    contender = Platform(folder / "platform")
    contender.reset()
    contender.load(data.history)
    built = contender.build()
    assert built.nodes["events_cleaned"].wall > 0
    return contender


def lines(folder: Path) -> list[str]:
    files = sorted(folder.glob("*.csv"))
    return [line for path in files for line in path.read_text("utf-8").splitlines()[1:]]


def test_files_are_split_into_history_last_day_and_late_events(data: Dataset) -> None:
    assert len(lines(data.history)) + len(lines(data.last_day)) == 30_000
    assert {line[:10] for line in lines(data.last_day)} == {"2019-11-30"}
    assert max(line[:10] for line in lines(data.history)) == "2019-11-29"
    late = lines(data.late)
    assert len(late) == 1_000
    assert len({line[:10] for line in late}) == 61


def test_files_of_an_interrupted_run_are_generated_again(tmp_path: Path) -> None:
    half = tmp_path / "10000.unfinished" / "history"
    half.mkdir(parents=True)
    (half / "events_2019-10-01.csv").write_text("half a file", "utf-8")
    assert len(list(dataset(10_000, tmp_path).history.glob("*.csv"))) == 60
    assert not half.exists()


def test_plain_script_builds_the_same_tables(
    folder: Path, data: Dataset, platform: Platform
) -> None:
    database = folder / "plain.duckdb"
    built = plain(data.history, database)
    assert {name for name, _ in steps(PLAIN_SCRIPT.read_text("utf-8"))} == set(built.nodes)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{platform.database}' as platform (read_only)")
        connection.execute(f"attach '{database}' as plain (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'platform'"
            " and table_name in (select table_name from duckdb_tables()"
            " where database_name = 'plain')"
        ).fetchall()
        # Models that came after the script are not in it.
        assert {table for _, table in tables} >= MARTS
        for schema, table in tables:
            ours, theirs = f"platform.{schema}.{table}", f"plain.{table}"
            columns = ", ".join(_comparable(connection, schema, table))
            for one, other in ((ours, theirs), (theirs, ours)):
                rows = connection.execute(
                    f"select {columns} from {one} except all select {columns} from {other} limit 3"
                ).fetchall()
                assert not rows, f"{table}: only in {one}"


def _comparable(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> list[str]:
    # Doubles may differ in a bit.
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns() where database_name = 'platform'"
        " and schema_name = ? and table_name = ?",
        [schema, table],
    ).fetchall()
    return [
        f"round({name}, 9) as {name}" if kind == "DOUBLE" else name
        for name, kind in columns
        if not name.endswith(NOT_IN_SCRIPT)
    ]


def test_updates_and_tests_are_measured(
    data: Dataset, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[int] = []
    load = Platform.load

    def load_and_count(self: Platform, files: Path) -> Usage:
        known.append(_raw_rows(self))
        return load(self, files)

    monkeypatch.setattr(Platform, "load", load_and_count)
    monkeypatch.setattr(phases, "RUNS", 2)
    # The kernel's counts are tested with the first build; here the commands count.
    monkeypatch.setattr(contenders, "measure", run_forked)
    results = Results(30_000, phases.machine())
    before = _raw_rows(platform)
    phases._measure_rest(results, platform, data, lambda _: None)
    assert list(results.updates) == ["the 61st day", "1,000 late events", "nothing"]
    assert results.test and results.docs
    assert any("unique" in name for name in results.tests)
    assert known == [before, 30_000, 31_000] * 2


def run_forked(
    command: Sequence[str], folder: Path, variables: Mapping[str, str] = MappingProxyType({})
) -> Measured:
    """Run a command of the platform in a process that starts at once."""
    program, *arguments = command
    if program == sys.executable:
        _, program, *arguments = arguments
    run = start(Path(program).name, arguments, {**os.environ, **variables}, folder)
    return Measured(SECOND, run.ends().stdout, (Sample(0, 0, 0, 0, 0), Sample(2e9, 1, 1, 1, 1)))


def _raw_rows(platform: Platform) -> int:
    with duckdb.connect(str(platform.database), read_only=True) as connection:
        query = "select count(*) from bronze_layer.events_raw"
        [(rows,)] = connection.execute(query).fetchall()
    return int(rows)


def test_kernel_counts_what_a_command_uses(tmp_path: Path) -> None:
    code = """
import pathlib, time
block = bytearray(200_000_000)
pathlib.Path("out").write_bytes(block)
end = time.process_time() + 0.5
while time.process_time() < end: pass
time.sleep(0.5)
"""
    measured = measure([sys.executable, "-c", code], tmp_path)
    usage = measured.usage
    assert usage.wall >= usage.cpu + 0.4
    assert 0.5 <= usage.cpu < 3
    assert 200e6 <= usage.peak_memory < 1e9
    assert 200e6 <= usage.written < 210e6
    # The last sample is of the ended process, however late the first one was.
    assert abs(measured.samples[-1].cpu - usage.cpu) < 0.1


def test_part_of_a_command_is_the_usage_between_two_times() -> None:
    samples = tuple(Sample(10 + n, 2.0 * n, 100 - n, 5 * n, 7 * n) for n in range(5))
    part = Measured(SECOND, "", samples).between(11, 13)
    assert part == Usage(2, 4, 99, 10, 14)


def test_command_that_fails_raises_with_its_output(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"exits with 3:\nbroken"):
        measure([sys.executable, "-c", "print('broken'); raise SystemExit(3)"], tmp_path)


def results(platform_seconds: float, plain_seconds: float) -> Results:
    """Return results of two sizes; load and build take half of the platform's seconds each."""
    each = replace(SECOND, wall=platform_seconds / 2, peak_memory=9 * 2**30)
    size = Size(
        events=64_000_000, runs=1, csv_bytes=100, load=each, build=each,
        nodes={"sessions": each, "calendar": SECOND}, database_bytes=50,
        plain=replace(SECOND, wall=plain_seconds), plain_steps={"raw": SECOND}, plain_bytes=40,
        same_day=replace(SECOND, wall=15.0),
    )  # fmt: skip
    smaller = replace(size, events=16_000_000, same_day=replace(SECOND, wall=10.0))
    found = Results(64_000_000, {"cores": "2"}, [smaller, size])
    found.test, found.tests, found.docs = replace(SECOND, wall=35.0), {"unique": SECOND}, SECOND
    found.updates = {
        "the 61st day": Update(SECOND, replace(SECOND, wall=5.0)),
        "1,000 late events": Update(SECOND, replace(SECOND, wall=19.5)),
        "nothing": Update(SECOND, replace(SECOND, wall=14.0)),
    }
    found.spark, found.spark_baseline = replace(SECOND, wall=500.0), replace(SECOND, wall=100.0)
    found.spark_events = 10_000_000
    return found


def test_goals_are_met_up_to_their_limit_and_missed_beyond() -> None:
    assert [(goal.found, goal.is_met) for goal in report.goals(results(125, 100))] == [
        ("1.25", True), ("1.60", True), ("5.0", True), ("9.00", True), ("4.80", True),
        ("20.50", False), ("15.00", True), ("1.50", True),
    ]  # fmt: skip
    missed = report.goals(results(126, 100))[:2]
    assert [(goal.found, goal.is_met) for goal in missed] == [("1.26", False), ("1.61", False)]


def test_page_and_plots_show_the_results(tmp_path: Path) -> None:
    text = report.page(results(126, 100))
    assert "| platform / plain script, without tests | <= 1.25 | 1.26 | **missed** |" in text
    assert "| 16,000,000 | 1 | 126.0 | 100.0 | 1.26 | 9.00 GiB | 0.50 | 10.0 |" in text
    report.plots(results(126, 100), tmp_path / "once")
    report.plots(results(126, 100), tmp_path / "twice")
    for name in ("growth.svg", "models.svg"):
        drawn = (tmp_path / "once" / name).read_text("utf-8")
        assert "<svg" in drawn
        assert drawn == (tmp_path / "twice" / name).read_text("utf-8")
    assert "sessions" in (tmp_path / "once" / "models.svg").read_text("utf-8")


def test_best_of_several_runs_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walls = iter([5.0, 3.0, 4.0])
    monkeypatch.setattr(phases, "GROWTH", ())
    monkeypatch.setattr(phases, "dataset", lambda *_: dataset(10_000, tmp_path / "data"))
    monkeypatch.setattr(phases, "_measure_rest", lambda *_: None)

    def fake_plain(_: Path, database: Path) -> Built:
        database.parent.mkdir(exist_ok=True)
        database.write_bytes(b"database")
        return Built(replace(SECOND, wall=next(walls)), {"raw": SECOND})

    monkeypatch.setattr(phases, "plain", fake_plain)
    monkeypatch.setattr(
        Platform, "load", lambda self, _: (self.database.write_bytes(b"x"), SECOND)[1]
    )
    monkeypatch.setattr(Platform, "build", lambda _: Built(SECOND, {"sessions": SECOND}))
    found = Results(10_000, {})
    phases._measure_size(found, 10_000, tmp_path, lambda _: None)
    [size] = found.sizes
    assert (size.runs, size.plain.wall) == (3, 3.0)
    assert not (tmp_path / "platform").exists()
