"""The unmodified dbt-databricks builds the same rows on a warehouse as dbt-duckdb locally."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from project.home import CHECKOUT
from support.databricks_runs import (
    CATALOG,
    WITHOUT_TESTS,
    DatabricksHome,
    differences,
    running_warehouse,
    unprotected,
)
from support.event_batches import FIRST, SECOND, THIRD, write
from support.platform_runs import Home
from warehouse.ledger import Relation
from warehouse.session import Entry
from warehouse.sql_text import quote

EVENTS = 200_000
BUILD = ("build", *WITHOUT_TESTS, "--threads", "8")
# One build runs the data tests on the warehouse; more would only take longer.
TESTED_BUILD = ("build", "--exclude-resource-type", "unit_test", "--threads", "8")
KEYS = {
    "customer_metrics": ("user_id",),
    "product_performance": ("product_id",),
    "daily_sales_summary": ("event_date",),
    "conversion_funnel": ("event_date", "category_l1"),
}


@dataclass(frozen=True)
class Build:
    """The statements of one `dbt build`, and how its tables differ from DuckDB's."""

    sent: list[Entry]
    differences: dict[str, int]

    def texts(self, kind: str) -> list[str]:
        """Return the statements of a kind, without dbt's leading comment."""
        return [entry.text for entry in self.sent if entry.kind == kind]


class Both:
    """The same rows on both engines."""

    def __init__(self, home: Home, databricks: DatabricksHome) -> None:
        self.home = home
        self.databricks = databricks

    def load(self, *folders: Path) -> None:
        """Load new files of the folders locally, and land the same rows in the warehouse."""
        newest = "1970-01-01"
        if self.home.database.exists():
            [(newest,)] = self.home.query("select max(_ingested_at) from bronze_layer.events_raw")
        for folder in folders:
            self.home.load(folder)
        self.databricks.land(self.home, f"_ingested_at > '{newest}'")
        self.home.dbt("build", *WITHOUT_TESTS)

    def build(self, *command: str) -> Build:
        """Build on the warehouse and compare."""
        self.databricks.warehouse.journal.clear()
        self.databricks.dbt(*command)
        sent = list(self.databricks.warehouse.journal.entries)
        # The other engine was updated, not refreshed, so other builds wrote its rows.
        ignore = ("_updated_at",) if "--full-refresh" in command else ()
        return Build(sent, differences(self.home, self.databricks, ignore))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("databricks")
    with running_warehouse() as warehouse:
        yield Both(Home(folder / "local"), DatabricksHome(folder / "dev", warehouse))


