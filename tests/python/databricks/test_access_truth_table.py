"""Every cell of the access policy, tested on the loopback warehouse, refused reads included.

First with masks and row filters of tables, then, on the same tables, with policies by tags.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pyarrow as pa
import pytest

from ecommerce.cli import main
from governance.access_policy import Cell, cells, load
from project.home import CHECKOUT
from support.built_platform import DEPLOYER, built_platform
from support.bundle_grants import grant_bundle
from support.databricks_runs import (
    CATALOG,
    PIPELINE,
    PIPELINE_GROUP,
    WITHOUT_TESTS,
    DatabricksHome,
    copy_project,
    unprotected,
)
from support.event_batches import line, write
from warehouse.errors import WarehouseError
from warehouse.server import Warehouse
from workspace.bundle import Config, read_bundle

pytestmark = pytest.mark.warehouse

POLICY = load()
PERSONAS = list(POLICY.personas)
PERSONAL = {name for one in POLICY.classes for name in one.columns}


# Written again with its tracker session, so that a before image of the first is stored; twice, so
# that there are copies.
LATE = [line("2019-11-30 15:02:00", "view", user=6, session="prospect")] * 2


class Governed:
    """A built platform, owned by the pipeline, in a catalog with the grants of a deployment."""

    def __init__(self, databricks: DatabricksHome) -> None:
        self.databricks = databricks
        text = (databricks.folder / "target" / "manifest.json").read_text("utf-8")
        manifest = json.loads(text)
        self.cells = cells(POLICY, manifest)
        self.views = {
            f"{node['schema']}.{node['name']}"
            for node in manifest["nodes"].values()
            if node.get("config", {}).get("materialized") == "view"
        }

    def wrong(self, *relations: str) -> list[str]:
        """Return cells that differ from the policy, of some relations or of all."""
        found = []
        for relation in relations or sorted({cell.relation for cell in self.cells}):
            stored = self._stored(relation)
            # A table without policies is readable or refused, with rows or without.
            is_masked = bool(PERSONAL & set(stored.column_names))
            assert stored.num_rows or not is_masked, f"{relation} has no row that a mask could hide"
            for persona in PERSONAS:
                shown = self._shown(relation, persona)
                for cell in self.cells:
                    if (cell.relation, cell.persona) == (relation, persona):
                        seen = what_is_seen(cell, shown, stored)
                        if seen != cell.expected:
                            found.append(
                                f"{persona}, {relation}, {cell.column or 'rows'}:"
                                f" {words(seen)}, not {words(cell.expected)}"
                            )
        return found

    def lacking_policies(self) -> list[str]:
        """Return objects that lack a policy, even if no persona would notice."""
        return unprotected(self.databricks.warehouse)

    def _stored(self, relation: str) -> pa.Table:
        if relation in self.views:
            return self.databricks.query(f"select * from {relation}")
        return self.databricks.warehouse.read(f"{CATALOG}.{relation}")

    def _shown(self, relation: str, persona: str) -> pa.Table | None:
        """Return the rows that the persona reads, None if the warehouse refuses."""
        try:
            return self.databricks.warehouse.execute(
                f"select * from {CATALOG}.{relation}", persona, CATALOG
            )
        except WarehouseError as error:
            assert error.error_class == "INSUFFICIENT_PERMISSIONS", error
            return None


def words(seen: object) -> str:
    """Return segments as a list of names, anything else unchanged."""
    return ", ".join(sorted(seen)) if isinstance(seen, frozenset) else str(seen)


def what_is_seen(cell: Cell, shown: pa.Table | None, stored: pa.Table) -> object:
    """Return what a cell shows, in the terms of the policy, or `partly` for anything else."""
    if shown is None:
        return "refused"
    if cell.column is None:
        if shown.num_rows == stored.num_rows:
            return "all"
        seen = set(shown["user_segment"].to_pylist())
        expected = [s for s in stored["user_segment"].to_pylist() if s in seen]
        return frozenset(seen) if shown.num_rows == len(expected) else "partly"
    values, all_values = shown[cell.column].to_pylist(), stored[cell.column].to_pylist()
    if shown.num_rows and not any(value is not None for value in values):
        # A column that is null for all readers is not masked.
        has_values = any(value is not None for value in all_values)
        return "masked" if has_values else cell.expected
    return "clear" if not Counter(values) - Counter(all_values) else "partly"


@pytest.fixture(scope="module")
def governed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    folder = tmp_path_factory.mktemp("governed")
    with built_platform(folder) as platform:
        write(folder / "files" / "late.csv", LATE)
        is_late = platform.load(folder / "files")
        platform.dev.dbt("build", *WITHOUT_TESTS, "--write-json")
        platform.dev.dbt("test", "--select", "unique_source_files__source_file")
        # Rows that no build has seen, so that unaccounted_files has one.
        platform.dev.land(platform.home, is_late)
        yield Governed(platform.dev)


def test_every_cell_is_as_declared(governed: Governed, record_property: Any) -> None:
    assert governed.wrong() == []
    record_property("cells", len(governed.cells))
    assert len(governed.cells) > 2000


def test_the_data_has_a_user_of_each_segment(governed: Governed) -> None:
    stored = governed.databricks.warehouse.read(f"{CATALOG}.silver_layer.users_dim")
    assert set(stored["user_segment"].to_pylist()) == set(POLICY.segments)


def test_every_personal_column_and_users_table_has_its_policy(governed: Governed) -> None:
    assert governed.lacking_policies() == []


def test_the_next_run_restores_a_dropped_mask(governed: Governed) -> None:
    """Drop it by hand from a table and a snapshot, which dbt-databricks would leave without."""
    tables = ("gold_layer.customer_metrics", "silver_layer.users_snapshot")
    for table in tables:
        for change in ("alter column user_id drop mask", "drop row filter"):
            governed.databricks.warehouse.execute(
                f"alter table {table} {change}", PIPELINE, CATALOG
            )
    assert governed.wrong(*tables)
    governed.databricks.dbt(
        "build", *WITHOUT_TESTS, "--select", "customer_metrics", "users_snapshot"
    )
    assert governed.wrong(*tables) == []


MASK = """        column_mask: >-
          {{ ({'function': target.database ~ '.silver_layer.mask_user_id'}
          if var('policies') != 'attribute' else {}) | as_native }}
