"""Databricks' system tables that the analyses read, with the types of their documentation."""

from __future__ import annotations

from typing import Final

# Name in the schema system.access to the columns as DDL.
TABLES: Final[dict[str, str]] = {
    "audit": (
        "account_id string, workspace_id bigint, version string, event_time timestamp,"
        " event_date date, source_ip_address string, user_agent string, session_id string,"
        " user_identity struct<email: string, subject_name: string>, service_name string,"
        " action_name string, request_id string, request_params map<string, string>,"
        " response struct<status_code: int, error_message: string, result: string>,"
        " audit_level string, event_id string"
    ),
    "table_lineage": (
        "account_id string, metastore_id string, workspace_id string, entity_type string,"
        " entity_id string, entity_run_id string, source_table_full_name string,"
        " source_table_catalog string, source_table_schema string, source_table_name string,"
        " source_path string, source_type string, target_table_full_name string,"
        " target_table_catalog string, target_table_schema string, target_table_name string,"
        " target_path string, target_type string, created_by string, event_time timestamp,"
        " event_date date, record_id string, event_id string, statement_id string"
    ),
}
