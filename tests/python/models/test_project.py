"""Conventions of the dbt project, checked on its files, manifest and database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from project.home import CHECKOUT
from support.described_columns import columns_without_yml
from support.event_batches import FIRST, NOTHING, SECOND, THIRD, write
from support.platform_runs import Home

LONGEST_MODEL = {".sql": 110, ".py": 150}
WALL_CLOCK = re.compile(r"current_date|current_timestamp|getdate|now\s*\(|\bsysdate\b|today\s*\(")
# Dialects differ in these; use the macros of macros/engine/ instead.
NOT_PORTABLE = re.compile(r"\bqualify\b|group by all|\*\s*(except|exclude)\b|\bilike\b", re.I)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Generated and hand-made events, built with every data and unit test."""
    home = Home(tmp_path_factory.mktemp("project"))
    home.load_generated(events=5000, days=7)
    write(home.folder / "files" / "hand_made.csv", [*NOTHING, *FIRST, *SECOND, *THIRD])
    home.load(home.folder / "files")
    home.dbt("build", "--write-json")
    return home


def own(resources: dict[str, Any], *kinds: str) -> Iterator[Any]:
    for resource in resources.values():
        if resource["package_name"] == "ecommerce_analytics" and resource["resource_type"] in kinds:
            yield resource


def models() -> list[Path]:
    return sorted(p for p in (CHECKOUT / "models").rglob("*") if p.suffix in (".sql", ".py"))


def test_every_unit_test_and_data_test_ran(built: Home, manifest: dict[str, Any]) -> None:
    results = built.artifact("run_results")["results"]
    ran = {r["unique_id"] for r in results if r["status"] in ("pass", "success")}
    nodes = own(manifest["nodes"], "model", "test", "snapshot", "operation")
    # The streaming table is disabled here, and its tests with it: they depend on nothing. Ephemeral
    # models run within others.
    expected = {
        node["unique_id"]
        for node in nodes
        if (node["resource_type"] != "test" or node["depends_on"]["nodes"])
        and node["config"]["materialized"] != "ephemeral"
    }
    assert expected | set(manifest["unit_tests"]) | set(manifest["functions"]) == ran


def test_clone_is_refused_and_replaces_no_table(built: Home) -> None:
    state = ("--state", str(built.folder / "target"), "--full-refresh")
    output = built.dbt("clone", "--select", "orders", *state, expect=1).stdout
    assert "copy the database file instead" in output
    [(kind,)] = built.query(
        "select table_type from information_schema.tables"
        " where table_schema = 'gold_layer' and table_name = 'orders'"
    )
    assert kind == "BASE TABLE"


def test_relations_and_columns_have_their_descriptions_as_comments(
    built: Home, manifest: dict[str, Any]
) -> None:
    found = dict(
        built.query(
            "select schema_name || '.' || table_name, comment from duckdb_tables() union all"
            " select schema_name || '.' || view_name, comment from duckdb_views() union all"
            " select schema_name || '.' || table_name || '.' || column_name, comment"
            " from duckdb_columns()"
        )
    )
    nodes = own(manifest["nodes"], "model", "snapshot")
    made = [n for n in nodes if n["config"]["materialized"] != "ephemeral"]
    assert len(made) > 25
    for node in made:
        name = f"{node['schema']}.{node['alias']}"
        assert found[name] == node["description"], name
        for column in node["columns"].values():
            assert found[f"{name}.{column['name']}"] == column["description"], (name, column)


def test_yml_columns_are_the_tables_columns(built: Home, manifest: dict[str, Any]) -> None:
    columns: dict[tuple[str, str], list[str]] = {}
    for schema, table, column in built.query(
        "select table_schema, table_name, column_name from information_schema.columns"
    ):
        columns.setdefault((schema, table), []).append(column)
    described = [
        *own(manifest["nodes"], "model", "snapshot"),
        *own(manifest["sources"], "source"),
    ]
    assert described
    for node in described:
        if node["config"].get("materialized") == "ephemeral":
            text = (built.folder / "target" / "compiled" / "ecommerce_analytics").joinpath(
                node["original_file_path"]
            )
            columns[node["schema"], node["name"]] = [
                name for name, *_ in built.query(f"describe {text.read_text('utf-8')}")
            ]
        found = columns[node["schema"], node["name"]]
        assert columns_without_yml(node, described, found) == set(), node["name"]


