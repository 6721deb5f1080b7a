"""The unmodified dbt-databricks builds the same rows on a warehouse as dbt-duckdb locally."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from project.home import CHECKOUT
from project.variables import project_variables
from support.databricks_runs import CATALOG, unprotected
from support.described_columns import columns_without_yml
from support.dev_builds import Build, DevBuilds, dev_builds
from support.platform_runs import LAYERS
from warehouse.ledger import Relation
from warehouse.session import Entry
from warehouse.sql_text import quote

pytestmark = [pytest.mark.warehouse, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevBuilds]:
    with dev_builds(tmp_path_factory.mktemp("databricks")) as both:
        MANIFEST.update(json.loads((both.incremental / "manifest.json").read_text("utf-8")))
        yield both


@pytest.fixture(scope="module")
def first(both: DevBuilds) -> Build:
    return both.builds.first


@pytest.fixture(scope="module")
def second(both: DevBuilds) -> Build:
    return both.builds.second


@pytest.fixture(scope="module")
def again(both: DevBuilds) -> Build:
    return both.builds.again


@pytest.fixture(scope="module")
def refreshed(both: DevBuilds) -> Build:
    return both.builds.refreshed


def relations(both: DevBuilds) -> list[Relation]:
    """Return the tables and views of the models and snapshots."""
    held = both.dev.warehouse.ledger.relations
    return [held[relation_key(node)] for node in manifest_nodes("model", "snapshot")]


def relation_key(node: dict[str, Any]) -> tuple[str, str, str]:
    return node["database"], node["schema"], node["alias"]


def test_first_build_equals_duckdb(first: Build) -> None:
    assert first.differences == {}


def test_build_after_a_second_batch_equals_duckdb(second: Build) -> None:
    assert second.differences == {}


def test_the_lifetime_model_was_fitted_on_both_engines(both: DevBuilds) -> None:
    table = "intermediate_layer.customer_lifetime_value"
    query = f"select count(*) from {table} where probability_alive < 1"
    assert both.local.query(query)[0][0] > 100


def test_the_second_batch_replaced_events_of_old_tracker_sessions(both: DevBuilds) -> None:
    query = "select count(distinct session_id) from silver_layer.events_replaced"
    assert both.local.query(query)[0][0] > 10


def test_the_data_has_all_segments_and_most_rules(both: DevBuilds) -> None:
    segments = "select distinct user_segment from silver_layer.users_dim"
    assert {one for (one,) in both.local.query(segments)} >= {*project_variables()["user_segments"]}
    rules = "select distinct rejection_reason from silver_layer.events_quarantined"
    assert len(both.local.query(rules)) >= 12


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
    assert len(overwritten) == len(rebuilt) >= 10
    for text in second.texts("CREATE TABLE"):
        assert "__dbt_tmp" in text, "a reader could see an empty table"


@pytest.mark.parametrize(
    ("strategy", "kind", "phrase"),
    [
        ("replace_keys", "INSERT", "replace on"),
        ("accumulate", "MERGE", "when matched and"),
        ("insert_missing", "INSERT", "where not exists"),
    ],
)
def test_rows_are_updated_by_one_statement_each(
    second: Build, strategy: str, kind: str, phrase: str
) -> None:
    names = [
        "`.`".join(relation_key(node))
        for node in manifest_nodes("model")
        if node["config"]["incremental_strategy"] == strategy
    ]
    assert len(names) >= 2
    for name in names:
        sent = [t for t in second.texts(kind) if re.search(rf"into (table )?`{name}` (as|by) ", t)]
        assert len(sent) == 1 and phrase in sent[0], name


RUN = "the run"


def kind_of(entry: Entry) -> str:
    """Return the line of the documented table that a statement belongs to."""
    if entry.route == "introspection":
        return "metadata queries"
    if entry.kind in ("GRANT", "COMMENT TABLE", "COMMENT COLUMN") or "SET TAGS" in entry.text:
        return "descriptions and grants"
    return {
        "CREATE TEMPORARY VIEW": "temporary views",
        "DELETE": "writes of rows",
        "INSERT": "writes of rows",
        "MERGE": "writes of rows",
        "SELECT": "reads of rows",
        "OPTIMIZE": "optimize",
        "REST": "calls of the jobs API",
    }.get(entry.kind, "tables, views, functions, policies")


def by_node(build: Build) -> dict[str, Counter[str]]:
    """Count the statements of each model and snapshot by kind, and those of the run besides."""
    counts: dict[str, Counter[str]] = {RUN: Counter()}
    for entry in build.sent:
        found = re.search(r'"node_id": "([\w.]+)"', entry.text)
        node = found[1] if found and found[1] in MANIFEST["nodes"] else RUN
        counts.setdefault(node, Counter())[kind_of(entry)] += 1
    return counts


def documented_statements() -> dict[tuple[str, str], tuple[int, int]]:
    """Return first build and update, by kind of node and of statement, as the page has them."""
    page = (CHECKOUT / "docs" / "performance_optimizations.md").read_text("utf-8")
    _, _, rest = page.partition("| first build / update | ")
    header, _, *rows = rest.partition("\n\n")[0].splitlines()
    nodes = header.removesuffix(" |").split(" | ")
    return {
        (node, kind): (int(whole), int(update))
        for kind, *cells in (row.strip("| ").split(" | ") for row in rows)
        for node, cell in zip(nodes, cells, strict=True)
        for whole, update in [cell.split(" / ")]
    }


def test_a_run_sends_no_more_than_the_documented_statements(first: Build, again: Build) -> None:
    documented = documented_statements()
    assert len(documented) > 20
    columns = {"view": "a view", "snapshot": "a snapshot"}
    most: dict[tuple[str, str], list[int]] = {place: [0, 0] for place in documented}
    for number, build in enumerate((first, again)):
        for name, counts in by_node(build).items():
            node = MANIFEST["nodes"].get(name)
            column = columns.get(node["config"]["materialized"], "a table") if node else RUN
            for kind, count in counts.items():
                if kind != "descriptions and grants":
                    most[column, kind][number] = max(most[column, kind][number], count)
    assert {place: tuple(counts) for place, counts in most.items()} == documented


def test_an_update_sends_few_metadata_queries(again: Build) -> None:
    sent = sum(counts["metadata queries"] for counts in by_node(again).values())
    assert len(manifest_nodes("model", "snapshot")) < sent <= 150


def test_descriptions_and_grants_are_sent_once(first: Build, again: Build) -> None:
    """A table is created with its comments; a snapshot gets them, and its tags, afterwards."""
    whole, update = by_node(first), by_node(again)
    for node in manifest_nodes("model", "snapshot"):
        is_view = node["config"]["materialized"] == "view"
        is_snapshot = node["resource_type"] == "snapshot"
        columns = node["columns"].values()
        tags = 0 if is_view else sum("databricks_tags" in column for column in columns)
        created = len(node["config"]["grants"]["select"]) + tags + is_snapshot * (1 + len(columns))
        sent = [counts[node["unique_id"]]["descriptions and grants"] for counts in (whole, update)]
        assert sent == [created, is_snapshot * (1 + tags)], node["name"]


def test_every_table_and_column_has_its_comment(both: DevBuilds) -> None:
    described = {node["name"]: set(node["columns"]) for node in manifest_nodes("model", "snapshot")}
    for relation in relations(both):
        assert relation.comment, relation.key
        commented = {column.name for column in relation.columns if column.comment}
        assert commented == described[relation.key[2]], relation.key


def test_policies_survive_later_runs_and_a_full_refresh(both: DevBuilds) -> None:
    assert unprotected(both.dev.warehouse) == []


def test_marts_have_their_primary_keys(both: DevBuilds) -> None:
    held = {
        relation.key[2]: (constraint.columns, constraint.rely)
        for relation in relations(both)
        for constraint in relation.constraints
        if constraint.kind == "PRIMARY KEY"
    }
    marts = [node for node in manifest_nodes("model") if node["schema"] == "gold_layer"]
    assert held == {node["name"]: (key_in_yml(node), True) for node in marts}
    assert marts


def key_in_yml(node: dict[str, Any]) -> tuple[str, ...]:
    """Return the columns that the yml tests as the key of a model."""
    [arguments] = [
        test["test_metadata"]["kwargs"]
        for test in manifest_nodes("test")
        if test.get("attached_node") == node["unique_id"]
        and test.get("test_metadata", {}).get("name") in ("unique", "unique_key")
    ]
    return tuple(arguments.get("columns") or [arguments["column_name"]])


def test_large_tables_are_clustered(both: DevBuilds) -> None:
    clustered = {r.key[2]: list(r.cluster_by) for r in relations(both) if r.cluster_by}
    declared = {
        node["name"]: node["config"]["liquid_clustered_by"]
        for node in manifest_nodes("model")
        if "liquid_clustered_by" in node["config"]
    }
    assert clustered == declared and len(declared) > 4


def test_tables_carry_their_layer(both: DevBuilds) -> None:
    for relation in relations(both):
        if not relation.is_view:
            layer = "gold" if relation.key[1] == "gold_layer" else "silver"
            assert relation.properties["quality"] == layer, relation.key


def test_queries_are_tagged(second: Build) -> None:
    # Hooks have no configuration of their own to take tags from.
    tagged = [
        entry.settings["QUERY_TAGS"]
        for entry in second.sent
        if entry.kind == "INSERT" and "_history` values" not in entry.text
    ]
    assert len(tagged) > 20
    assert all(
        "project:ecommerce_analytics,catalog:ecommerce_analytics_dev" in tags for tags in tagged
    )


def test_docs_describe_the_warehouse(both: DevBuilds) -> None:
    catalog = json.loads((both.incremental / "catalog.json").read_text("utf-8"))
    assert not catalog["errors"]
    for node in manifest_nodes("model", "snapshot"):
        described = catalog["nodes"][node["unique_id"]]
        assert described["metadata"]["database"] == CATALOG
        found = described["columns"]
        assert columns_without_yml(node, manifest_nodes("model"), found) == set(), node["name"]


def test_schemas_have_the_fixed_names(both: DevBuilds) -> None:
    schemas = {key[1] for key in both.dev.warehouse.ledger.schemas}
    assert schemas == {"default", "bronze_layer", *LAYERS}


def test_no_temporary_relation_remains(both: DevBuilds) -> None:
    built = both.dev.warehouse.ledger.relations
    assert [quote(key) for key in built if "__dbt" in key[2]] == []


MANIFEST: dict[str, Any] = {}


def manifest_nodes(*kinds: str) -> list[dict[str, Any]]:
    """Return the project's own nodes that have a relation, as parsed for target dev."""
    return [
        node
        for node in MANIFEST["nodes"].values()
        if node["resource_type"] in kinds and node["config"]["materialized"] != "ephemeral"
    ]
