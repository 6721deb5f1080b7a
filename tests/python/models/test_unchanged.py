"""A build with nothing new keeps every table; anything new, of whatever kind, builds them all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from project.home import CHECKOUT
from support.databricks_runs import copy_project
from support.event_batches import FIRST, line, write
from support.platform_runs import Home

pytestmark = pytest.mark.slow

BUILD = ("build", "--exclude-resource-type", "test", "unit_test")
# What is compared does not depend on the selection, so two models show what a build of all does.
TWO = ("build", "--select", "orders", "silver_totals", *BUILD[1:])
RECORD = "select count(*) from silver_layer.model_definitions where definition = 'inputs'"
# A plain table, one that keeps rows, a view, a Python model and a snapshot.
KINDS = ("orders", "sessions", "silver_totals", "customer_lifetime_value", "products_snapshot")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("unchanged"))
    write(home.folder / "files" / "first.csv", FIRST)
    home.load(home.folder / "files")
    home.dbt(*BUILD)
    return home


@pytest.fixture
def home(built: Home) -> Iterator[Home]:
    with built.database_restored():
        yield built


def kept(output: str) -> set[str]:
    return set(re.findall(r"OK (?:created|snapshotted)\b.* \S+_layer\.(\w+) \.*\s*\[KEPT", output))


def execute(home: Home, sql: str) -> None:
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(sql)


def test_a_build_with_nothing_new_keeps_every_table(home: Home) -> None:
    runs = "silver_layer.run_history"
    rows = f"select node, status, stored_rows from {runs}"
    before = home.query(f"{rows} order by all")
    log = home.folder / "logs" / "dbt.log"
    log.unlink(missing_ok=True)
    output = home.dbt("--log-level-file", "debug", *BUILD).stdout
    assert kept(output) >= set(KINDS)
    made = re.findall(r"OK (?:created sql|created python|snapshotted)", output)
    assert len(made) == len(kept(output))
    text = log.read_text("utf-8")
    changes = re.findall(r"^ *((?:create|drop|alter|update|delete|insert)\b.*)", text, re.MULTILINE)
    of_every_run = re.compile(r"(run|test)_history|create (or replace )?macro|create schema")
    assert changes and not [change for change in changes if not of_every_run.search(change)]
    assert home.query(RECORD) == [(1,)]
    # The run is in the history like any other.
    last = f"where started_at = (select max(started_at) from {runs})"
    assert home.query(f"{rows} {last} order by all") == before


def test_a_build_of_two_tables_keeps_both(home: Home) -> None:
    assert kept(home.dbt(*TWO).stdout) == {"orders", "silver_totals"}
    assert home.query(RECORD) == [(1,)]


@pytest.mark.parametrize(
    "options",
    [
        ("--vars", "as_of_date: 2019-11-01"),
        ("--full-refresh",),
        ("--empty",),
    ],
    ids=["var", "full refresh", "empty"],
)
def test_another_var_or_kind_of_build_keeps_nothing(home: Home, options: tuple[str, ...]) -> None:
    assert kept(home.dbt(*TWO, *options).stdout) == set()
    # What it wrote is not what the record was of, even after everything is as it was.
    assert home.query(RECORD) == [(0,)]


@pytest.mark.parametrize(
    "change",
    [
        "drop view silver_layer.silver_totals",
        "delete from gold_layer.daily_sales_summary",
        "insert into bronze_layer.events_raw from bronze_layer.events_raw limit 1",
        "update bronze_layer.loaded_files set content_hash = 'another'",
    ],
)
def test_a_change_by_hand_is_built_over(home: Home, change: str) -> None:
    execute(home, change)
    assert kept(home.dbt(*TWO).stdout) == set()
    assert home.query(RECORD) == [(0,)]


def test_a_build_that_dies_or_fails_leaves_no_record(home: Home) -> None:
    write(home.folder / "files" / "third.csv", [line("2019-10-03 10:00:00", user=78)])
    home.load(home.folder / "files")
    run = home.start_dbt(*BUILD)
    while "START sql" not in run.printed():
        assert run.is_running()
    run.kill()
    assert home.query(RECORD) == [(0,)]
    execute(home, "alter table silver_layer.events_cleaned rename column price to lost")
    home.dbt(*BUILD, expect=1)
    assert home.query(RECORD) == [(0,)]


def test_a_new_file_is_built_and_tables_built_from_stale_ones_are_not_recorded(home: Home) -> None:
    write(home.folder / "files" / "second.csv", [line("2019-10-03 10:00:00", user=77)])
    home.load(home.folder / "files")
    assert kept(home.dbt(*TWO).stdout) == set()
    assert home.query(RECORD) == [(0,)]
    assert kept(home.dbt(*BUILD).stdout) == set()
    assert home.query("select count(*) from silver_layer.users_dim where user_id = 77") == [(1,)]
    assert kept(home.dbt(*BUILD).stdout) >= set(KINDS)


def test_changed_code_keeps_nothing(built: Home, tmp_path: Path) -> None:
    edits = {
        "none": (),
        "macro": (("macros/definitions/rate.sql", "{#- Null where", "{#- Is null where"),),
        "description": (("models/gold/orders.yml", "description: ", "description: Another. "),),
    }
    found = {}
    for name, edit in edits.items():
        (tmp_path / name).mkdir()
        project = str(copy_project(tmp_path / name, *edit))
        with built.database_restored():
            output = built.dbt(
                *TWO, "--project-dir", project, "--profiles-dir", str(CHECKOUT)
            ).stdout
        found[name] = kept(output)
    assert found == {"none": {"orders", "silver_totals"}, "macro": set(), "description": set()}
