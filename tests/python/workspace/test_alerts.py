"""Each alert of the bundle, on a built loopback warehouse: silent on good data, fires on bad."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any, Final

import duckdb
import pyarrow as pa
import pytest

from project.home import CHECKOUT
from project.variables import project_variables
from support.built_platform import built_platform
from support.databricks_runs import CATALOG, PIPELINE, DatabricksHome
from support.platform_runs import Home
from workspace.bundle import deployed, read_bundle

pytestmark = pytest.mark.warehouse

FILES, QUARANTINE = "silver_layer.source_files", "silver_layer.events_quarantined"
BRONZE: Final = "bronze_layer.events_raw"
HISTORY, DAYS = "silver_layer.run_history", "gold_layer.daily_sales_summary"
TODAY: Final = dt.date(2019, 11, 30)
NOON: Final = dt.datetime(2019, 11, 30, 12, tzinfo=dt.UTC)
LIMITS: Final = project_variables()
Row = dict[str, Any]


class Shop:
    """A built target dev, whose tables a test replaces by rows of its own."""

    def __init__(self, dev: DatabricksHome, home: Home) -> None:
        self.dev = dev
        self.home = home
        self.alerts = deployed(read_bundle(CHECKOUT), "dev")["resources"]["alerts"]

    def replace(self, table: str, *rows: Row) -> None:
        """Give a table these rows; each has the values of a stored row where it names none."""
        name = f"{CATALOG}.{table}"
        stored = self.dev.warehouse.read(name)
        sample = stored.slice(0, 1).to_pylist()[0]
        filled = pa.Table.from_pylist([sample | row for row in rows], schema=stored.schema)
        self.dev.warehouse.execute(f"delete from {name}", PIPELINE)
        self.dev.warehouse.load(name, filled, PIPELINE)

    def findings(self, alert: str) -> list[Row]:
        """Return the rows of an alert's query; check that Databricks would fire on any."""
        declared = self.alerts[alert]
        rows: list[Row] = self.dev.query(declared["query_text"]).to_pylist()
        evaluation = declared["evaluation"]
        assert evaluation["comparison_operator"] == "GREATER_THAN"
        limit = evaluation["threshold"]["value"]["double_value"]
        assert all(row[evaluation["source"]["name"]] > limit for row in rows)
        return rows


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with built_platform(tmp_path_factory.mktemp("alerts")) as platform:
        yield Shop(platform.dev, platform.home)


@pytest.fixture
def shop(built: Shop) -> Iterator[Shop]:
    """The built platform, with its own rows again after the test."""
    tables = [f"{CATALOG}.{name}" for name in (BRONZE, FILES, QUARANTINE, HISTORY, DAYS)]
    stored = {name: built.dev.warehouse.read(name) for name in tables}
    yield built
    for name, rows in stored.items():
        if built.dev.warehouse.read(name) != rows:
            built.dev.warehouse.execute(f"delete from {name}", PIPELINE)
            built.dev.warehouse.load(name, rows, PIPELINE)


def test_every_column_of_an_alert_is_described(built: Shop) -> None:
    manifest = json.loads((built.dev.folder / "target" / "manifest.json").read_text("utf-8"))
    described = {
        node["name"]: {name: column["description"] for name, column in node["columns"].items()}
        for node in manifest["nodes"].values()
        if node["resource_type"] == "analysis" and "/alerts/" in node["original_file_path"]
    }
    assert set(described) == set(built.alerts)
    for name, columns in described.items():
        answer = built.dev.query(built.alerts[name]["query_text"])
        assert list(columns) == answer.column_names
        assert all(columns.values()), name


# ---- no new data ----


def file(loaded_at: dt.datetime, number: int = 1, rows: int = 1000) -> Row:
    name = f"{number}.csv"
    return {"_source_file": name, "_ingested_at": loaded_at, "_batch_id": number, "raw_rows": rows}


def ago(hours: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)


def test_no_new_data(shop: Shop) -> None:
    allowed = LIMITS["stale_after_hours"]
    assert shop.findings("no_new_data") == []
    shop.replace(FILES, file(ago(allowed + 90)), file(ago(allowed - 0.5), 2))
    assert shop.findings("no_new_data") == []
    newest = file(ago(allowed + 0.5), 2)
    shop.replace(FILES, file(ago(allowed + 90)), newest)
    [found] = shop.findings("no_new_data")
    assert found["hours_without_load"] == pytest.approx(allowed + 0.5, abs=0.1)
    assert found["newest_load_at"].replace(tzinfo=dt.UTC) == newest["_ingested_at"]
    shop.replace(FILES)
    [found] = shop.findings("no_new_data")
    assert found["newest_load_at"] is None


def test_a_daily_feed_is_silent_at_whatever_hour_it_comes(built: Shop) -> None:
    jobs = deployed(read_bundle(CHECKOUT), "dev")["resources"]["jobs"]
    ran = hour(jobs["full_pipeline_job"]["schedule"]["quartz_cron_expression"])
    asked = hour(built.alerts["no_new_data"]["schedule"]["quartz_cron_schedule"])
    # What landed right after the daily run began is in silver a day later.
    assert LIMITS["stale_after_hours"] >= 24 + asked - ran


