"""The audit's queries, compiled for a target, on system tables with planted events."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from databricks_runs import CATALOG, DatabricksHome, running_warehouse
from system_tables import TABLES
from warehouse.server import Warehouse

NOW = dt.datetime.now(dt.UTC)
TODAY, LONG_AGO = NOW.date(), NOW.date() - dt.timedelta(days=31)
SESSIONS = f"{CATALOG}.silver_layer.sessions"
MASK = f"{CATALOG}.silver_layer.mask_user_id"


def action(
    event_id: str, who: str, name: str, status: int = 200, day: dt.date = TODAY, **params: str
) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "event_date": day,
        "event_time": NOW,
        "user_identity": {"email": who, "subject_name": None},
        "service_name": "accounts" if name.endswith("Group") else "unityCatalog",
        "action_name": name,
        "source_ip_address": "10.0.0.1",
        "request_params": params,
        "response": {"status_code": status, "error_message": "no", "result": None},
    }


def read(who: str, table: str | None, tool: str | None = None, day: dt.date = TODAY) -> Any:
    return {
        "created_by": who,
        "source_table_full_name": table,
        "entity_type": tool,
        "event_date": day,
        "event_time": NOW,
    }


def function(catalog: str) -> str:
    return json.dumps(
        {"catalog_name": catalog, "schema_name": "silver_layer", "name": "mask_user_id"}
    )


EVENTS = {
    "audit": [
        action("1", "eve", "getTable", 403, full_name_arg=SESSIONS),
        action("2", "eve", "getTable", 403, full_name_arg=SESSIONS.upper()),
        action("3", "eve", "getTable", 403, LONG_AGO, full_name_arg=SESSIONS),
        action("4", "eve", "getTable", 403, full_name_arg=f"{CATALOG}_ann.silver_layer.sessions"),
        action("5", "eve", "getTable", 200, full_name_arg=SESSIONS),
        action("6", "bob", "updatePermissions", securable_type="CATALOG",
               securable_full_name=CATALOG, changes="[]"),
        action("7", "bob", "updatePermissions", 403, securable_full_name=CATALOG),
        action("8", "bob", "updatePermissions", 200, LONG_AGO, securable_full_name=CATALOG),
        action("9", "bob", "updatePermissions", securable_full_name=f"{CATALOG}_ann"),
        action("10", "bob", "addPrincipalToGroup", targetGroupName="ecommerce_pipeline",
               targetUserName="eve"),
        action("11", "bob", "addPrincipalToGroup", targetGroupName="cooks", targetUserName="eve"),
        action("12", "eve", "createFunction", function_info=function(CATALOG)),
        action("13", "eve", "createFunction", function_info=function("other")),
        action("14", "eve", "createFunction"),
        action("15", "eve", "deleteFunction", full_name_arg=MASK),
        action("16", "ann@shop.example", "updateTables", full_name_arg=SESSIONS),
        action("17", "8f0c-4a1e", "updateTables", full_name_arg=SESSIONS),
        action("18", "ann@shop.example", "updateTables", full_name_arg=f"{CATALOG}_ann.s.t"),
        action("19", "eve", "createFunction", 403, function_info=function(CATALOG)),
    ],
    "table_lineage": [
        read("eve", SESSIONS),
        read("eve", SESSIONS.upper()),
        read("eve", SESSIONS, "NOTEBOOK"),
        read("eve", SESSIONS, day=LONG_AGO),
        read("eve", f"{CATALOG}.silver_layer.calendar"),
        read("eng", f"{CATALOG}.bronze_layer.events_raw", "JOB"),
        read("eng", f"{CATALOG}.silver_layer.events_staged", "JOB"),
        read("eng", None, "JOB"),
    ],
}  # fmt: skip


def plant_events(warehouse: Warehouse) -> None:
    """Make the system tables with the events."""
    warehouse.create_catalog("system")
    warehouse.create_schema("system.access")
    for name, columns in TABLES.items():
        table = f"system.access.{name}"
        warehouse.execute(f"create table {table} ({columns})")
        schema = warehouse.read(table).schema
        warehouse.load(table, pa.Table.from_pylist(EVENTS[name], schema=schema))


class Analyses:
    """The compiled analyses and a warehouse with the system tables."""

    def __init__(self, dev: DatabricksHome) -> None:
        self._dev = dev
        self._folder = dev.folder / "target"
        self.manifest = json.loads((self._folder / "manifest.json").read_text("utf-8"))

    def rows(self, name: str) -> pa.Table:
        folder = self._folder / "compiled" / "ecommerce_analytics" / "analyses"
        return self._dev.query((folder / f"{name}.sql").read_text("utf-8"))


@pytest.fixture(scope="module")
def analyses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Analyses]:
    with running_warehouse() as warehouse:
        plant_events(warehouse)
        dev = DatabricksHome(tmp_path_factory.mktemp("audit"), warehouse)
        dev.dbt("compile", "--select", "path:analyses")
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
        ("eve", "silver_layer.sessions", "OTHER"): (2, "user_id, user_session"),
        ("eve", "silver_layer.sessions", "NOTEBOOK"): (1, "user_id, user_session"),
        ("eng", "bronze_layer.events_raw", "JOB"): (1, raw),
        ("eng", "silver_layer.events_staged", "JOB"): (1, raw),
    }


def test_refusals_are_counted_by_principal_action_and_object(analyses: Analyses) -> None:
    found = {
        (r["principal"], r["action_name"], r["object_name"]): r["attempts"]
        for r in analyses.rows("refused_attempts").to_pylist()
    }
    assert found == {
        ("eve", "getTable", SESSIONS): 2,
        ("bob", "updatePermissions", CATALOG): 1,
    }


def test_changes_of_privileges_groups_functions_and_tables_are_listed(analyses: Analyses) -> None:
    rows = analyses.rows("privilege_changes").to_pylist()
    assert {
        r["event_id"]: (r["object_type"], r["object_name"], r["changed_what"]) for r in rows
    } == {
        "6": ("CATALOG", CATALOG, "[]"),
        "10": ("GROUP", "ecommerce_pipeline", "eve"),
        "12": ("FUNCTION", MASK, function(CATALOG)),
        # Which function is not told: better a row too many.
        "14": ("FUNCTION", None, None),
        "15": ("FUNCTION", MASK, None),
        "16": ("TABLE", SESSIONS, None),
    }


@pytest.mark.parametrize("name", ["who_read_personal_columns", "refused_attempts",
                                  "privilege_changes"])  # fmt: skip
def test_every_analysis_is_described_with_its_grain_and_columns(
    analyses: Analyses, name: str
) -> None:
    [node] = [n for n in analyses.manifest["nodes"].values()
              if n["resource_type"] == "analysis" and n["name"] == name]  # fmt: skip
    assert node["description"].startswith("One row per ")
    described = analyses.manifest["nodes"][node["unique_id"]]["columns"]
    assert list(described) == analyses.rows(name).column_names
    assert all(column["description"] for column in described.values())


def test_no_analysis_is_left_out(analyses: Analyses) -> None:
    names = [n["name"] for n in analyses.manifest["nodes"].values()
             if n["resource_type"] == "analysis"]  # fmt: skip
    folder = Path(__file__).parents[2] / "analyses"
    assert sorted(names) == sorted(path.stem for path in folder.glob("*.sql"))
    assert len(names) == 3
