"""The audit's queries, compiled for a target, on system tables with planted events."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import pyarrow as pa
import pytest

from project.home import CHECKOUT
from support.databricks_runs import CATALOG, DatabricksHome, running_warehouse
from support.system_tables import MASK, OWNER, SESSIONS, TODAY, function, plant_events, tag
from workspace import alerts

pytestmark = pytest.mark.warehouse


class Analyses:
    """The compiled analyses and a warehouse with the system tables."""

    def __init__(self, dev: DatabricksHome) -> None:
        self._dev = dev
        self.folder = dev.folder / "target"
        self.manifest = json.loads((self.folder / "manifest.json").read_text("utf-8"))

    def rows(self, name: str) -> pa.Table:
        folder = self.folder / "compiled" / "ecommerce_analytics" / "analyses"
        return self._dev.query((folder / f"{name}.sql").read_text("utf-8"))


@pytest.fixture(scope="module")
def analyses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Analyses]:
    with running_warehouse() as warehouse:
        plant_events(warehouse)
        warehouse.load(SESSIONS, pa.table({"user_id": [1]}), OWNER)
        dev = DatabricksHome(tmp_path_factory.mktemp("audit"), warehouse)
        dev.dbt("compile", "--select", "path:analyses", "--write-json")
        yield Analyses(dev)


def test_reads_of_personal_columns_are_counted_by_reader_table_and_tool(
    analyses: Analyses,
) -> None:
    found = {
        (r["reader"], r["relation_name"].split(".", 1)[1], r["read_through"]): (
            r["times_read"],
            r["personal_columns"],
        )
        for r in analyses.rows("who_read_personal_columns").to_pylist()
    }
    raw = "user_id, user_session, _rescued_data"
    assert found == {
        ("eve", "silver_layer.sessions", "OTHER"): (2, "user_id"),
        ("eve", "silver_layer.sessions", "NOTEBOOK"): (1, "user_id"),
        ("eng", "bronze_layer.events_raw", "JOB"): (1, raw),
        ("eng", "silver_layer.events_staged", "JOB"): (
            1,
            "user_id, user_session, raw_user_session, _rescued_data",
        ),
    }


def test_refused_attempts_are_counted_by_principal_action_and_object(analyses: Analyses) -> None:
    found = {
        (r["principal"], r["action_name"], r["object_name"]): r["attempts"]
        for r in analyses.rows("refused_attempts").to_pylist()
    }
    assert found == {
        ("eve", "getTable", SESSIONS): 2,
        ("bob", "updatePermissions", CATALOG): 1,
    }


def test_changes_of_whatever_decides_who_sees_what_are_listed(analyses: Analyses) -> None:
    rows = analyses.rows("privilege_changes").to_pylist()
    assert {
        r["event_id"]: (r["object_type"], r["object_name"], r["changed_what"]) for r in rows
    } == {
        "6": ("CATALOG", CATALOG, "[]"),
        "10": ("GROUP", "ecommerce_pipeline", "eve"),
        "12": ("FUNCTION", MASK, function(CATALOG)),
        # The event names no function: report it anyway.
        "14": ("FUNCTION", None, None),
        "15": ("FUNCTION", MASK, None),
        "16": ("TABLE", SESSIONS, None),
        "20": ("TABLE", SESSIONS, None),
        "21": ("TABLE", SESSIONS, "eve"),
        "22": ("CATALOG", CATALOG, "eve"),
        "24": ("POLICY", f"{CATALOG}.gold_layer", "{}"),
        "25": ("POLICY", f"{CATALOG}.gold_layer", "mask_user_id"),
        "27": ("TAG", f"{SESSIONS}.user_id", tag(SESSIONS)),
        "28": ("TAG", f"{SESSIONS}.user_id", "personal"),
    }


def test_cost_is_summed_by_day_environment_and_job_or_warehouse(analyses: Analyses) -> None:
    today, before = TODAY, TODAY - dt.timedelta(days=2)
    found = {
        (r["usage_date"], r["environment"], r["spent_by"]): (r["usage_quantity"], r["list_cost"])
        for r in analyses.rows("cost_by_day").to_pylist()
    }
    assert found == {
        (today, "prod", "warehouse w1"): (6, pytest.approx(4.2)),
        (before, "prod", "warehouse w1"): (10, pytest.approx(5)),
        (today, "staging", "full_pipeline_job"): (3, pytest.approx(1.05)),
        # Without a list price the usage is there, and its cost unknown.
        (today, "prod", "OLD"): (5, None),
    }


@pytest.mark.parametrize("name", ["who_read_personal_columns", "refused_attempts",
                                  "privilege_changes", "cost_by_day"])  # fmt: skip
def test_every_analysis_is_described_with_its_grain_and_columns(
    analyses: Analyses, name: str
) -> None:
    [node] = [n for n in analyses.manifest["nodes"].values()
              if n["resource_type"] == "analysis" and n["name"] == name]  # fmt: skip
    assert node["description"].startswith("One row per ")
    described = analyses.manifest["nodes"][node["unique_id"]]["columns"]
    assert list(described) == analyses.rows(name).column_names
    assert all(column["description"] for column in described.values())


def test_every_analysis_is_tested(analyses: Analyses) -> None:
    # The questions are tested in test_questions.py, the alerts in test_alerts.py.
    folder = CHECKOUT / "analyses"
    names = [n["name"] for n in analyses.manifest["nodes"].values()
             if n["resource_type"] == "analysis" and "/" not in n["path"].removeprefix("analysis/")
             ]  # fmt: skip
    assert sorted(names) == sorted(path.stem for path in folder.glob("*.sql"))
    assert len(names) == 4


def test_the_bundle_has_the_queries_of_the_alerts_as_compiled(analyses: Analyses) -> None:
    written = alerts.to_bundle(alerts.compiled_queries(analyses.folder))
    assert alerts.FILE.read_text("utf-8") == written, "run `make alerts`"
