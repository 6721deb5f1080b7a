"""Loading in batches gives what one full refresh gives, row for row."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from project.home import CHECKOUT
from project.variables import project_variables
from support.databricks_runs import WITHOUT_TESTS, copy_project
from support.event_batches import FIRST, NOTHING, SECOND, THIRD, line, write
from support.platform_runs import LOSE_ROWS, Home, differences
from support.recorded_builds import Builds, recorded_runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def builds() -> Builds:
    return recorded_runs().builds


@pytest.fixture(scope="module")
def in_batches(tmp_path_factory: pytest.TempPathFactory, builds: Builds) -> Home:
    """Hand-made and generated events in batches, a build after each: of dbt first and last."""
    home = Home(tmp_path_factory.mktemp("batches"))
    pool = home.folder / "pool"
    home.run("generate", "--events", "6000", "--days", "21", "--dirty", "0.02", "--out", str(pool))
    days = sorted(pool.glob("*.csv"))
    # Some days of each batch arrive in another one: late, or out of order.
    batches = [[], [*days[:6], days[14]], [*days[8:14], days[20]], [days[7], days[6], *days[15:20]]]
    landing = home.folder / "files"
    for number, (lines, files) in enumerate(
        zip([NOTHING, FIRST, SECOND, THIRD], batches, strict=True)
    ):
        write(landing / f"batch_{number}.csv", lines)
        for file in files:
            shutil.copy(file, landing)
        home.load(landing)
        if number in (0, 3):
            home.dbt("run")
        else:
            builds.build(home)
    return home


@pytest.fixture(scope="module")
def refreshed(in_batches: Home, builds: Builds, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The same bronze with a full refresh of every table."""
    home = Home(tmp_path_factory.mktemp("refreshed"))
    shutil.copyfile(in_batches.database, home.database)
    builds.full_refresh(home)
    return home


def test_every_table_equals_a_full_refresh(in_batches: Home, refreshed: Home) -> None:
    assert differences(in_batches, refreshed) == {}


def test_session_starts_leave_with_the_build_that_used_them(in_batches: Home) -> None:
    assert in_batches.query("select count(*) from silver_layer.session_starts") == [(0,)]


def test_a_late_event_joined_two_sessions(in_batches: Home) -> None:
    assert in_batches.query(
        "select events, purchases, is_view_cart_purchase_in_order from silver_layer.sessions"
        " where user_id = 1 and tracker_part = 's1'"
    ) == [(4, 1, True)]


def test_a_session_that_continues_stays_on_the_day_it_started(in_batches: Home) -> None:
    assert in_batches.query(
        "select cast(session_date as varchar), events from silver_layer.sessions"
        " where user_id = 3 and tracker_part = 's3'"
    ) == [("2019-10-03", 4)]


def test_duplicates_across_files_keep_the_first_loaded_copy(in_batches: Home) -> None:
    assert in_batches.query(
        "select parse_filename(_source_file), count(*) from silver_layer.events_quarantined"
        " where rejection_reason = 'duplicate' and parse_filename(_source_file) like 'batch%'"
        " group by 1 order by 1"
    ) == [("batch_1.csv", 1), ("batch_2.csv", 2), ("batch_3.csv", 1)]


@pytest.mark.parametrize("last_commit", ["events_replaced", "events_cleaned"])
def test_the_next_build_recovers_from_one_that_died_half_way(
    in_batches: Home, refreshed: Home, builds: Builds, tmp_path: Path, last_commit: str
) -> None:
    home = Home(tmp_path)
    shutil.copyfile(in_batches.database, home.database)
    write(tmp_path / "late.csv", [line("2019-10-01 09:50:00", user=1), line("2019-10-09 01:00:00")])
    home.load(tmp_path / "late.csv")
    home.dbt("run", "--select", f"+{last_commit}")
    # Touches one tracker session again, and another for the first time.
    write(
        tmp_path / "later.csv",
        [
            line("2019-10-01 09:40:00", user=1),
            line("2019-10-03 12:10:00", user=4, session="shared"),
        ],
    )
    home.load(tmp_path / "later.csv")
    # Equal to a full refresh, the columns need no tests of theirs; the gate and the sums do.
    home.dbt("build", "--exclude", "test_type:unit", "test_type:generic")
    whole = Home(tmp_path / "whole")
    whole.folder.mkdir()
    shutil.copyfile(home.database, whole.database)
    builds.full_refresh(whole)
    assert differences(home, whole) == {}
    assert differences(home, refreshed) != {}


def test_a_first_build_of_no_rows_leaves_them_to_the_next(builds: Builds, tmp_path: Path) -> None:
    home, whole = Home(tmp_path / "home"), Home(tmp_path / "whole")
    write(home.folder / "files" / "first.csv", FIRST)
    home.load(home.folder / "files")
    home.dbt("run", "--empty")
    home.dbt("run")
    whole.folder.mkdir()
    shutil.copyfile(home.database, whole.database)
    builds.full_refresh(whole)
    assert home.query("select count(*) > 0 from silver_layer.events_cleaned") == [(True,)]
    assert differences(home, whole) == {}