@pytest.fixture(scope="module")
def first(both: Both, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Generated days except every third, hand-made lines, and real rows of October if present."""
    pool, landing = tmp_path_factory.mktemp("pool"), both.home.folder / "files"
    both.home.run(
        "generate", "--events", str(EVENTS), "--days", "61", "--dirty", "0.002", "--out", str(pool)
    )
    write(landing / "batch_1.csv", FIRST)
    for file in real_rows("2019-10"):
        shutil.copy(file, landing)
    for number, file in enumerate(sorted(pool.glob("*.csv"))):
        batch = landing if number % 3 else both.home.folder / "late"
        batch.mkdir(exist_ok=True)
        shutil.move(file, batch)
    both.load(landing)
    return both.build(*BUILD)


@pytest.fixture(scope="module")
def second(both: Both, first: Build) -> Build:
    """The other days, all late except the last, and events that join and move sessions."""
    late = both.home.folder / "late"
    write(late / "batch_2.csv", SECOND)
    write(late / "batch_3.csv", THIRD)
    for file in real_rows("2019-11"):
        shutil.copy(file, late)
    both.load(late)
    return both.build(*TESTED_BUILD)


@pytest.fixture(scope="module")
def again(both: Both, second: Build) -> Build:
    return both.build(*BUILD)


@pytest.fixture(scope="module")
def refreshed(both: Both, again: Build) -> Build:
    return both.build(*BUILD, "--full-refresh")


def real_rows(month: str) -> list[Path]:
    """Return files of real rows, if they are beside the checkout."""
    return sorted((CHECKOUT.parent / "shared" / "data").glob(f"{month}*_head.csv"))


def relations(both: Both) -> list[Relation]:
    held = both.databricks.warehouse.ledger.relations.values()
    return [r for r in held if r.key[1] in ("silver_layer", "gold_layer")]


def test_first_build_equals_duckdb(first: Build) -> None:
    assert first.differences == {}


def test_build_after_a_second_batch_equals_duckdb(second: Build) -> None:
    assert second.differences == {}


def test_the_lifetime_model_was_fitted_on_both_engines(both: Both, second: Build) -> None:
    query = "select count(*) from silver_layer.customer_lifetime_value where probability_alive < 1"
    assert both.home.query(query)[0][0] > 100


def test_a_build_without_new_rows_changes_nothing(again: Build) -> None:
    assert again.differences == {}


def test_a_build_without_new_rows_alters_no_table(again: Build) -> None:
    """Declared properties are already set; only policies of snapshots are set each time."""
    altered = [text for text in again.texts("ALTER TABLE") if "_snapshot" not in text]
    assert altered == []
    assert not again.texts("GRANT") and not again.texts("REVOKE")


def test_full_refresh_equals_duckdb(refreshed: Build) -> None:
    assert refreshed.differences == {}


def test_rebuilt_tables_are_replaced_by_one_statement_each(second: Build) -> None:
    overwritten = [text for text in second.texts("INSERT") if "insert overwrite" in text]
    rebuilt = [
        node
        for node in manifest_nodes("model")
        if node["config"]["incremental_strategy"] == "full_replace"
        and node["config"]["materialized"] != "view"
    ]
    assert len(overwritten) == len(rebuilt) > 10
    for text in second.texts("CREATE TABLE"):
        assert "__dbt_tmp" in text, "a reader could see an empty table"


def test_keys_are_replaced_by_one_statement_each(second: Build) -> None:
    replaced = [text for text in second.texts("INSERT") if "replace on" in text]
    merged = [
        node
        for node in manifest_nodes("model")
        if node["config"]["incremental_strategy"] == "delete+insert"
    ]
    assert len(replaced) == len(merged) >= 10


def kind_of(entry: Entry) -> str:
    """Return the line of the documented table that a statement belongs to."""
    if entry.route == "introspection":
        return "metadata queries"
    return {
        "CREATE TEMPORARY VIEW": "temporary views",
        "INSERT": "writes of rows",
        "MERGE": "writes of rows",
        "SELECT": "reads of rows",
        "OPTIMIZE": "optimize",
        "REST": "calls of the jobs API",
    }.get(entry.kind, "tables, comments, grants, functions")


def test_a_run_sends_the_documented_statements(first: Build, again: Build) -> None:
    page = (CHECKOUT / "docs" / "performance_optimizations.md").read_text("utf-8")
    table = page.partition("| statements | first build | update |")[2].partition("\n\n")[0]
    documented = {
        kind: (int(whole), int(update))
        for kind, whole, update in re.findall(r"^\| (.+) \| (\d+) \| (\d+) \|$", table, re.M)
    }
    whole, update = (Counter(map(kind_of, build.sent)) for build in (first, again))
    assert documented == {kind: (whole[kind], update[kind]) for kind in whole | update}


def test_every_table_and_column_has_its_comment(both: Both, refreshed: Build) -> None:
    for relation in relations(both):
        assert relation.comment, relation.key
        assert all(column.comment for column in relation.columns), relation.key


def test_policies_survive_later_runs_and_a_full_refresh(both: Both, refreshed: Build) -> None:
    assert unprotected(both.databricks.warehouse) == []


def test_marts_have_their_primary_keys(both: Both, refreshed: Build) -> None:
    held = {
        relation.key[2]: (constraint.columns, constraint.rely)
        for relation in relations(both)
        for constraint in relation.constraints
        if constraint.kind == "PRIMARY KEY"
    }
    assert held == {name: (columns, True) for name, columns in KEYS.items()}


def test_large_tables_are_clustered(both: Both, refreshed: Build) -> None:
    clustered = {r.key[2]: list(r.cluster_by) for r in relations(both) if r.cluster_by}
    declared = {
        node["name"]: node["config"]["liquid_clustered_by"]
        for node in manifest_nodes("model")
        if "liquid_clustered_by" in node["config"]
    }
    assert clustered == declared and len(declared) > 4


def test_tables_carry_their_layer(both: Both, refreshed: Build) -> None:
    for relation in relations(both):
        if not relation.is_view:
            layer = "gold" if relation.key[2] in KEYS else "silver"
            assert relation.properties["quality"] == layer, relation.key


def test_queries_are_tagged(second: Build) -> None:
    tagged = [entry.settings["QUERY_TAGS"] for entry in second.sent if entry.kind == "INSERT"]
    assert len(tagged) > 20
    assert all("project:ecommerce_analytics,target:dev" in tags for tags in tagged)


def test_docs_describe_the_warehouse(both: Both, refreshed: Build) -> None:
    both.databricks.dbt("docs", "generate")
    catalog = json.loads((both.databricks.folder / "target" / "catalog.json").read_text("utf-8"))
    assert not catalog["errors"]
    for node in manifest_nodes("model", "snapshot"):
        described = catalog["nodes"][node["unique_id"]]
        assert described["metadata"]["database"] == CATALOG
        assert set(described["columns"]) == set(node["columns"]), node["name"]


def test_schemas_have_the_fixed_names(both: Both, refreshed: Build) -> None:
    schemas = {key[1] for key in both.databricks.warehouse.ledger.schemas}
    assert schemas == {"default", "bronze_layer", "silver_layer", "gold_layer"}


def test_no_temporary_relation_remains(both: Both, refreshed: Build) -> None:
    left = [quote(r.key) for r in relations(both) if "__dbt" in r.key[2]]
    assert left == []


@pytest.fixture(scope="module", autouse=True)
def _manifest(both: Both, first: Build) -> None:
    text = (both.databricks.folder / "target" / "manifest.json").read_text("utf-8")
    MANIFEST.update(json.loads(text))


MANIFEST: dict[str, Any] = {}


def manifest_nodes(*kinds: str) -> list[dict[str, Any]]:
    """Return the project's own nodes, as parsed for target dev."""
    return [node for node in MANIFEST["nodes"].values() if node["resource_type"] in kinds]
