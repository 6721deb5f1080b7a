"""The same models as a streaming table and materialized views, set by one variable.

The second build also turns to policies by tags, with which relations that had to stay tables for
their masks become materialized views.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.databricks_runs import (
    CATALOG,
    PIPELINE_GROUP,
    WITHOUT_TESTS,
    DatabricksHome,
    bronze_rows,
    differences,
    running_warehouse,
)
from support.platform_runs import Home

pytestmark = pytest.mark.warehouse

LANDING = f"/Volumes/{CATALOG}/bronze_layer/raw_data/landing"
ANALYST = ["ecommerce_business_analysts", "ecommerce_segment_prospect"]
# A streaming table has its own load time, and the path in the volume.
METADATA = ("_ingested_at", "_source_file")


def options(policies: str) -> tuple[str, str]:
    """Return the options that set the variables."""
    return "--vars", f"{{declarative: true, policies: {policies}}}"


class Declared:
    """One file per build, loaded locally and landed in the volume."""

    def __init__(self, folder: Path, databricks: DatabricksHome) -> None:
        self.home = Home(folder / "local")
        self.databricks = databricks

    def build(self, file: Path, policies: str) -> dict[str, int]:
        """Load the file, build on both engines, and compare."""
        self.home.load(file)
        rows = bronze_rows(self.home, f"parse_filename(_source_file) = '{file.name}'")
        landed = rows.drop_columns(list(METADATA))
        self.databricks.warehouse.land(f"{LANDING}/{file.name}", landed)
        self.home.dbt("build", *WITHOUT_TESTS)
        self.databricks.dbt("build", *WITHOUT_TESTS, *options(policies))
        return differences(self.home, self.databricks, METADATA)


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Declared]:
    folder = tmp_path_factory.mktemp("declarative")
    with running_warehouse({"analyst": ANALYST}) as warehouse:
        warehouse.govern_tag("personal", ["user_id", "personal_text"], [PIPELINE_GROUP])
        warehouse.govern_tag("rows_by", ["user_segment"], [PIPELINE_GROUP])
        yield Declared(folder, DatabricksHome(folder / "dev", warehouse))


@pytest.fixture(scope="module")
def batches(declared: Declared) -> list[Path]:
    """Two files; the second has a day before the newest of the first."""
    folder = declared.home.folder / "files"
    declared.home.run("generate", "--events", "2000", "--days", "5", "--out", str(folder / "days"))
    days = sorted((folder / "days").glob("*.csv"))
    files = []
    for number, members in enumerate([[*days[:2], days[3]], [days[2], days[4]]], start=1):
        header, *lines = [line for day in members for line in day.read_text("utf-8").splitlines()]
        file = folder / f"batch_{number}.csv"
        file.write_text("\n".join([header, *(x for x in lines if x != header), ""]), "utf-8")
        files.append(file)
    return files


@pytest.fixture(scope="module")
def first(declared: Declared, batches: list[Path]) -> dict[str, int]:
    return declared.build(batches[0], "table")


@pytest.fixture(scope="module")
def second(declared: Declared, batches: list[Path], first: dict[str, int]) -> dict[str, int]:
    return declared.build(batches[1], "attribute")


def test_first_build_equals_duckdb(first: dict[str, int]) -> None:
    assert first == {}


def test_relations_with_personal_columns_stay_masked_tables(
    declared: Declared, first: dict[str, int]
) -> None:
    kinds: dict[str, set[str]] = {}
    for relation in declared.databricks.warehouse.ledger.relations.values():
        kinds.setdefault(relation.kind, set()).add(relation.key[2])
        for column in relation.columns:
            if "personal" in column.tags:
                assert relation.kind == "MANAGED" and column.mask, (relation.key, column.name)
    assert kinds["STREAMING_TABLE"] == {"events_landed"}
    assert {"conversion_funnel", "daily_sales_summary", "product_performance"} < kinds[
        "MATERIALIZED_VIEW"
    ]
    assert {"customer_metrics", "users_dim", "sessions"} < kinds["MANAGED"]


def test_refresh_with_new_files_equals_duckdb(second: dict[str, int]) -> None:
    assert second == {}


def test_data_tests_that_read_the_streaming_table_pass(
    declared: Declared, second: dict[str, int]
) -> None:
    """All others read tables, which have the same rows as those that test_target.py tests."""
    tests = ("test", "--select", "events_raw", "--exclude-resource-type", "unit_test")
    printed = declared.databricks.dbt(*tests, *options("attribute")).stdout
    assert "not_null_events_raw__ingested_at" in printed


def test_policies_by_tags_mask_materialized_views(
    declared: Declared, second: dict[str, int]
) -> None:
    warehouse = declared.databricks.warehouse
    views = {"abandoned_carts", "buyer_purchases", "customer_metrics"}
    held = {r.key[2]: r for r in warehouse.ledger.relations.values()}
    assert {held[name].kind for name in views} == {"MATERIALIZED_VIEW"}
    assert not [r.key for r in held.values() if r.row_filter or any(c.mask for c in r.columns)]
    warehouse.execute(f"grant use catalog on catalog {CATALOG} to analyst")
    warehouse.execute(f"grant use schema on schema {CATALOG}.gold_layer to analyst")
    seen = warehouse.execute(f"select * from {CATALOG}.gold_layer.customer_metrics", "analyst")
    whole = declared.databricks.query("select * from gold_layer.customer_metrics")
    assert set(seen["user_id"].to_pylist()) == {None}
    # The analyst is in the group of one segment.
    assert set(seen["user_segment"].to_pylist()) == {"prospect"}
    assert 0 < seen.num_rows < whole.num_rows and not whole["user_id"].null_count
