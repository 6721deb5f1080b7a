"""A second check of the dialect: Spark on the JVM runs the SQL that dbt compiles for Databricks.

Sail, the engine of the loopback warehouse, accepts SQL that Databricks rejects. Without a
workspace, Spark's grammar and analyzer are the closest to those of Databricks.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from project.home import CHECKOUT
from support import databricks_clauses
from support.auto_loader_runs import require_java
from support.databricks_clauses import CLAUSES, Clause
from support.databricks_runs import CATALOG, bronze_rows, differences
from support.dev_builds import UNIT_TEST, DevBuilds, dev_builds
from support.platform_runs import PREPARED, Home
from support.spark_runs import (
    Compiled,
    SparkTarget,
    compiled,
    jvm_spark,
    parse_without_clauses,
    with_values,
)
from support.system_tables import TABLES, plant_events
from warehouse.server import Warehouse

# The first test waits for all builds, and a slow machine takes five times as long.
pytestmark = [pytest.mark.spark, pytest.mark.timeout(1200)]

# They read Databricks' system tables, or the clock by a function that DuckDB does not have.
NOT_ON_DUCKDB = {
    *("cost_by_day", "privilege_changes", "refused_attempts", "who_read_personal_columns"),
    "no_new_data",
}


@dataclass(frozen=True)
class Runs:
    """Two batches on DuckDB, and what dbt compiled and sent for them on target dev."""

    both: DevBuilds
    whole: list[Compiled]
    incremental: list[Compiled]
    sent: list[str]
    unit_tests: int
    unmodeled: dict[str, pa.Table]
    analyses: dict[str, pa.Table]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    require_java()
    with dev_builds(tmp_path_factory.mktemp("runs")) as both:
        home, dev = both.local, both.dev
        incremental = compiled(both.incremental)
        plant_events(dev.warehouse)
        load(dev.warehouse, home, "run_history")
        unmodeled = {
            name.rpartition(".")[2]: dev.warehouse.read(name)
            for name in (*TABLES, f"{CATALOG}.silver_layer.run_history")
        }
        unmodeled["tables"] = dev.query("select * from system.information_schema.tables")
        analyses = {
            node.name: (dev.query(node.code) if node.name in NOT_ON_DUCKDB else answer(home, node))
            for node in incremental
            if node.kind == "analysis"
        }
    manifest = json.loads((both.incremental / "manifest.json").read_text("utf-8"))
    unit_tests = len(manifest["unit_tests"])
    return Runs(
        both,
        compiled(both.whole),
        incremental,
        both.builds.sent(),
        unit_tests,
        unmodeled,
        analyses,
    )


def load(warehouse: Warehouse, home: Home, table: str) -> None:
    """Load the rows of a local table in silver into the same one of the warehouse."""
    name = f"silver_layer.{table}"
    schema = warehouse.read(f"{CATALOG}.{name}").schema
    with duckdb.connect(str(home.database), read_only=True) as connection:
        rows = connection.sql(f"select * from {name}").to_arrow_table()
    warehouse.load(f"{CATALOG}.{name}", rows.select(schema.names).cast(schema))


def answer(home: Home, node: Compiled) -> pa.Table:
    """Return what DuckDB finds by a query in which only names of relations are changed."""
    sql = re.sub(rf"`{CATALOG}`\.`(\w+)`\.`(\w+)`", r"\1.\2", node.code)
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.sql(sql).to_arrow_table()


@pytest.fixture(scope="module")
def spark(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    with jvm_spark(tmp_path_factory.mktemp("jvm")) as session:
        yield session


@dataclass(frozen=True)
class Built:
    """Spark's tables after both builds, and their differences from DuckDB's after each.

    The first builds what an update is compiled in another form for, and what both forms read.
    """

    target: SparkTarget
    first: dict[str, int]
    second: dict[str, int]


@pytest.fixture(scope="module")
def built(runs: Runs, spark: SparkSession) -> Built:
    target = SparkTarget(spark)
    found = []
    builds = runs.both.builds
    for home, build, nodes, kind in (
        (runs.both.first, builds.first, in_both_builds(runs), "CREATE TABLE"),
        (runs.both.local, builds.second, runs.incremental, "CREATE TEMPORARY VIEW"),
    ):
        target.store("events_raw", bronze_rows(home))
        for node in nodes:
            if node.config["materialized"] == "ephemeral":
                continue
            if node.kind == "model":
                target.build(node)
            elif node.kind == "snapshot":
                [statement] = [t for t in build.texts(kind) if f'.{node.name}"}} */' in t]
                target.snapshot(node.name, statement)
        found.append(differences(home, target, only=[node.name for node in nodes]))
    return Built(target, *found)


def changed(runs: Runs) -> set[str]:
    """Return the models in SQL that are compiled in another form for an update."""
    whole = {node.name: node.code for node in runs.whole}
    models = [n for n in runs.incremental if n.kind == "model" and n.language == "sql"]
    return {node.name for node in models if node.code != whole[node.name]}


def in_both_builds(runs: Runs) -> list[Compiled]:
    """Return what is built in two forms, and all that these read, in order."""
    found = changed(runs) | {node.name for node in runs.whole if node.kind == "snapshot"}
    # An update reads tables of the last build.
    found |= {name for node in runs.incremental if node.name in found for name in node.reads()}
    for node in reversed(runs.whole):
        if node.name in found:
            found |= node.reads()
    return [node for node in runs.whole if node.name in found]


def test_the_whole_form_equals_duckdb(built: Built) -> None:
    assert built.first == {}


def test_an_incremental_build_equals_duckdb(built: Built) -> None:
    assert built.second == {}


def test_the_incremental_form_was_compiled(runs: Runs) -> None:
    models = [n for n in runs.incremental if n.kind == "model" and n.language == "sql"]
    # What a build prepares for itself is replaced, and still follows the tables of the last one.
    assert changed(runs) == {n.name for n in models if is_updated(n)} | {*PREPARED}
    assert len(changed(runs)) > 10


def is_updated(node: Compiled) -> bool:
    """Whether an update of the model adds to its rows instead of replacing all of them."""
    is_replaced = node.config["incremental_strategy"] == "full_replace"
    return node.config["materialized"] == "incremental" and not is_replaced


def test_the_lifetime_model_was_fitted(built: Built) -> None:
    table = "intermediate_layer.customer_lifetime_value"
    query = f"select count(*) from {table} where probability_alive < 1"
    assert built.target.query(query).column(0)[0].as_py() > 100


def test_data_tests_find_nothing(runs: Runs, built: Built) -> None:
    tests = {node.name: node.code for node in runs.incremental if node.kind == "test"}
    counts = {name: built.target.query(sql).num_rows for name, sql in tests.items()}
    assert {name: rows for name, rows in counts.items() if rows} == {}
    assert len(tests) > 80


def test_a_lost_row_is_found_as_on_duckdb(runs: Runs, built: Built) -> None:
    """Plant one lost row, as in the test that stops the local build."""
    [view] = [node for node in runs.incremental if node.name == "unaccounted_files"]
    quarantined = built.target.query("select * from silver_layer.events_quarantined")
    built.target.store("events_quarantined", quarantined.slice(1))
    try:
        assert built.target.query(view.code).num_rows > 0
    finally:
        built.target.store("events_quarantined", quarantined)


def test_unit_tests_pass(runs: Runs, spark: SparkSession) -> None:
    target = SparkTarget(spark)
    tests = [text for text in runs.sent if UNIT_TEST in text]
    assert len(tests) == runs.unit_tests > 100
    wrong = {}
    for text in tests:
        sides = by_side(target.query(with_values(text)))
        if sides["actual"] != sides["expected"]:
            wrong[unit_test_name(text)] = sides
    assert wrong == {}


def test_analyses_equal_those_of_the_other_engines(runs: Runs, built: Built) -> None:
    target = built.target
    for name, rows in runs.unmodeled.items():
        target.store(name, rows)
    found = {
        node.name: target.query(node.code).to_pylist()
        for node in runs.incremental
        if node.kind == "analysis"
    }
    assert found == {name: rows.to_pylist() for name, rows in runs.analyses.items()}
    assert set(found) == {file.stem for file in (CHECKOUT / "analyses").rglob("*.sql")}
    # So few events leave some question without an answer.
    unanswered = {name for name, rows in found.items() if not rows}
    assert unanswered <= {
        "09_revenue_per_cohort",
        "12_bought_together",
        "19_brand_loyalty",
        "29_unusual_days",
        # Nothing that somebody must hear of.
        *("no_new_data", "gate_shut", "incomplete_day", "revenue_anomaly"),
    }


def by_side(rows: pa.Table) -> dict[str, Counter[tuple[object, ...]]]:
    """Return the actual and the expected rows of a unit test."""
    sides: dict[str, Counter[tuple[object, ...]]] = {"actual": Counter(), "expected": Counter()}
    for row in rows.to_pylist():
        sides[row.pop("actual_or_expected")][tuple(row.values())] += 1
    return sides


def unit_test_name(text: str) -> str:
    """Return the name in the comment that dbt puts before each statement."""
    [name] = re.findall(r'"node_id": "unit_test\.([\w.]+)"', text)
    return str(name)


@dataclass(frozen=True)
class Parsed:
    """What Spark's parser reports for every statement that reached the warehouse."""

    needed: set[Clause]
    refused: Sequence[str]


