"""The whole platform, from files to gold, run as by `make run`."""

from __future__ import annotations

import re
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from dictionary import entries
from support.dirty_files import HEADER, Lines, write_dirty_files
from support.platform_runs import LOSE_ROWS, SNAPSHOTS, Home, differences

pytestmark = pytest.mark.slow

EVENTS = "20000"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("generated"))
    lines = home.run("run", "--events", EVENTS).stdout.splitlines()
    begun = [line.removesuffix(" ...") for line in lines if line.endswith(" ...")]
    timed = re.findall(r"(\w+) \d", lines[-1].removeprefix("Seconds"))
    assert begun == timed == ["parse", "data", "load", "build", "docs", "pages", "dashboard"]
    return home


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> tuple[Home, str]:
    home = Home(tmp_path_factory.mktemp("real"))
    result = home.run("run", "--data", str(real_data))
    return home, result.stdout


def write_dirty_file(folder: Path, name: str) -> Path:
    [path] = [path for path in write_dirty_files(folder / "all") if path.name == name]
    return path


def test_first_run_builds_every_layer_and_the_docs(generated: Home) -> None:
    [(events,)] = generated.query("select sum(events) from gold_layer.daily_sales_summary")
    [(clean, quarantined)] = generated.query(
        "select (select count(*) from silver_layer.events_cleaned),"
        " (select count(*) from silver_layer.events_quarantined)"
    )
    assert events == clean
    assert clean + quarantined == int(EVENTS)
    docs = (generated.folder / "docs" / "index.html").read_text(encoding="utf-8")
    assert "One row per user. What is each customer worth" in docs
    dictionary = entries.read(generated.folder / "dictionary.json")
    summary = dictionary.table("daily_sales_summary")
    [(days, last_day)] = generated.query(
        "select count(*), max(event_date) from gold_layer.daily_sales_summary"
    )
    assert summary is not None
    assert summary.rows == days
    assert f"| As of | {last_day} |" in docs


def test_second_run_loads_nothing_and_changes_no_table(generated: Home, tmp_path: Path) -> None:
    before = Home(tmp_path)
    shutil.copyfile(generated.database, before.database)
    snapshots = [f"select * from silver_layer.{name} order by dbt_scd_id" for name in SNAPSHOTS]
    output = generated.run("run", "--events", EVENTS).stdout
    assert "0 loaded now, 61 loaded before" in output
    assert "build ..." not in output
    assert "nothing to build" in output
    assert "Revenue" in output
    assert differences(before, generated) == {}
    for snapshot in snapshots:
        assert generated.query(snapshot) == before.query(snapshot)


def test_a_failed_run_is_no_success_and_a_full_one_builds_all_again(generated: Home) -> None:
    command = ("run", "--events", EVENTS)
    rejected = "select * from silver_layer.events_quarantined order by all"
    before = generated.query(rejected)
    # Somebody changed the database: the failure is found, and leaves no record of a success.
    with duckdb.connect(str(generated.database)) as connection:
        connection.execute(LOSE_ROWS)
    assert "dbt failed" in generated.run(*command, expect=1).stdout
    assert not (generated.folder / "last_run.json").exists()
    assert generated.query(rejected) != before
    assert "build ..." in generated.run(*command, "--full").stdout
    assert generated.query(rejected) == before
    assert (generated.folder / "last_run.json").exists()
    assert "nothing to build" in generated.run(*command).stdout


def test_real_rows_give_the_known_silver_figures(real: tuple[Home, str]) -> None:
    home, _ = real
    assert home.query(
        "select event_type, count(*) from silver_layer.events_cleaned group by 1 order by 1"
    ) == [("cart", 167), ("purchase", 216), ("view", 17_729)]
    assert home.query("select count(*) from bronze_layer.events_raw") == [(18_117,)]
    assert home.query(
        "select rejection_reason, count(*) from silver_layer.events_quarantined group by 1"
    ) == [("duplicate", 5)]
    assert home.query(
        "select count(*), count_if(is_order), count_if(carts > 0), sum(revenue)"
        " from silver_layer.sessions"
    ) == [(5_308, 202, 121, Decimal("60220.85"))]


def test_real_rows_give_the_same_figures_in_the_four_gold_tables(real: tuple[Home, str]) -> None:
    home, _ = real
    figures = (Decimal("60220.85"), 202, 195)
    for query in (
        "select sum(revenue), sum(orders), count_if(orders > 0) from gold_layer.customer_metrics",
        "select sum(revenue), sum(orders_started), sum(buyers_acquired)"
        " from gold_layer.product_performance",
        "select sum(revenue), sum(orders), sum(new_buyers) from gold_layer.daily_sales_summary",
        "select sum(session_revenue), sum(sessions_with_purchase),"
        " sum(sessions_with_first_order)"
        " from gold_layer.conversion_funnel where category_l1 = '(all)'",
    ):
        assert home.query(query) == [figures], query
    assert home.query(
        "select (select count(*) from gold_layer.customer_metrics),"
        " (select count(*) from gold_layer.product_performance)"
    ) == [(4_737, 6_814)]
    assert home.query(
        "select cast(event_date as varchar), purchases, revenue"
        " from gold_layer.daily_sales_summary where purchases > 0 order by 1"
    ) == [("2019-10-01", 214, Decimal("59442.63")), ("2019-11-01", 2, Decimal("778.22"))]