"""
FILTER = """      row_filter: >-
        {{ ({'function': target.database ~ '.silver_layer.sees_segment',
        'columns': ['user_segment']} if var('policies') != 'attribute' else none) | as_native }}
"""
GOLD_READERS = "ecommerce_data_scientists, ecommerce_business_analysts]"
# Text removed from the project: file, old text, new text, and the finding that reports it.
FAULTS = {
    "mask of a table": (
        "models/silver/user_daily_activity.yml",
        MASK,
        "",
        "no mask: silver_layer.user_daily_activity.user_id",
    ),
    "mask of a mart": (
        "models/gold/customer_metrics.yml",
        MASK,
        "",
        "business_analyst, gold_layer.customer_metrics, user_id: clear, not masked",
    ),
    "mask of a snapshot": (
        "snapshots/users_snapshot.yml",
        MASK,
        "",
        "no mask: silver_layer.users_snapshot.user_id",
    ),
    "row filter of a mart": (
        "models/gold/customer_metrics.yml",
        FILTER,
        "",
        "segment_analyst, gold_layer.customer_metrics, rows: all, not vip",
    ),
    "row filter of a snapshot": (
        "snapshots/users_snapshot.yml",
        FILTER,
        "",
        "no row filter: silver_layer.users_snapshot",
    ),
    "grant of gold": (
        "dbt_project.yml",
        GOLD_READERS,
        "ecommerce_business_analysts]",
        "data_scientist, gold_layer.daily_sales_summary, rows: refused, not all",
    ),
}


@pytest.fixture(scope="module")
def findings(governed: Governed, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the findings on a platform built by a project without all of them."""
    nodes = ("user_daily_activity", "customer_metrics", "daily_sales_summary", "users_snapshot")
    relations = sorted({c.relation for c in governed.cells if c.relation.endswith(nodes)})
    folder = tmp_path_factory.mktemp("faulty")
    edits = [(file, old, new) for file, old, new, _ in FAULTS.values()]
    warehouse = governed.databricks.warehouse
    faulty = DatabricksHome(folder, warehouse, copy_project(folder, *edits))
    # A snapshot keeps the policies of an earlier run, so start with a new table.
    warehouse.execute(f"drop table {CATALOG}.silver_layer.users_snapshot", PIPELINE)
    faulty.dbt("build", *WITHOUT_TESTS, "--select", *nodes)
    found = governed.wrong(*relations) + governed.lacking_policies()
    governed.databricks.dbt("build", *WITHOUT_TESTS, "--select", *nodes)
    assert governed.wrong(*relations) == governed.lacking_policies() == []
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_a_policy_removed_from_the_project_is_reported(findings: list[str], fault: str) -> None:
    assert FAULTS[fault][-1] in findings


