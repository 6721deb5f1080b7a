"""Databricks' system tables that the analyses read, with their documented types, and events."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from support.databricks_runs import CATALOG
from warehouse.server import Warehouse

# Columns as DDL by table. Structs have the fields that an analysis reads, and some beside them.
TABLES: Final[dict[str, str]] = {
    "system.access.audit": (
        "account_id string, workspace_id bigint, version string, event_time timestamp,"
        " event_date date, source_ip_address string, user_agent string, session_id string,"
        " user_identity struct<email: string, subject_name: string>, service_name string,"
        " action_name string, request_id string, request_params map<string, string>,"
        " response struct<status_code: int, error_message: string, result: string>,"
        " audit_level string, event_id string"
    ),
    "system.access.table_lineage": (
        "account_id string, metastore_id string, workspace_id string, entity_type string,"
        " entity_id string, entity_run_id string, source_table_full_name string,"
        " source_table_catalog string, source_table_schema string, source_table_name string,"
        " source_path string, source_type string, target_table_full_name string,"
        " target_table_catalog string, target_table_schema string, target_table_name string,"
        " target_path string, target_type string, created_by string, event_time timestamp,"
        " event_date date, record_id string, event_id string, statement_id string"
    ),
    "system.billing.usage": (
        "account_id string, workspace_id string, record_id string, sku_name string, cloud string,"
        " usage_start_time timestamp, usage_end_time timestamp, usage_date date,"
        " custom_tags map<string, string>, usage_unit string, usage_quantity decimal(38, 18),"
        " usage_metadata struct<cluster_id: string, warehouse_id: string, job_id: string,"
        " job_name: string, job_run_id: string, dlt_pipeline_id: string>, record_type string,"
        " ingestion_date date, billing_origin_product string, usage_type string"
    ),
    "system.billing.list_prices": (
        "price_start_time timestamp, price_end_time timestamp, account_id string,"
        " sku_name string, cloud string, currency_code string, usage_unit string,"
        " pricing struct<`default`: decimal(38, 18),"
        " promotional: struct<`default`: decimal(38, 18)>,"
        " effective_list: struct<`default`: decimal(38, 18)>>"
    ),
    "system.lakeflow.jobs": (
        "account_id string, workspace_id string, job_id string, name string, description string,"
        " creator_id string, tags map<string, string>, change_time timestamp,"
        " delete_time timestamp, run_as string"
    ),
}

NOW = dt.datetime.now(dt.UTC)
TODAY, LONG_AGO = NOW.date(), NOW.date() - dt.timedelta(days=31)
SESSIONS = f"{CATALOG}.silver_layer.sessions"
MASK = f"{CATALOG}.silver_layer.mask_user_id"
# The service principal of the pipeline, which owns the tables, and another.
OWNER, OTHER = "8f0c-4a1e", "5d11-0b2c"


def action(
    event_id: str, who: str, name: str, status: int = 200, day: dt.date = TODAY, /, **params: str
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


OURS = {"project": "ecommerce_analytics", "environment": "prod"}
RAISED_AT = NOW - dt.timedelta(days=1)


def usage(
    quantity: int,
    ago: int = 0,
    tags: dict[str, str] | None = None,
    sku: str = "SQL",
    **metadata: str,
) -> dict[str, Any]:
    ended = NOW - dt.timedelta(days=ago)
    return {
        "workspace_id": "1",
        "sku_name": sku,
        "cloud": "AWS",
        "usage_end_time": ended,
        "usage_date": ended.date(),
        "custom_tags": list((tags or {}).items()),
        "usage_unit": "DBU",
        "usage_quantity": Decimal(quantity),
        "usage_metadata": metadata,
    }


def price(amount: str, start: dt.datetime, end: dt.datetime | None, sku: str) -> dict[str, Any]:
    return {
        "price_start_time": start,
        "price_end_time": end,
        "sku_name": sku,
        "cloud": "AWS",
        "currency_code": "USD",
        "usage_unit": "DBU",
        "pricing": {
            # Twice the price that counts.
            "default": 2 * Decimal(amount),
            "effective_list": {"default": Decimal(amount)},
        },
    }


def job(job_id: str, name: str, tags: dict[str, str], changed: dt.datetime = NOW) -> dict[str, Any]:
    return {
        "workspace_id": "1",
        "job_id": job_id,
        "name": name,
        "tags": list(tags.items()),
        "change_time": changed,
    }


def tag(table: str) -> str:
    return json.dumps(
        {"entity_type": "columns", "entity_name": f"{table}.user_id", "tag_key": "personal"}
    )


EVENTS = {
    "system.access.audit": [
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
        action("17", OWNER, "updateTables", full_name_arg=SESSIONS),
        action("18", "ann@shop.example", "updateTables", full_name_arg=f"{CATALOG}_ann.s.t"),
        action("19", "eve", "createFunction", 403, function_info=function(CATALOG)),
        action("20", OTHER, "updateTables", full_name_arg=SESSIONS),
        action("21", OWNER, "updateTables", full_name_arg=SESSIONS, owner="eve"),
        action("22", "eve", "updateCatalog", name_arg=CATALOG, owner="eve"),
        action("23", "eve", "updateSchema", full_name_arg=f"{CATALOG}.gold_layer", comment="x"),
        action("24", "eve", "createPolicy", name="open", on_securable_type="SCHEMA",
               on_securable_fullname=f"{CATALOG}.gold_layer", policy_info="{}"),
        action("25", "eve", "deletePolicy", name="mask_user_id", on_securable_type="SCHEMA",
               on_securable_fullname=f"{CATALOG}.gold_layer"),
        action("26", "eve", "deletePolicy", on_securable_fullname="other.gold_layer"),
        action("27", "eve", "createEntityTagAssignment", tag_assignment=tag(SESSIONS)),
        action("28", "eve", "deleteEntityTagAssignment", tag_key="personal",
               entity_type="columns", entity_name=f"{SESSIONS}.user_id"),
        action("29", "eve", "createEntityTagAssignment", tag_assignment=tag("other.s.t")),
        action("30", "eve", "getPolicy", on_securable_fullname=f"{CATALOG}.gold_layer"),
    ],
    "system.access.table_lineage": [
        read("eve", SESSIONS),
        read("eve", SESSIONS.upper()),
        read("eve", SESSIONS, "NOTEBOOK"),
        read("eve", SESSIONS, day=LONG_AGO),
        read("eve", f"{CATALOG}.silver_layer.calendar"),
        read("eng", f"{CATALOG}.bronze_layer.events_raw", "JOB"),
        read("eng", f"{CATALOG}.silver_layer.events_staged", "JOB"),
        read("eng", None, "JOB"),
    ],
    "system.billing.usage": [
        # A warehouse has its own tags, a serverless job those of its newest version.
        usage(10, tags=OURS, warehouse_id="w1"),
        usage(-4, tags=OURS, warehouse_id="w1"),
        usage(10, ago=2, tags=OURS, warehouse_id="w1"),
        usage(3, sku="JOBS", job_id="7"),
        usage(5, sku="JOBS", job_id="8"),
        usage(5, sku="JOBS", tags={"project": "other"}, job_id="7"),
        usage(5, sku="OLD", tags=OURS),
        usage(5, ago=31, tags=OURS, warehouse_id="w1"),
        usage(5, warehouse_id="w1"),
    ],
    "system.billing.list_prices": [
        price("0.5", NOW - dt.timedelta(days=90), RAISED_AT, "SQL"),
        price("0.7", RAISED_AT, None, "SQL"),
        price("0.35", NOW - dt.timedelta(days=90), None, "JOBS"),
    ],
    "system.lakeflow.jobs": [
        job("7", "old_name", {"project": "other"}, NOW - dt.timedelta(days=9)),
        job("7", "full_pipeline_job", {**OURS, "environment": "staging"}),
        job("8", "another_job", {"project": "other"}),
    ],
}  # fmt: skip


def plant_events(warehouse: Warehouse) -> None:
    """Create the system tables with the events."""
    warehouse.create_catalog("system")
    for table, columns in TABLES.items():
        warehouse.create_schema(table.rpartition(".")[0])
        warehouse.execute(f"create table {table} ({columns})")
        schema = warehouse.read(table).schema
        warehouse.load(table, pa.Table.from_pylist(EVENTS[table], schema=schema))