def test_everything_is_described(manifest: dict[str, Any]) -> None:
    nodes = [
        *own(manifest["nodes"], "model", "snapshot", "seed"),
        *own(manifest["sources"], "source"),
    ]
    for node in nodes:
        assert node["description"], node["name"]
        for column in node["columns"].values():
            assert column["description"], f"{node['name']}.{column['name']}"
    for macro in own(manifest["macros"], "macro"):
        is_implementation = re.match("(default|duckdb|databricks)__", macro["name"])
        assert macro["description"] or is_implementation, macro["name"]
    for function in manifest["functions"].values():
        assert function["description"] and function["returns"]["description"], function["name"]
        assert all(argument["description"] for argument in function["arguments"]), function["name"]
    for unit_test in manifest["unit_tests"].values():
        assert unit_test["description"], unit_test["name"]


def test_macros_are_described_with_their_arguments(manifest: dict[str, Any]) -> None:
    for macro in own(manifest["macros"], "macro"):
        if macro["name"].startswith("materialization_"):
            continue  # it has no arguments, but options of dbt's own
        signature = re.match(r"\{%-?\s*(?:macro|test)\s+\w+\((.*?)\)\s*-?%\}", macro["macro_sql"])
        assert signature, macro["name"]
        names = [argument.split("=")[0].strip() for argument in signature[1].split(",")]
        described = [argument["name"] for argument in macro["arguments"]]
        if not re.match("(default|duckdb|databricks)__", macro["name"]):
            assert described == [name for name in names if name], macro["name"]
            assert all(argument["description"] for argument in macro["arguments"]), macro["name"]


def test_a_full_build_replaces_no_events(built: Home) -> None:
    assert built.query("select count(*) from silver_layer.events_replaced") == [(0,)]


def test_the_first_sentence_of_a_model_gives_its_grain(manifest: dict[str, Any]) -> None:
    for node in own(manifest["nodes"], "model", "snapshot"):
        assert node["description"].startswith("One row per "), node["name"]


def test_every_model_has_a_tested_key(manifest: dict[str, Any]) -> None:
    keyed = {
        test["attached_node"]
        for test in own(manifest["nodes"], "test")
        if test.get("test_metadata") and test["test_metadata"]["name"] in ("unique", "unique_key")
    }
    # Two hold equal rows by design, as bronze does; two are views of tables with keys, and the
    # totals are one row each.
    without = {"events_staged", "events_quarantined", "event_changes", "events", "silver_totals"}
    without.add("batch_totals")
    for node in own(manifest["nodes"], "model", "snapshot"):
        # Inlined in a model whose key and rows are tested; a test of its own would run it again.
        is_inlined = node["config"]["materialized"] == "ephemeral"
        assert (node["unique_id"] in keyed) != (is_inlined or node["name"] in without), node["name"]


def test_gold_is_under_contract(manifest: dict[str, Any]) -> None:
    gold = [n for n in own(manifest["nodes"], "model") if n["schema"] == "gold_layer"]
    assert gold
    for node in gold:
        assert node["config"]["contract"]["enforced"], (
            f"{node['original_file_path']}: add `contract: {{enforced: true}}` to its yml"
        )