@pytest.fixture(scope="module")
def parsed(runs: Runs, spark: SparkSession) -> Parsed:
    needed: set[Clause] = set()
    refused = []
    # Without the comment that dbt puts before each, a third are the same.
    for statement in {re.sub(r"/\*.*?\*/", "", text, count=1) for text in runs.sent}:
        clauses, error = parse_without_clauses(spark, statement)
        needed |= clauses
        if error:
            refused.append(f"{statement}\n{error}")
    return Parsed(needed, refused)


def test_every_statement_parses_except_for_clauses_of_databricks(
    runs: Runs, parsed: Parsed
) -> None:
    assert list(parsed.refused) == []
    assert len(runs.sent) > 1000


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.name)
def test_every_clause_of_the_list_is_needed(parsed: Parsed, clause: Clause) -> None:
    assert clause in parsed.needed


def test_the_documentation_shows_the_list() -> None:
    assert databricks_clauses.table() in (CHECKOUT / "docs" / "architecture.md").read_text("utf-8")


FAULTS = {
    "a unit in quotes": (r"unix_date\((\w+)\) - unix_date\((\w+)\)", r"date_diff('day', \2, \1)"),
    "seconds since 1970": (r"unix_timestamp\((\w+)\)", r"extract(epoch from \1)"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_sql_that_sail_accepts_and_databricks_rejects_is_rejected(
    runs: Runs, built: Built, fault: tuple[str, str]
) -> None:
    models = [node.code for node in runs.incremental if node.kind == "model"]
    found = [code for code in models if re.sub(*fault, code) != code]
    correct = min(found, key=len)
    built.target.analyze(correct)
    with pytest.raises(PySparkException):
        built.target.analyze(re.sub(*fault, correct))


def test_a_statement_with_a_fault_beside_a_known_clause_is_rejected(spark: SparkSession) -> None:
    statement = "create table t (user_id bigint mask c.s.mask_user_id) using delta {} by (user_id)"
    assert parse_without_clauses(spark, statement.format("cluster"))[1] == ""
    assert parse_without_clauses(spark, statement.format("clustre"))[1] != ""
