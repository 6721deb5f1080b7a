"""What a run did is recorded: its nodes, tests and gate decisions, also those of a failed run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from project.home import CHECKOUT
from support.event_batches import FIRST, write
from support.platform_runs import Home

pytestmark = pytest.mark.slow

RUNS, TESTS = "silver_layer.run_history", "silver_layer.test_history"
LAST = f"started_at = (select max(started_at) from {RUNS})"
MODELS = ("--select", "+source_files", "+silver_totals", "+batch_totals", "+unaccounted_files")
INDIRECT = ("--indirect-selection", "buildable")
BUILD = ("build", *MODELS, *INDIRECT, "--exclude-resource-type", "unit_test")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("history"))
    write(home.folder / "files" / "events.csv", FIRST)
    home.load(home.folder / "files")
    home.dbt("--write-json", *BUILD)
    return home


@pytest.fixture
def home(built: Home) -> Iterator[Home]:
    """The built tables, and the history of one build, which seems to be a day old."""
    with built.database_restored():
        for table in (RUNS, TESTS):
            execute(built, f"update {table} set started_at = started_at - interval 1 day")
        yield built


def execute(home: Home, sql: str) -> None:
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(sql)


def results_of_dbt(home: Home, *kinds: str) -> dict[str, dict[str, Any]]:
    """Return what dbt itself wrote of the last run, by name of the node."""
    nodes = home.artifact("manifest")["nodes"] | home.artifact("manifest")["functions"]
    return {
        nodes[result["unique_id"]]["name"]: result
        for result in home.artifact("run_results")["results"]
        if result["unique_id"].partition(".")[0] in kinds
    }


def test_a_run_records_what_dbt_says_of_each_node(built: Home) -> None:
    said = results_of_dbt(built, "model", "snapshot", "function")
    rows = built.query(
        f"select node, status, seconds, message from {RUNS}"
        " where resource_type in ('model', 'snapshot', 'function')"
    )
    assert len(rows) == len(said) > 8
    for node, status, seconds, message in rows:
        assert status == said[node]["status"] and message is None
        assert seconds == pytest.approx(said[node]["execution_time"], abs=0.001)


def test_a_run_records_what_dbt_says_of_each_data_test(built: Home) -> None:
    said = results_of_dbt(built, "test")
    rows = built.query(f"select test_name, status, failures, severity from {TESTS}")
    assert len(rows) == len(said) > 10
    for name, *found in rows:
        assert found == [said[name]["status"], said[name]["failures"], "error"]
    tested = built.query(f"select distinct table_name from {TESTS} order by 1")
    assert ("events_raw",) in tested and ("source_files",) in tested


def test_the_run_itself_and_its_gate_have_a_row_each(built: Home) -> None:
    assert built.query(
        f"select node, resource_type, status from {RUNS} where resource_type in ('run', 'gate')"
        " order by 1"
    ) == [("dbt build", "run", "success"), ("quality_gate", "gate", "open")]
    [(wall, nodes)] = built.query(
        "select max(seconds) filter (resource_type = 'run'),"
        f" sum(seconds) filter (resource_type <> 'run') from {RUNS}"
    )
    # One thread builds one node after the other.
    assert wall > nodes > 0


def test_rows_are_those_of_the_table_after_the_run(built: Home) -> None:
    rows = built.query(f"select node, stored_rows from {RUNS} where stored_rows is not null")
    assert len(rows) >= 4
    for node, count in rows:
        assert built.query(f"select count(*) from silver_layer.{node}") == [(count,)], node


def test_a_failed_model_and_what_it_skips_are_recorded_with_the_reason(home: Home) -> None:
    execute(home, "alter table bronze_layer.events_raw rename to lost")
    home.dbt("run", "--select", "events_staged", "event_copies", expect=1)
    rows = home.query(f"select node, status, message from {RUNS} where {LAST} order by 1")
    found = {node: (status, message) for node, status, message in rows}
    assert found["event_copies"][0] == "skipped"
    assert found["dbt run"] == ("error", None)
    status, message = found["events_staged"]
    assert status == "error" and "events_raw" in message
    assert "\n" not in message and "'" not in message and len(message) <= 500


def test_what_failed_and_when_it_healed_is_found_by_the_documented_query(home: Home) -> None:
    page = (CHECKOUT / "docs" / "architecture.md").read_text("utf-8")
    [query] = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    assert home.query(query) == []
    fault = "insert into silver_layer.source_files from silver_layer.source_files limit 1"
    test = ("test", "--select", "unique_source_files__source_file")
    execute(home, fault)
    home.dbt(*test, expect=1)
    name = "unique_source_files__source_file"
    [(found, table, failed, healed, failures)] = home.query(query)
    assert (found, table, healed, failures) == (name, "source_files", None, 1)
    assert home.query(f"select count(*) from {TESTS} where started_at = '{failed}'") == [(1,)]
    execute(
        home,
        "create or replace table silver_layer.source_files as"
        " select distinct * from silver_layer.source_files",
    )
    home.dbt(*test)
    [(_, _, still, healed, _)] = home.query(query)
    assert still == failed < healed
    assert home.query(f"select count(*) from {TESTS} where started_at = '{healed}'") == [(1,)]


def test_each_decision_of_the_gate_is_recorded(home: Home) -> None:
    home.dbt("run-operation", "quality_gate")
    execute(home, "delete from silver_layer.events_cleaned")
    home.dbt("run-operation", "quality_gate", expect=1)
    rows = home.query(
        f"select status, message from {RUNS} where resource_type = 'gate' order by started_at,"
        " status"
    )
    assert [status for status, _ in rows] == ["open", "open", "shut"]
    assert rows[1][1] is None and "is empty: build silver" in rows[2][1]


def test_the_history_outlives_a_full_refresh_and_ends_after_its_days(home: Home) -> None:
    nodes = home.query(f"select count(*) from {RUNS}")
    tests = home.query(f"select count(*) from {TESTS}")
    keep = ("--vars", "history_days: 2")
    home.dbt("run", "--full-refresh", "--select", "silver_totals", *keep)
    assert home.query(f"select count(*) from {RUNS} where not {LAST}") == nodes
    assert home.query(f"select count(*) from {TESTS}") == tests
    for table in (RUNS, TESTS):
        execute(home, f"update {table} set started_at = started_at - interval 1 day")
    home.dbt("build", "--select", "source_files", "--exclude-resource-type", "unit_test", *keep)
    kept = home.query(f"select distinct node from {RUNS} where resource_type = 'run' order by 1")
    assert kept == [("dbt build",), ("dbt run --full-refresh",)]
    assert home.query(f"select count(distinct started_at) from {TESTS}") == [(1,)]


def test_a_run_of_nothing_is_not_recorded(home: Home) -> None:
    before = home.query(f"select * from {RUNS}")
    home.dbt("build", "--select", "no_such_model")
    assert home.query(f"select * from {RUNS}") == before