def hour(quartz: str) -> int:
    second, minute, found, *every_day = quartz.split()
    assert (second, minute, every_day) == ("0", "0", ["*", "*", "?"])
    return int(found)


def test_a_feed_that_stopped_fails_the_freshness_of_the_source(shop: Shop) -> None:
    shop.dev.dbt("source", "freshness")
    shop.replace(BRONZE, {"_ingested_at": ago(LIMITS["stale_after_hours"] + 1)})
    printed = shop.dev.dbt("source", "freshness", expect=1).stdout
    assert "ERROR STALE freshness of bronze_layer.events_raw" in printed
    shop.replace(BRONZE)
    shop.dev.dbt("source", "freshness", expect=1)


def test_a_stopped_feed_fails_on_one_machine_too(shop: Shop) -> None:
    shop.home.dbt("source", "freshness")
    with duckdb.connect(str(shop.home.database)) as connection:
        age = f"interval {LIMITS['stale_after_hours'] + 1} hours"
        connection.execute(
            f"update bronze_layer.events_raw set _ingested_at = _ingested_at - {age}"
        )
    printed = shop.home.dbt("source", "freshness", expect=1).stdout
    assert "ERROR STALE freshness of bronze_layer.events_raw" in printed


# ---- rejected rows ----


def rejected(reason: str, batch: int) -> Row:
    return {"rejection_reason": reason, "_batch_id": batch}


def test_quarantine_share(shop: Shop) -> None:
    # Two of 20 rows of the built platform break a rule.
    assert [row["rejection_reason"] for row in shop.findings("quarantine_share")] != []
    two = [rejected("invalid_price", 2), rejected("missing_user_id", 2)]
    duplicates = [rejected("duplicate", 2)] * 9
    of_old_files = [rejected("invalid_price", 1)] * 9
    old = file(NOON - dt.timedelta(days=LIMITS["alert_days"]))
    shop.replace(QUARANTINE, *two, *duplicates, *of_old_files)
    at_the_limit = round(2 / LIMITS["alert_max_rejected_share"])
    shop.replace(FILES, old, file(NOON, 2, at_the_limit))
    assert shop.findings("quarantine_share") == []
    shop.replace(FILES, old, file(NOON, 2, at_the_limit - 1))
    assert [
        (row["rejection_reason"], row["rejected_rows"], row["raw_rows"])
        for row in shop.findings("quarantine_share")
    ] == [("invalid_price", 1, at_the_limit - 1), ("missing_user_id", 1, at_the_limit - 1)]


# ---- the gate ----


def test_gate_shut(shop: Shop) -> None:
    assert shop.findings("gate_shut") == []
    shop.dev.dbt("run-operation", "quality_gate", expect=1)
    [found] = shop.findings("gate_shut")
    assert found["decision"] == "shut"
    assert "new rows are rejected" in found["message"]
    shop.dev.dbt("run-operation", "quality_gate", "--vars", "gate_max_quarantined_share: 0.5")
    assert shop.findings("gate_shut") == []


# ---- days ----


def day(before: int, kind: str = "complete", score: float | None = 0.0) -> Row:
    return {
        "event_date": TODAY - dt.timedelta(days=before),
        "day_kind": kind,
        "is_complete": kind == "complete",
        "anomaly_score": score,
    }


def found_days(shop: Shop, alert: str) -> list[int]:
    return [(TODAY - row["event_date"]).days for row in shop.findings(alert)]


def test_incomplete_day(shop: Shop) -> None:
    window = LIMITS["alert_days"]
    # Loaded during the newest day, which is still running.
    shop.replace(FILES, file(NOON))
    good = [day(0, "incomplete"), day(1), day(2, "catch_up"), day(window + 1, "incomplete")]
    shop.replace(DAYS, *good)
    assert found_days(shop, "incomplete_day") == []
    shop.replace(DAYS, *good, day(window, "incomplete"))
    assert found_days(shop, "incomplete_day") == [window]
    # Loaded after it: the day is over, and its end is missing.
    shop.replace(FILES, file(NOON + dt.timedelta(days=1)))
    assert found_days(shop, "incomplete_day") == [0]


def test_revenue_anomaly(shop: Shop) -> None:
    window, limit = LIMITS["alert_days"], LIMITS["alert_min_anomaly_score"]
    good = [
        day(0, score=limit),
        day(1, score=-limit),
        day(2, score=None),
        day(window, score=9.0),
        day(1, "incomplete", -9.0),
        day(2, "catch_up", 9.0),
    ]
    shop.replace(DAYS, *good)
    assert found_days(shop, "revenue_anomaly") == []
    shop.replace(DAYS, *good, day(1, score=limit + 0.1), day(2, score=-limit - 0.1))
    assert found_days(shop, "revenue_anomaly") == [1, 2]