def test_every_declared_variable_is_used_and_every_used_one_declared() -> None:
    project = yaml.safe_load((CHECKOUT / "dbt_project.yml").read_text("utf-8"))
    types = project["vars"]["types"].values()
    typed = [name for names in types for name in names]
    lists = ["falling", "forms", "null_allowed", "rising", "types"]
    assert sorted([*typed, *lists]) == sorted(project["vars"])
    files = [
        path
        for folder in ("models", "macros", "tests", "snapshots", "analyses", "seeds")
        for path in (CHECKOUT / folder).rglob("*")
        if path.suffix in (".sql", ".yml", ".py") and "python" not in path.parts
    ]
    used = {
        name
        for path in files
        for name in re.findall(r"""\bvar\(\s*['"](\w+)['"]""", path.read_text("utf-8"))
    }
    # dbt-databricks reads it.
    elsewhere = {"databricks_skip_optimize"}
    assert used == set(project["vars"]) - elsewhere


# Read by models that keep rows: for the order of the build, and for its days alone.
READ_WITHOUT_ITS_RULES = {"batch_totals", "calendar"}
# What is no rule: a clean-up, and the catalog of tables that engines refresh by themselves.
NO_RULES = {"empty_prepared", "declarative"}


def test_what_stored_rows_follow_from_is_recorded_with_them(manifest: dict[str, Any]) -> None:
    recorded = "macro.ecommerce_analytics.definitions"
    text = manifest["macros"][recorded]["macro_sql"]
    named = rules([recorded], manifest)
    unnamed = {}
    for model in own(manifest["nodes"], "model"):
        config = model["config"]
        if (
            config["materialized"] != "incremental"
            or config["incremental_strategy"] == "full_replace"
            # It compares every row with the stored one.
            or "differs_from_stored" in model["raw_code"]
        ):
            continue
        read = [manifest["nodes"][name] for name in model["depends_on"]["nodes"]]
        rebuilt = [
            node
            for node in read
            if node["config"]["materialized"] != "incremental"
            and node["name"] not in READ_WITHOUT_ITS_RULES
        ]
        found = {node["name"] for node in rebuilt if f".{node['name']}'" not in text}
        for node in (model, *rebuilt):
            variables = re.findall(r"""\bvar\(\s*['"](\w+)['"]""", node["raw_code"])
            found |= {name for name in variables if f"'{name}'" not in text}
            found |= rules(node["depends_on"]["macros"], manifest) - named
        unnamed[model["name"]] = found - NO_RULES
    assert len(unnamed) > 20
    assert {name: found for name, found in unnamed.items() if found} == {}


def rules(macros: Sequence[str], manifest: dict[str, Any]) -> set[str]:
    """Return the names of those macros, and of those that they call, that say what a row is."""
    found = list(macros)
    for name in found:
        called = manifest["macros"][name]["depends_on"]["macros"]
        found.extend(other for other in called if other not in found)
    files = [manifest["macros"][name]["original_file_path"] for name in found]
    return {
        name.split(".")[-1].split("__")[-1]
        for name, file in zip(found, files, strict=True)
        if file.startswith(("macros/definitions/", "macros/engine/"))
    }


@pytest.mark.parametrize("model", models(), ids=lambda path: path.stem)
def test_models_are_short_and_portable_and_read_no_clock(model: Path) -> None:
    text = model.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= LONGEST_MODEL[model.suffix]
    assert max(map(len, lines)) <= 100
    # Bronze records when a line was loaded; everything built on it must not depend on the clock.
    assert model.parent.name == "bronze" or not WALL_CLOCK.search(text)
    assert not NOT_PORTABLE.search(text)
    assert "target.type" not in text
    assert model.with_suffix(".yml").exists()


def test_macros_read_no_clock() -> None:
    for path in (CHECKOUT / "macros").rglob("*.sql"):
        # The guards stamp what they record; no number is built on it.
        if path.parent.name != "guards":
            assert not WALL_CLOCK.search(path.read_text(encoding="utf-8")), path


def test_models_end_with_a_select_from_one_cte() -> None:
    for model in models():
        # The body of a metric view is YAML.
        if model.suffix == ".sql" and model.parent.name != "metric_views":
            assert re.search(r"\nselect \* from \w+\n$", model.read_text("utf-8")), model.name