def test_an_event_type_without_counts_is_part_of_all_events(tmp_path: Path) -> None:
    """Alone for a product, a session and a day, beside others, late; the data tests hold."""
    home, whole = Home(tmp_path / "home"), Home(tmp_path / "whole")
    types = [*project_variables()["event_types"], "wishlist"]
    variables = ("--vars", json.dumps({"event_types": types}))
    first = [*FIRST, line("2019-10-05 10:00:00", "wishlist", user=70, product=70, session="w1")]
    late = [
        *SECOND,
        line("2019-10-05 10:01:00", "wishlist", user=70, product=70, session="w1"),
        line("2019-10-01 09:55:00", "wishlist", user=1, product=1),
        line("2019-10-07 10:00:00", "wishlist", user=71, product=71, session="w2"),
    ]
    for name, lines in (("first.csv", first), ("late.csv", late)):
        write(home.folder / "files" / name, lines)
        home.load(home.folder / "files")
        # The data tests after the second build judge the rows of both.
        left_out = WITHOUT_TESTS if lines is first else ("--exclude-resource-type", "unit_test")
        home.dbt("build", *left_out, *variables)
    whole.folder.mkdir()
    shutil.copyfile(home.database, whole.database)
    whole.dbt("run", "--full-refresh", *variables)
    assert differences(home, whole) == {}
    [counted] = home.query(
        "select sum(events), sum(views + carts + cart_removals + purchases)"
        " from silver_layer.sessions where user_id in (70, 71)"
    )
    assert counted == (3, 0)


CURRENT_SEGMENTS = (
    "select user_id, user_segment from silver_layer.users_snapshot where dbt_valid_to is null"
    " order by 1"
)


@pytest.mark.parametrize("changed", ["as_of_date: 2020-01-31", "segment_vip_min_orders: 1"])
def test_a_changed_var_reclassifies_every_user(
    in_batches: Home, tmp_path: Path, changed: str
) -> None:
    updated, whole = Home(tmp_path / "updated"), Home(tmp_path / "whole")
    # The data tests of the updated tables suffice, as the others are to be equal. Open carts are
    # counted in two of them.
    for home, options in ((updated, ()), (whole, ("--full-refresh", *WITHOUT_TESTS))):
        home.folder.mkdir()
        shutil.copyfile(in_batches.database, home.database)
        home.dbt("build", *options, "--vars", f"{{{changed}}}", "--select", "user_activity+",
                 "abandoned_carts", "--exclude-resource-type", "unit_test")  # fmt: skip
    assert differences(updated, in_batches).keys() >= {"gold_layer.customer_metrics"}
    assert differences(updated, whole) == {}
    users = "select user_id, user_segment from silver_layer.users_dim order by 1"
    assert updated.query(CURRENT_SEGMENTS) == updated.query(users)


def test_an_as_of_date_before_new_events_stops_the_build_before_it_counts_them(
    in_batches: Home, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    shutil.copyfile(in_batches.database, home.database)
    write(tmp_path / "newer.csv", [line("2019-10-25 10:00:00", user=1)])
    home.load(tmp_path / "newer.csv")

    def build(as_of_date: str, expect: int) -> str:
        return home.dbt("build", "--exclude-resource-type", "unit_test",
                        "--vars", f"as_of_date: {as_of_date}", expect=expect).stdout  # fmt: skip

    output = build("2019-10-24", expect=1)
    assert (
        "var as_of_date is 2019-10-24, before the newest event, of 2019-10-25: set it to that day"
        " or a later one, or to null, then build again"
    ) in " ".join(output.split())
    changed = differences(home, in_batches)
    assert "silver_layer.events_cleaned" in changed
    assert changed.keys() <= {
        f"silver_layer.{table}"
        for table in ("events_cleaned", "source_files", "events_quarantined")
    }
    # The remedy: the events that are there already are counted.
    build("2019-10-25", expect=0)
    assert home.query(
        "select as_of_date::varchar,"
        " sum(events) - (select count(*) from silver_layer.events_cleaned)"
        " from gold_layer.customer_metrics group by 1"
    ) == [("2019-10-25", 0)]


def test_an_update_uses_half_the_memory_limit(refreshed: Home, tmp_path: Path) -> None:
    setting = "select current_setting('memory_limit') as used"
    hook = f"create or replace table silver_layer.memory as {setting}"
    project = copy_project(
        tmp_path, ("dbt_project.yml", "on-run-end:", f'on-run-end:\n  - "{hook}"')
    )
    home = Home(tmp_path)
    shutil.copyfile(refreshed.database, home.database)

    def used(*options: str, limit: str | None = None) -> float:
        home.dbt(
            *("run", "--project-dir", str(project), "--profiles-dir", str(CHECKOUT)),
            *("--select", "silver_totals", *options),
            ECOMMERCE_MEMORY_LIMIT=limit,
        )
        [(text,)] = home.query("select used from silver_layer.memory")
        return size(text)

    def size(text: str) -> float:
        number, unit = text.split()
        return float(number) * {"GiB": 2**30, "MiB": 2**20}[unit]

    def close(number: float) -> Any:
        # DuckDB prints one decimal.
        return pytest.approx(number, rel=0.03)

    with duckdb.connect() as connection:
        [(text,)] = connection.execute("select current_setting('memory_limit')").fetchall()
    half = size(text) / 2
    assert used() == close(min(4e9, half))
    assert used("--full-refresh") == close(min(7.5e9, half))
    assert used(limit="6GB") == close(6e9)


def test_a_lost_row_stops_the_build_before_the_marts(refreshed: Home, tmp_path: Path) -> None:
    home = Home(tmp_path)
    shutil.copyfile(refreshed.database, home.database)
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(LOSE_ROWS)
    result = home.dbt("build", "--exclude-resource-type", "unit_test", expect=1)
    assert "Failure in test assert_every_bronze_row_is_accounted_for" in result.stdout
    for mart in ("customer_metrics", "product_performance", "conversion_funnel"):
        assert f"SKIP relation gold_layer.{mart}" in result.stdout
