"""What the project believes of Databricks and SQL can ask: one small try for each belief.

docs/without_a_workspace.md names the probe, or the reason for none, beside each belief.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

Rows: TypeAlias = Sequence[Sequence[str | None]]

# Classes of errors that say that this kind of workspace or compute lacks a feature.
ABSENT: Final = (
    *("FEATURE_NOT_ENABLED", "FEATURE_UNAVAILABLE", "FEATURE_NOT_ON_CLASSIC_WAREHOUSE"),
    *("FEATURE_REQUIRES_UC", "UC_NOT_ENABLED"),
)


def joined(rows: Rows) -> str:
    """Return the values of all rows as one line, `none` without rows."""
    lines = (", ".join("null" if value is None else value for value in row) for row in rows)
    return "; ".join(lines) or "none"


def described(rows: Rows) -> str:
    """Return what a DESCRIBE ... AS JSON says of a table, of that which a build compares."""
    found = json.loads(rows[0][0] or "{}")
    properties = found.get("table_properties") or {}
    parts = {
        "comment": found.get("comment") == "orders",
        "comment of a column": any(c.get("comment") == "day" for c in found["columns"]),
        "not null": [c["name"] for c in found["columns"] if not c.get("nullable")] == ["id"],
        "mask": [mask["column_name"] for mask in found.get("column_masks") or []] == ["id"],
        "row filter": (found.get("row_filter") or {}).get("column_names") == ["day"],
        "primary key": "PRIMARY KEY (`id`)" in (found.get("table_constraints") or ""),
        "property": properties.get("quality") == "gold",
        "clustering": properties.get("clusteringColumns") == '[["day"]]',
    }
    return ", ".join(name for name, is_there in parts.items() if is_there) or "nothing"


@dataclass(frozen=True)
class Probe:
    """One try. `asks` gives the answer: its rows as `reads` reads them, or that it is accepted.

    In statements `{schema}` is the scratch schema, `{catalog}` its catalog, and `{name}` the name
    of the probe, with which the names of its objects begin. `absent` are further classes of errors
    that say that the workspace has no such thing.
    """

    name: str
    asks: str
    given: tuple[str, ...] = ()
    reads: Callable[[Rows], str] | None = None
    column: str = ""
    absent: tuple[str, ...] = ()


# As the project's own: a mask of one call, a filter of calls and comparisons joined by `or`.
_FUNCTIONS: Final = (
    "create function {schema}.{name}_mask(id bigint) returns bigint"
    " return case when is_account_group_member('ecommerce_pipeline') or id > 0 then id end",
    "create function {schema}.{name}_filter(day bigint) returns boolean"
    " return is_account_group_member('ecommerce_pipeline') or day > 0",
)
_CREATE: Final = (
    "create table {schema}.{name} (id bigint mask {schema}.{name}_mask, day bigint) using delta"
    " with row filter {schema}.{name}_filter on (day)"
)
_PROTECTED: Final = (*_FUNCTIONS, _CREATE, "insert into {schema}.{name} values (1, 1)")
_POLICIES: Final = (
    "select (select count(*) from {catalog}.information_schema.row_filters"
    " where table_schema = '{scratch}' and table_name = '{of}') as filters,"
    " (select count(*) from {catalog}.information_schema.column_masks"
    " where table_schema = '{scratch}' and table_name = '{of}') as masks"
)
_ON_TABLE: Final = _POLICIES.replace("{of}", "{name}")
_GRANTS: Final = (
    "select grantee, privilege_type from {catalog}.information_schema.table_privileges"
    " where table_schema = '{scratch}' and table_name = '{name}' and inherited_from = 'NONE'"
    " and grantee = 'account users'"
)
_GRANTED: Final = (
    "create table {schema}.{name} (id bigint) using delta",
    "grant select on table {schema}.{name} to `account users`",
)
_NO_SYSTEM_TABLES: Final = (
    *("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "NO_SUCH_CATALOG_EXCEPTION"),
    "INSUFFICIENT_PERMISSIONS",
)

PROBES: Final = (
    Probe("session_time_zone", "select current_timezone()", reads=joined),
    Probe(
        "one_version_is_known",
        "select (current_version().dbr_version is null)"
        " <> (current_version().dbsql_version is null)",
        reads=joined,
    ),
    Probe("session_user_is_known", "select session_user() = current_user()", reads=joined),
    Probe(
        "policies_apply",
        "select id, day from {schema}.{name} order by day",
        (
            "create function {schema}.{name}_mask(id bigint) returns bigint"
            " return case when false then id end",
            _FUNCTIONS[1].replace("is_account_group_member('ecommerce_pipeline') or ", ""),
            _CREATE,
            "insert into {schema}.{name} values (1, 1), (2, -1)",
        ),
        joined,
    ),
    Probe(
        # As in customer_metrics: the key is unique and never null, what a reader sees of it is not.
        "masked_key_is_not_relied_on",
        "select count(*), count(id) from (select distinct id from {schema}.{name}) as keys",
        (
            "create function {schema}.{name}_mask(id bigint) returns bigint"
            " return case when false then id end",
            "create table {schema}.{name} (id bigint not null mask {schema}.{name}_mask,"
            " constraint {name}_key primary key (id) rely) using delta",
            "insert into {schema}.{name} values (1), (2)",
        ),
        joined,
    ),
    Probe(
        "merge_into_a_protected_table",
        "merge into {schema}.{name} as t using {schema}.{name}_new as s on t.id <=> s.id"
        " when matched then update set day = s.day"
        " when not matched then insert (id, day) values (s.id, s.day)",
        (
            *_PROTECTED,
            "create table {schema}.{name}_new using delta as"
            " select cast(2 as bigint) as id, cast(1 as bigint) as day",
        ),
    ),
    Probe(
        "overwrite_of_a_protected_table",
        "insert overwrite table {schema}.{name} by name"
        " select cast(1 as bigint) as day, cast(2 as bigint) as id",
        _PROTECTED,
    ),
    Probe(
        "replace_on_a_protected_table",
        "insert into table {schema}.{name} as t replace on (t.id <=> s.id)"
        " (select cast(1 as bigint) as id, cast(2 as bigint) as day) as s",
        _PROTECTED,
    ),
    Probe(
        "function_replaced_while_it_protects",
        _FUNCTIONS[0].replace("create function", "create or replace function"),
        _PROTECTED,
    ),
    Probe(
        "function_dropped_while_it_protects",
        "drop function {schema}.{name}_mask",
        _PROTECTED,
    ),
    Probe(
        "policies_after_a_rename",
        _POLICIES.replace("{of}", "{name}_renamed"),
        (*_PROTECTED, "alter table {schema}.{name} rename to {schema}.{name}_renamed"),
        joined,
    ),
    Probe(
        "policies_after_create_or_replace",
        _ON_TABLE,
        (
            *_PROTECTED,
            "create or replace table {schema}.{name} (id bigint, day bigint) using delta",
        ),
        joined,
    ),
    Probe("grants_are_listed", _GRANTS, _GRANTED, joined),
    Probe(
        "grants_after_create_or_replace",
        _GRANTS,
        (*_GRANTED, "create or replace table {schema}.{name} (day bigint) using delta"),
        joined,
    ),
    Probe(
        "one_commit_each",
        "describe history {schema}.{name}",
        (
            "create table {schema}.{name} (id bigint, day bigint) using delta",
            "insert into {schema}.{name} by name select cast(1 as bigint) as id,"
            " cast(1 as bigint) as day",
            "merge into {schema}.{name} as t using {schema}.{name} as s on t.id <=> s.id"
            " when matched then update set day = s.day",
            "insert into table {schema}.{name} as t replace on (t.id <=> s.id)"
            " (select cast(1 as bigint) as id, cast(2 as bigint) as day) as s",
            "insert overwrite table {schema}.{name} by name select * from {schema}.{name}",
        ),
        joined,
        "operation",
    ),
    Probe(
        "describe_as_json",
        "describe table extended {schema}.{name} as json",
        (
            *_FUNCTIONS,
            "create table {schema}.{name} (id bigint not null mask {schema}.{name}_mask,"
            " day bigint comment 'day', constraint {name}_key primary key (id)) using delta"
            " with row filter {schema}.{name}_filter on (day) cluster by (day) comment 'orders'"
            " tblproperties ('quality' = 'gold')",
        ),
        described,
    ),
    Probe(
        "mask_of_a_missing_function",
        "alter table {schema}.{name} alter column id set mask {schema}.{name}_none",
        _GRANTED[:1],
    ),
    Probe(
        "mask_with_too_few_columns",
        "alter table {schema}.{name} alter column id set mask {schema}.{name}_mask",
        (
            _GRANTED[0],
            "create function {schema}.{name}_mask(id bigint, other bigint) returns bigint"
            " return id",
        ),
    ),
    Probe(
        "mask_that_uses_its_own_column",
        "alter table {schema}.{name} alter column id set mask {schema}.{name}_mask"
        " using columns (id)",
        (
            _GRANTED[0],
            "create function {schema}.{name}_mask(id bigint, other bigint) returns bigint"
            " return id",
        ),
    ),
    Probe(
        "filter_of_a_missing_function",
        "alter table {schema}.{name} set row filter {schema}.{name}_none on (id)",
        _GRANTED[:1],
    ),
    Probe(
        "filter_with_too_few_columns",
        "alter table {schema}.{name} set row filter {schema}.{name}_filter on (id)",
        (
            _GRANTED[0],
            "create function {schema}.{name}_filter(id bigint, other bigint) returns boolean"
            " return true",
        ),
    ),
    Probe(
        "filter_of_one_column_twice",
        "alter table {schema}.{name} set row filter {schema}.{name}_filter on (id, id)",
        (
            _GRANTED[0],
            "create function {schema}.{name}_filter(id bigint, other bigint) returns boolean"
            " return true",
        ),
    ),
    Probe(
        "time_travel_of_a_protected_table",
        "select count(*) from {schema}.{name} version as of 1",
        _PROTECTED,
    ),
    Probe(
        "materialized_view",
        "create materialized view {schema}.{name} as select 1 as id",
    ),
    Probe(
        "audit_columns",
        "select event_id, event_time, event_date, user_identity.email, service_name, action_name,"
        " source_ip_address, request_params, response.status_code, response.error_message"
        " from system.access.audit where event_date > current_date() limit 0",
        absent=_NO_SYSTEM_TABLES,
    ),
    Probe(
        "lineage_columns",
        "select created_by, source_table_full_name, entity_type, event_date, event_time"
        " from system.access.table_lineage where event_date > current_date() limit 0",
        absent=_NO_SYSTEM_TABLES,
    ),
)
# What a workspace is, which no code depends on: compared with nothing.
FACTS: Final = {
    "runtime": "select coalesce(current_version().dbr_version, current_version().dbsql_version)",
    "pipeline_group": "select is_account_group_member('ecommerce_pipeline')",
    "predictive_optimization": "describe schema extended {schema}",
}
