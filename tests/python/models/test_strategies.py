"""The incremental strategies of macros/incremental, in a project of four small models."""

from __future__ import annotations

import shutil
from typing import Final

import duckdb
import pytest

from project.home import CHECKOUT
from support.platform_runs import Home, run_dbt

PROJECT: Final = """
name: strategies
profile: ecommerce_analytics
flags: {send_anonymous_usage_stats: false}
"""
MODELS: Final = {
    "sales": """
        {{ config(
            materialized='incremental', incremental_strategy='accumulate',
            unique_key=['product_id', 'event_date'],
        ) }}
        select product_id, event_date, pieces, revenue, _batch_id from silver_layer.sales_changes
    """,
    "visits": """
        {{ config(
            materialized='incremental', incremental_strategy='replace_keys',
            unique_key=['user_id', 'tracker'],
            meta={'delete_keys_where': '_first_batch_id < _batch_id'},
        ) }}
        select * from silver_layer.visit_changes
    """,
    "last_visits": """
        {{ config(
            materialized='incremental', incremental_strategy='replace_keys', unique_key='user_id',
        ) }}
        select * from silver_layer.visit_changes
    """,
    "audience": """
        {{ config(
            materialized='incremental', incremental_strategy='insert_missing',
            unique_key=['user_id', 'product_id'],
        ) }}
        select * from silver_layer.audience_changes
    """,
}
# Counts have the types of the yml.
COLUMNS: Final = """
models:
  - name: sales
    columns:
      - {name: product_id, data_type: bigint}
      - {name: event_date, data_type: date}
      - {name: pieces, data_type: bigint}
      - {name: revenue, data_type: "decimal(18, 2)"}
      - {name: _batch_id, data_type: bigint}
"""
TABLES: Final = """
    create schema if not exists silver_layer;
    create or replace table silver_layer.sales_changes (
        product_id bigint, event_date date, pieces bigint, revenue decimal(18, 2), _batch_id bigint
    );
    create or replace table silver_layer.visit_changes
        (user_id bigint, tracker text, visit text, _first_batch_id bigint, _batch_id bigint);
    create or replace table silver_layer.audience_changes
        (user_id bigint, product_id bigint, _batch_id bigint);
"""
FIRST_BATCH: Final = """
    insert into silver_layer.sales_changes values
        (1, '2019-10-01', 3, 30.00, 1),
        (1, '2019-10-02', 1, 5.00, 1),
        (2, '2019-10-01', 2, 20.00, 1),
        (3, '2019-10-01', 1, 1.00, 1),
        (4, '2019-10-01', 1, 1.00, 1);
    insert into silver_layer.visit_changes values
        (1, 's', 'first', 1, 1),
        (1, 's', 'second', 1, 1),
        (1, 't', 'other tracker', 1, 1),
        (2, 's', 'other user', 1, 1),
        (3, 'u', 'stored', 1, 1);
"""
FIRST_AUDIENCE: Final = """
    insert into silver_layer.audience_changes values (1, 1, 1), (1, 2, 1), (2, 2, 1);
"""
SECOND_BATCH: Final = """
    insert into silver_layer.sales_changes values
        (1, '2019-10-01', 2, 10.50, 2),
        (2, '2019-10-01', -2, -20.00, 2),
        (3, '2019-10-01', -1, 0.00, 2),
        (4, '2019-10-01', 0, 0.00, 2),
        (5, '2019-10-02', 4, 40.00, 2),
        (6, '2019-10-01', 0, 0.00, 2);
    insert into silver_layer.visit_changes values
        (1, 's', 'merged', 1, 2),
        (2, 't', 'both halves of the key are stored, in other rows', 1, 2),
        (3, 'u', 'key is not looked up', 2, 2),
        (4, 'v', 'new', 2, 2);
"""
SECOND_AUDIENCE: Final = """
    insert into silver_layer.audience_changes values (1, 1, 2), (2, 1, 2), (3, 3, 2);
"""


@pytest.fixture(scope="module")
def updated(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Tables that were built with the first batch and updated with the second."""
    home = Home(tmp_path_factory.mktemp("strategies"))
    project = home.folder / "project"
    shutil.copytree(CHECKOUT / "macros" / "incremental", project / "macros")
    (project / "dbt_project.yml").write_text(PROJECT, encoding="utf-8")
    (project / "models").mkdir()
    (project / "models" / "sales.yml").write_text(COLUMNS, encoding="utf-8")
    for name, sql in MODELS.items():
        (project / "models" / f"{name}.sql").write_text(sql, encoding="utf-8")
    for batch in (FIRST_BATCH + FIRST_AUDIENCE, SECOND_BATCH + SECOND_AUDIENCE):
        update(home, batch)
    return home


def update(home: Home, changes: str) -> None:
    """Run every model on a batch of changes, which replaces the one before."""
    with duckdb.connect(str(home.database)) as connection:
        connection.execute(TABLES + changes)
    run_dbt(home.folder, ["run", "--profiles-dir", str(CHECKOUT)], 0, {}, home.folder / "project")


def rows(home: Home, table: str) -> list[str]:
    """Return the rows of a table as text, sorted."""
    return sorted(" ".join(map(str, row)) for row in home.query(f"from silver_layer.{table}"))


def test_accumulate_adds_counts_and_deletes_keys_without_any(updated: Home) -> None:
    assert rows(updated, "sales") == [
        "1 2019-10-01 5 40.50 2",
        # Both halves of the key are in the batch, in other rows.
        "1 2019-10-02 1 5.00 1",
        "3 2019-10-01 0 1.00 2",
        "4 2019-10-01 1 1.00 2",
        "5 2019-10-02 4 40.00 2",
    ]


def test_accumulate_keeps_the_types_of_counts(updated: Home) -> None:
    types = updated.query("select column_name, column_type from (describe silver_layer.sales)")
    assert dict(types) == {
        "product_id": "BIGINT",
        "event_date": "DATE",
        "pieces": "BIGINT",
        "revenue": "DECIMAL(18,2)",
        "_batch_id": "BIGINT",
    }


def test_replace_keys_replaces_all_rows_of_a_key(updated: Home) -> None:
    assert rows(updated, "last_visits") == [
        "1 s merged 1 2",
        "2 t both halves of the key are stored, in other rows 1 2",
        "3 u key is not looked up 2 2",
        "4 v new 2 2",
    ]


def test_replace_keys_looks_up_the_keys_that_can_be_stored(updated: Home) -> None:
    assert rows(updated, "visits") == [
        "1 s merged 1 2",
        "1 t other tracker 1 1",
        "2 s other user 1 1",
        "2 t both halves of the key are stored, in other rows 1 2",
        "3 u key is not looked up 2 2",
        "3 u stored 1 1",
        "4 v new 2 2",
    ]


def test_insert_missing_keeps_stored_rows(updated: Home) -> None:
    assert rows(updated, "audience") == ["1 1 1", "1 2 1", "2 1 2", "2 2 1", "3 3 2"]


def test_a_repeated_batch_inserts_nothing_and_an_empty_one_changes_nothing(updated: Home) -> None:
    before = {table: rows(updated, table) for table in MODELS}
    with updated.database_restored():
        update(updated, FIRST_AUDIENCE + SECOND_AUDIENCE)
        assert {table: rows(updated, table) for table in MODELS} == before