def test_a_grant_removed_from_the_bundle_is_reported(governed: Governed) -> None:
    """Remove each grant on the catalog and on schemas, one at a time, and deploy again."""
    warehouse = governed.databricks.warehouse
    of_schema = {
        "bronze": "bronze_layer.events_raw",
        "silver": "silver_layer.products_dim",
        "intermediate": "intermediate_layer.hourly_activity",
        "gold": "gold_layer.daily_sales_summary",
    }
    tried = 0
    try:
        for kind, name, position in bundle_grants():
            config = read_bundle(CHECKOUT)
            granted = config["targets"]["dev"]["resources"][kind][name]["grants"]
            if granted.pop(position)["principal"] == "ecommerce_pipeline":
                continue
            redeploy(warehouse, config)
            assert governed.wrong(of_schema.get(name, "gold_layer.daily_sales_summary"))
            tried += 1
    finally:
        redeploy(warehouse, read_bundle(CHECKOUT))
    assert governed.wrong(*of_schema.values()) == []
    assert tried > 8


def bundle_grants() -> list[tuple[str, str, int]]:
    """Return the places of all grants on catalogs and schemas: kind, name, position."""
    resources = read_bundle(CHECKOUT)["targets"]["dev"]["resources"]
    return [
        (kind, name, position)
        for kind in ("catalogs", "schemas")
        for name, resource in resources[kind].items()
        for position in range(len(resource["grants"]))
    ]


def redeploy(warehouse: Warehouse, config: Config) -> None:
    """Grant exactly what a bundle declares on catalogs, schemas and volumes."""
    with warehouse.ledger.lock:
        for place in [p for p in warehouse.ledger.grants if p[0] != "TABLE"]:
            del warehouse.ledger.grants[place]
    grant_bundle(warehouse, config=config)


# ---- the same table with policies by tags ----

# What one run of dbt turns from table-level policies to policies by tags. The others lose theirs
# here, by the statement that dbt sends.
TURNED = ("users_dim", "customer_metrics", "users_snapshot")
TAGS = {
    "personal": [one.name for one in POLICY.classes],
    "rows_by": sorted({e.rows_by for e in POLICY.exceptions.values() if e.rows_by}),
}


def bundle_by_tags() -> Config:
    """Return the bundle as its variables set it up for policies by tags."""
    config = read_bundle(CHECKOUT)
    config["variables"]["pipeline_privileges"]["default"].append("MANAGE")
    return config


BY_TAGS = ("--vars", "policies: attribute")


@pytest.fixture(scope="module")
def without_tags(governed: Governed) -> str:
    """What dbt says where no tag is governed yet."""
    functions = ("build", "--select", "resource_type:function")
    return governed.databricks.dbt(*functions, *BY_TAGS, expect=1).stdout


@pytest.fixture(scope="module")
def by_tags(governed: Governed, without_tags: str) -> Governed:
    """The same platform, turned to policies by tags."""
    warehouse = governed.databricks.warehouse
    for key, values in TAGS.items():
        warehouse.govern_tag(key, values, [PIPELINE_GROUP])
    redeploy(warehouse, bundle_by_tags())
    for relation in list(warehouse.ledger.relations.values()):
        if relation.key[2] not in TURNED:
            table = f"alter table {'.'.join(relation.key)}"
            for column in relation.columns:
                if column.mask:
                    warehouse.execute(f"{table} alter column {column.name} drop mask", PIPELINE)
    governed.databricks.dbt(
        *("build", *WITHOUT_TESTS, "--write-json", *BY_TAGS),
        *("--select", "resource_type:function", *TURNED),
    )
    return governed


