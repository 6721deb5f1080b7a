"""The quality gate before gold: open on a built platform, shut for every planted fault."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from support.platform_runs import Home

pytestmark = pytest.mark.slow

# One clean event becomes a rejected row.
REJECT_ONE = (
    "insert into silver_layer.events_quarantined by name"
    " select _source_file, _ingested_at, _batch_id, 'invalid_price' as rejection_reason"
    " from silver_layer.events_cleaned"
    " where rowid = (select min(rowid) from silver_layer.events_cleaned);"
    "delete from silver_layer.events_cleaned"
    " where rowid = (select min(rowid) from silver_layer.events_cleaned)"
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("gate"))
    home.load_generated(events=3000, days=3)
    home.dbt("run", "--select", "+silver_totals", "+batch_totals")
    return home


@pytest.fixture
def home(built: Home) -> Iterator[Home]:
    """The built platform, for a test to break."""
    with built.database_restored():
        yield built


def gate(home: Home, expect: int) -> str:
    return home.dbt("run-operation", "quality_gate", expect=expect).stdout


def test_the_gate_is_open_on_a_built_platform(home: Home) -> None:
    assert "the quality gate is open" in gate(home, expect=0)


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        (
            "drop table silver_layer.events_quarantined",
            ['"events_quarantined" does not exist'],
        ),
        (
            "drop schema silver_layer cascade; drop table bronze_layer.events_raw",
            [
                f'"{table}" does not exist'
                for table in ("events_cleaned", "events_quarantined", "source_files", "events_raw")
            ],
        ),
        (
            "delete from silver_layer.events_cleaned; delete from silver_layer.source_files;"
            " delete from bronze_layer.events_raw",
            [
                '"events_cleaned" is empty',
                '"source_files" covers no file',
                '"events_raw" is empty',
            ],
        ),
        (
            "insert into bronze_layer.events_raw (_source_file, _ingested_at)"
            " select 'late.csv', max(_ingested_at) + interval 3601 second"
            " from bronze_layer.events_raw",
            ["silver is stale: bronze is 3601 s ahead of it"],
        ),
        (
            "delete from silver_layer.events_cleaned where rowid = ("
            "select min(rowid) from silver_layer.events_cleaned)",
            ["2019-10-0"],
        ),
        (
            "insert into silver_layer.events_cleaned"
            " select * from silver_layer.events_cleaned limit 1",
            ["rows in bronze"],
        ),
        (
            "insert into silver_layer.events_quarantined by name"
            " select _source_file, _ingested_at, _batch_id, 'invalid_price' as rejection_reason"
            " from silver_layer.source_files, range(3001)",
            ["9003 of 3000 new rows are rejected, a share above 0.5: see rejection_reason"],
        ),
    ],
)
def test_the_gate_is_shut(home: Home, fault: str, reasons: list[str]) -> None:
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(fault)
    output = gate(home, expect=1)
    assert "the quality gate is shut and gold stays as it is" in output
    for reason in reasons:
        assert reason in output


def test_files_that_land_while_silver_builds_wait_for_the_next_run(home: Home) -> None:
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(
            "insert into bronze_layer.events_raw (_source_file, _ingested_at)"
            " select 'new.csv', max(_ingested_at) + interval 3600 second"
            " from bronze_layer.events_raw"
        )
    gate(home, expect=0)
    output = home.dbt(
        "run-operation", "quality_gate", "--vars", "gate_max_lag_minutes: 0", expect=1
    ).stdout
    assert "silver is stale" in output


def test_the_share_of_rejected_rows_is_a_variable_by_target(home: Home) -> None:
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(REJECT_ONE)
    gate(home, expect=0)
    for share in ("0", "{local: 0, default: 1}", "{prod: 1, default: 0}"):
        variable = f"gate_max_quarantined_share: {share}"
        output = home.dbt("run-operation", "quality_gate", "--vars", variable, expect=1).stdout
        assert "1 of 3000 new rows are rejected, a share above 0.0" in output


def test_rows_that_gold_has_seen_and_duplicates_are_not_judged(home: Home) -> None:
    variable = ("--vars", "gate_max_quarantined_share: 0")
    duplicates = REJECT_ONE.replace("'invalid_price'", "'duplicate'")
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(duplicates)
    home.dbt("run-operation", "quality_gate", *variable)
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(REJECT_ONE)
    home.dbt("run-operation", "quality_gate", *variable, expect=1)
    # The view asks for the files that passed once their table is there.
    home.dbt("run", "--select", "released_files")
    home.dbt("run", "--select", "batch_totals")
    home.dbt("run-operation", "quality_gate", *variable)
