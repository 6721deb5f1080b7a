"""What drifted on a table since its last build, a build repairs, whatever it is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from support.built_platform import built_platform
from support.databricks_runs import CATALOG, PIPELINE, DatabricksHome

pytestmark = pytest.mark.warehouse

# One thing each that the yml declares, each of a table of its own: one that is seen has the others
# of its table repaired too.
DRIFT = {
    "mask": ("gold_layer.orders", "alter column user_id drop mask"),
    "mask of another function": (
        "silver_layer.user_daily_activity",
        "alter column user_id set mask silver_layer.keep_all",
    ),
    "mask that is not declared": (
        "gold_layer.product_performance",
        "alter column product_id set mask silver_layer.keep_all",
    ),
    "row filter": ("silver_layer.users_dim", "drop row filter"),
    "row filter of another function": (
        "gold_layer.customer_metrics",
        "set row filter silver_layer.see_all on (user_segment)",
    ),
    "tag": ("silver_layer.sessions", "alter column user_id unset tags ('personal')"),
    "comment": ("gold_layer.monthly_visitors", "is 'mine'"),
    "comment of a column": ("gold_layer.shopping_hours", "alter column events comment 'mine'"),
    "property": ("gold_layer.session_steps", "set tblproperties ('quality' = 'none')"),
    "check": ("gold_layer.customer_cohorts", "add constraint odd check (true)"),
    "primary key": ("gold_layer.daily_sales_summary", "drop constraint {key}"),
    "not null": ("gold_layer.conversion_funnel", "alter column sessions set not null"),
    "clustering": ("gold_layer.category_brand_days", "cluster by none"),
    "column": ("intermediate_layer.daily_traffic", "drop columns (events)"),
}
# The group of a revoked grant, and another that gets one.
READERS, OTHERS = "ecommerce_business_analysts", "ecommerce_segment_vip"


def declarations(dev: DatabricksHome, table: str) -> dict[str, object]:
    """Return everything that a yml says of a table."""
    relation = dev.warehouse.ledger.relations[CATALOG, *table.split(".")]
    return {
        "columns": sorted(
            (c.name, c.nullable, c.comment, c.mask, tuple(c.tags.items())) for c in relation.columns
        ),
        "keys": {(c.kind, c.columns) for c in relation.constraints},
        "row filter": relation.row_filter,
        "comment": relation.comment,
        "properties": relation.properties,
        "clustered by": relation.cluster_by,
        "grants": grants(dev, table),
    }


def grants(dev: DatabricksHome, table: str) -> set[tuple[str, str]]:
    return dev.warehouse.ledger.grants_on("TABLE", (CATALOG, *table.split(".")))


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabricksHome]:
    with built_platform(tmp_path_factory.mktemp("drift")) as platform:
        yield platform.dev


@pytest.fixture(scope="module")
def before(dev: DatabricksHome) -> dict[str, dict[str, object]]:
    return {table: declarations(dev, table) for table, _ in DRIFT.values()}


@pytest.fixture(scope="module")
def drifted(
    dev: DatabricksHome, before: dict[str, dict[str, object]]
) -> dict[str, dict[str, object]]:
    """Change every table by hand."""
    send = partial(dev.warehouse.execute, principal=PIPELINE, catalog=CATALOG)
    send("create function silver_layer.keep_all(value bigint) returns bigint return value")
    send("create function silver_layer.see_all(segment string) returns boolean return true")
    for table, change in DRIFT.values():
        constraints = dev.warehouse.ledger.relations[CATALOG, *table.split(".")].constraints
        change = change.format(key=constraints[0].name if constraints else "")
        send(f"{'comment on' if change.startswith('is') else 'alter'} table {table} {change}")
    send(f"revoke select on table gold_layer.orders from {READERS}")
    send(f"grant modify on table gold_layer.orders to `{OTHERS}`")
    return {table: declarations(dev, table) for table, _ in DRIFT.values()}


@pytest.fixture(scope="module")
def repaired(
    dev: DatabricksHome, drifted: dict[str, dict[str, object]]
) -> dict[str, dict[str, object]]:
    dev.dbt("run", "--select", *(table.partition(".")[2] for table in drifted))
    return {table: declarations(dev, table) for table in drifted}


@pytest.mark.parametrize("what", DRIFT)
def test_a_build_repairs(
    what: str,
    before: dict[str, dict[str, object]],
    drifted: dict[str, dict[str, object]],
    repaired: dict[str, dict[str, object]],
) -> None:
    table = DRIFT[what][0]
    assert drifted[table] != before[table]
    assert repaired[table] == before[table]


def test_a_build_revokes_and_grants(
    dev: DatabricksHome, repaired: dict[str, dict[str, object]]
) -> None:
    now = grants(dev, "gold_layer.orders")
    assert (OTHERS, "MODIFY") not in now and (READERS, "SELECT") in now