@pytest.fixture
def check(by_tags: Governed, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the command that checks the governance of the platform."""
    warehouse = by_tags.databricks.warehouse
    monkeypatch.setenv("DATABRICKS_HOST", warehouse.host)
    monkeypatch.setenv("DATABRICKS_HTTP_PATH", warehouse.http_path)
    monkeypatch.setenv("DATABRICKS_TOKEN", warehouse.token(DEPLOYER))
    monkeypatch.setattr("governance.check.read_bundle", lambda _: bundle_by_tags())
    # Connections closed by the client would make the server's threads write to the same stderr.
    monkeypatch.setattr(ThreadingHTTPServer, "handle_error", lambda *_: None)
    manifest = by_tags.databricks.folder / "target" / "manifest.json"
    return ["governance", "check", "--target", "dev", "--manifest", str(manifest)]


def test_a_workspace_without_the_governed_tags_is_named(without_tags: str) -> None:
    assert "Unknown tag policy key `personal`" in without_tags


def test_every_cell_is_as_declared_by_tags(by_tags: Governed) -> None:
    held = by_tags.databricks.warehouse.ledger.relations.values()
    assert not [r.key for r in held if r.row_filter or any(column.mask for column in r.columns)]
    assert by_tags.wrong() == []


GOLD = f"{CATALOG}.gold_layer"
MASK_CALL = f"{CATALOG}.silver_layer.mask_user_id(has_tag_value('personal', 'user_id'))"
TO_ALL = "to account users except ecommerce_pipeline"
# A change by hand, the cell that shows it, and the finding of the check.
CHANGES = {
    "policy of masks dropped": (
        "drop policy mask_user_id on schema gold_layer",
        "business_analyst, gold_layer.customer_metrics, user_id: clear, not masked",
        "missing     policy mask_user_id on schema gold_layer:"
        f" declared column_mask {MASK_CALL} {TO_ALL}",
    ),
    "policy of rows dropped": (
        "drop policy sees_segment on schema gold_layer",
        "segment_analyst, gold_layer.customer_metrics, rows: all, not vip",
        "missing     policy sees_segment on schema gold_layer: declared row_filter"
        f" {CATALOG}.silver_layer.sees_segment(has_tag_value('rows_by', 'user_segment')) {TO_ALL}",
    ),
    "policy with an exception": (
        "create or replace policy mask_user_id on schema gold_layer column mask"
        " silver_layer.mask_user_id to `account users` except ecommerce_pipeline,"
        " ecommerce_all_segments for tables match columns has_tag_value('personal', 'user_id') as c"
        " on column c",
        "business_analyst, gold_layer.customer_metrics, user_id: clear, not masked",
        f"different   policy mask_user_id on schema gold_layer: declared column_mask {MASK_CALL}"
        f" {TO_ALL}, live column_mask {MASK_CALL} to account users"
        " except ecommerce_all_segments, ecommerce_pipeline",
    ),
    "tag of a column removed": (
        "alter table gold_layer.customer_metrics alter column user_id unset tags ('personal')",
        "business_analyst, gold_layer.customer_metrics, user_id: clear, not masked",
        "missing     tag personal on column gold_layer.customer_metrics.user_id: declared user_id",
    ),
    "tag of rows removed": (
        "alter table gold_layer.customer_metrics alter column user_segment unset tags ('rows_by')",
        "segment_analyst, gold_layer.customer_metrics, rows: all, not vip",
        "missing     tag rows_by on column gold_layer.customer_metrics.user_segment:"
        " declared user_segment",
    ),
    "policy of another function": (
        "create policy another on schema gold_layer row filter silver_layer.sees_segment"
        " to ecommerce_segment_vip for tables match columns"
        " has_tag_value('rows_by', 'user_segment') as c using columns (c)",
        "",
        "additional  policy another on schema gold_layer: live row_filter"
        f" {CATALOG}.silver_layer.sees_segment(has_tag_value('rows_by', 'user_segment'))"
        " to ecommerce_segment_vip",
    ),
    "mask of a table beside its policy": (
        f"alter table {GOLD}.orders alter column user_id set mask silver_layer.mask_user_id",
        "",
        f"additional  mask on column gold_layer.orders.user_id:"
        f" live {CATALOG}.silver_layer.mask_user_id()",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_policies_by_tags_is_found(
    by_tags: Governed, check: list[str], capsys: pytest.CaptureFixture[str], change: str
) -> None:
    warehouse = by_tags.databricks.warehouse
    done, cell, finding = CHANGES[change]
    saved = warehouse.ledger.save()
    try:
        warehouse.execute(done, PIPELINE, CATALOG)
        if cell:
            assert cell in by_tags.wrong("gold_layer.customer_metrics")
        assert main(check) == 1
        assert finding in capsys.readouterr().out.splitlines()
    finally:
        warehouse.ledger.restore(saved, warehouse.engine.root)
    assert main(check) == 0


def test_the_next_run_restores_a_policy_and_a_tag(by_tags: Governed) -> None:
    warehouse = by_tags.databricks.warehouse
    for change in ("policy of masks dropped", "tag of rows removed"):
        warehouse.execute(CHANGES[change][0], PIPELINE, CATALOG)
    assert by_tags.wrong("gold_layer.customer_metrics")
    by_tags.databricks.dbt(
        *("build", *WITHOUT_TESTS, *BY_TAGS),
        *("--select", "mask_user_id", "customer_metrics"),
    )
    assert by_tags.wrong("gold_layer.customer_metrics") == []