def test_files_without_events_are_refused_and_named(real: tuple[Home, str]) -> None:
    _, output = real
    assert "refused" in output
    assert "monthly_kpis.csv" in output
    assert "2019-10-01_head.csv" not in output


def test_too_few_repeat_buyers_give_null_predictions(real: tuple[Home, str]) -> None:
    home, _ = real
    assert home.query(
        "select count(*) from gold_layer.customer_metrics"
        " where expected_orders_90d is not null or expected_revenue_90d is not null"
    ) == [(0,)]


def test_tracker_sessions_can_be_kept(real_data: Path, tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.load(real_data)
    options = ("--indirect-selection", "buildable", "--exclude-resource-type", "unit_test")
    variable = ("--vars", "session_gap_minutes: null")
    home.dbt("build", "--select", "+sessions", *options, *variable)
    assert home.query("select count(*) from silver_layer.sessions") == [(5_307,)]


def test_a_folder_without_any_good_file_is_an_error(tmp_path: Path) -> None:
    landing = tmp_path / "landing-zone"
    landing.mkdir()
    (landing / "notes.csv").write_text("just,some,notes\n1,2,3\n", encoding="utf-8")
    result = Home(tmp_path).run("run", "--data", str(landing), expect=2)
    assert "notes.csv" in result.stderr


def test_the_gate_keeps_gold_from_new_rows_of_which_most_are_rejected(tmp_path: Path) -> None:
    home, landing, new = Home(tmp_path), tmp_path / "files", Lines()
    landing.mkdir()

    def land(name: str, *lines: str) -> None:
        (landing / name).write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")

    def run(expect: int) -> str:
        return home.run("run", "--data", str(landing), expect=expect).stdout

    def days_in_gold() -> list[tuple[int]]:
        return home.query("select sum(events) from gold_layer.daily_sales_summary")

    def good(number: int) -> list[str]:
        return [new.line() for _ in range(number)]

    def free(number: int) -> list[str]:
        # Each column reads, so that the file is loaded, and no line is clean.
        return [new.line(event_type="purchase", price="0") for _ in range(number)]

    land("bad.csv", *free(13), new.line(event_type="purchase", price="0", user_session="nan"))
    output = run(expect=1)
    assert "Gate         shut, gold stays as it was: 14 of 14 new rows are rejected" in output
    assert "more than 50%" in output
    reasons = "zero_price_purchase 14, missing_user_session 1"
    assert f"no clean row: {landing / 'bad.csv'}: 14 of 14 rows: {reasons}" in output
    assert "failed: 1 file without a clean row" in output
    assert "Revenue" not in output
    assert "Traceback" not in output
    assert not home.query("select * from information_schema.tables where table_name = 'sessions'")

    # Half is not more than half, 15 of 30: the gate is open, and the file is still named. Exports
    # overlap: a copy is no fault.
    land("good.csv", *good(3))
    shutil.copy(landing / "good.csv", landing / "good (1).csv")
    land("more.csv", *good(9), new.line(price=""))
    output = run(expect=1)
    assert "Gate         open: 1 of 16 new rows are rejected, at most 50% may be" in output
    assert f"  {landing / 'more.csv'}: 1 of 10 rows: invalid_price 1" in output
    assert "duplicate 3" in output
    assert "Revenue" in output
    assert "failed: 1 file without a clean row" in output
    assert days_in_gold() == [(12,)]
    assert "nothing to build" in run(expect=1)

    # Gold has seen the bad rows; only the newer ones are judged.
    (landing / "bad.csv").unlink()
    land("mixed.csv", *good(2), *[new.line(event_time="soon") for _ in range(3)])
    output = run(expect=1)
    assert "shut, gold stays as it was: 3 of 5 new rows" in output
    named = f"more than 10% rejected: {landing / 'mixed.csv'}: 3 of 5 rows:"
    assert f"{named} invalid_event_time 3" in output
    assert "failed:" not in output
    assert days_in_gold() == [(12,)]

    # The remedy that a shut gate names: the next run starts without a database, as the first one.
    assert "take the files named above away, `make clean`, and run again with correct" in output
    home.run("clean")
    assert not home.database.exists()


def test_generated_and_real_events_do_not_mix(generated: Home, tmp_path: Path) -> None:
    landing = write_dirty_file(tmp_path, "crlf.csv")
    result = generated.run("run", "--data", str(landing), expect=2)
    assert "make clean" in result.stderr


def test_another_number_of_events_needs_a_clean_home(generated: Home) -> None:
    message = generated.run("run", "--events", "30000", expect=2).stderr
    assert "run `make clean` first, or set ECOMMERCE_HOME to another folder" in message
    assert "--out" not in message
