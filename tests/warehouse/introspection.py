"""Results of SHOW, DESCRIBE and information_schema, as Arrow tables built from the ledger.

Column names are those that dbt-databricks reads, which differ from the documentation in
column_masks and row_filters.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql.types import ArrayType, DataType, DecimalType, MapType, StructType

from .errors import WarehouseError, not_found
from .ledger import Key, Ledger, Principal, Relation, ancestors
from .policies import sees
from .sql_text import quote

Row = Sequence[Any]
_TIME = pa.timestamp("us", tz="UTC")
_JSON_NAMES = {
    "timestamp": "timestamp_ltz",
    "integer": "int",
    "long": "bigint",
    "short": "smallint",
    "byte": "tinyint",
}


def table(rows: Iterable[Row], *columns: str) -> pa.Table:
    """Return rows as Arrow; a column is 'name' (text) or 'name:int', 'name:time', 'name:bool'."""
    types = {"": pa.string(), "int": pa.int32(), "time": _TIME, "bool": pa.bool_()}
    fields = [(name, types[kind]) for name, _, kind in (c.partition(":") for c in columns)]
    values = list(zip(*rows, strict=True)) or [()] * len(fields)
    arrays = [pa.array(v, kind) for v, (_, kind) in zip(values, fields, strict=True)]
    return pa.table(arrays, schema=pa.schema(fields))


def _time(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC)


def _dotted(parts: Iterable[str]) -> str:
    return ".".join(parts)


def _provider(relation: Relation) -> str:
    return "" if relation.is_view else "DELTA"


def _tables(relations: list[Relation], ledger: Ledger) -> pa.Table:
    return table(
        [
            (
                *(*r.key, r.kind, _provider(r) or None, r.owner, r.comment),
                *(_time(r.created), _time(r.altered), r.owner),
            )
            for r in relations
        ],
        *("table_catalog", "table_schema", "table_name", "table_type", "data_source_format"),
        *("table_owner", "comment", "created:time", "last_altered:time", "created_by"),
    )


def _columns(relations: list[Relation], ledger: Ledger) -> pa.Table:
    return table(
        [
            (
                *(*r.key, c.name, i, "YES" if c.nullable else "NO"),
                *(c.type_text.upper(), c.type_text, c.comment),
            )
            for r in relations
            for i, c in enumerate(r.columns)
        ],
        *("table_catalog", "table_schema", "table_name", "column_name", "ordinal_position:int"),
        *("is_nullable", "data_type", "full_data_type", "comment"),
    )


def _views(relations: list[Relation], ledger: Ledger) -> pa.Table:
    return table(
        [
            (*r.key, r.text, "NONE", "NO", r.kind == "MATERIALIZED_VIEW")
            for r in relations
            if r.text and r.kind != "STREAMING_TABLE"
        ],
        *("table_catalog", "table_schema", "table_name", "view_definition", "check_option"),
        *("is_updatable", "is_materialized:bool"),
    )


def _table_tags(relations: list[Relation], ledger: Ledger) -> pa.Table:
    return table(
        [(*r.key, k, v) for r in relations for k, v in r.tags.items()],
        *("catalog_name", "schema_name", "table_name", "tag_name", "tag_value"),
    )


def _column_tags(relations: list[Relation], ledger: Ledger) -> pa.Table:
    return table(
        [(*r.key, c.name, k, v) for r in relations for c in r.columns for k, v in c.tags.items()],
        *("catalog_name", "schema_name", "table_name", "column_name", "tag_name", "tag_value"),
    )


def _column_masks(relations: list[Relation], ledger: Ledger) -> pa.Table:
    return table(
        [
            (*r.key, c.name, _dotted(c.mask.function), ", ".join(c.mask.columns) or None)
            for r in relations
            for c in r.columns
            if c.mask
        ],
        *("table_catalog", "table_schema", "table_name", "column_name", "mask_name"),
        "using_columns",
    )


def _row_filters(relations: list[Relation], ledger: Ledger) -> pa.Table:
    return table(
        [
            (*r.key, _dotted(r.row_filter.function), ", ".join(r.row_filter.columns))
            for r in relations
            if r.row_filter
        ],
        *("table_catalog", "table_schema", "table_name", "filter_name", "target_columns"),
    )


def _table_constraints(relations: list[Relation], ledger: Ledger) -> pa.Table:
    return table(
        [
            (*r.key[:2], c.name, *r.key, c.kind, "YES" if c.kind == "CHECK" else "NO")
            for r in relations
            for c in r.constraints
        ],
        *("constraint_catalog", "constraint_schema", "constraint_name", "table_catalog"),
        *("table_schema", "table_name", "constraint_type", "enforced"),
    )


def _check_constraints(relations: list[Relation], ledger: Ledger) -> pa.Table:
    return table(
        [
            (*r.key[:2], c.name, c.expression)
            for r in relations
            for c in r.constraints
            if c.kind == "CHECK"
        ],
        *("constraint_catalog", "constraint_schema", "constraint_name", "check_clause"),
    )


def _key_column_usage(relations: list[Relation], ledger: Ledger) -> pa.Table:
    return table(
        [
            (*r.key[:2], c.name, *r.key, column, i, i if c.kind == "FOREIGN KEY" else None)
            for r in relations
            for c in r.constraints
            for i, column in enumerate(c.columns, start=1)
        ],
        *("constraint_catalog", "constraint_schema", "constraint_name", "table_catalog"),
        *("table_schema", "table_name", "column_name", "ordinal_position:int"),
        "position_in_unique_constraint:int",
    )


def _referential_constraints(relations: list[Relation], ledger: Ledger) -> pa.Table:
    rows = []
    for relation in relations:
        for constraint in relation.constraints:
            if constraint.kind == "FOREIGN KEY":
                parent = ledger.relations.get(constraint.parent)
                keys = (
                    [c.name for c in parent.constraints if c.kind == "PRIMARY KEY"]
                    if parent
                    else []
                )
                rows.append(
                    (
                        *(*relation.key[:2], constraint.name, *constraint.parent[:2]),
                        *(keys[0] if keys else None, "FULL", "NO ACTION", "NO ACTION"),
                    )
                )
    return table(
        rows,
        *("constraint_catalog", "constraint_schema", "constraint_name"),
        *("unique_constraint_catalog", "unique_constraint_schema", "unique_constraint_name"),
        *("match_option", "update_rule", "delete_rule"),
    )


_OF_RELATIONS: dict[str, Callable[[list[Relation], Ledger], pa.Table]] = {
    "tables": _tables,
    "columns": _columns,
    "views": _views,
    "table_tags": _table_tags,
    "column_tags": _column_tags,
    "column_masks": _column_masks,
    "row_filters": _row_filters,
    "table_constraints": _table_constraints,
    "check_constraints": _check_constraints,
    "key_column_usage": _key_column_usage,
    "referential_constraints": _referential_constraints,
}


def privileges_on(ledger: Ledger, kind: str, key: Key) -> list[tuple[str, str, str, Key]]:
    """Return (grantee, privilege, kind, key) for all privileges on an object, even inherited ones.

    `kind` and `key` of a row name the object of the grant.
    """
    return [
        (grantee, privilege, on, name)
        for on, name in ancestors(kind, key)
        for grantee, privilege in sorted(ledger.grants_on(on, name))
    ]


_PRIVILEGE_TABLES = {
    "table_privileges": ("TABLE", ("table_catalog", "table_schema", "table_name")),
    "schema_privileges": ("SCHEMA", ("catalog_name", "schema_name")),
    "catalog_privileges": ("CATALOG", ("catalog_name",)),
    "volume_privileges": ("VOLUME", ("volume_catalog", "volume_schema", "volume_name")),
    "routine_privileges": (
        "FUNCTION",
        (
            *("specific_catalog", "specific_schema", "specific_name"),
            *("routine_catalog", "routine_schema", "routine_name"),
        ),
    ),
    "external_location_privileges": ("EXTERNAL LOCATION", ("external_location_name",)),
}


def information_schema(ledger: Ledger, principal: Principal, catalog: str, name: str) -> pa.Table:
    """Return one table of a catalog's information_schema; `system` covers all catalogs."""

    def of_catalog(key: Key) -> bool:
        return catalog in ("system", key[0])

    with ledger.lock:
        if catalog != "system" and (catalog,) not in ledger.catalogs:
            raise not_found("catalog", quote([catalog]))
        if name in _OF_RELATIONS:
            relations = [
                r
                for k, r in sorted(ledger.relations.items())
                if of_catalog(k) and sees(ledger, principal, "TABLE", k)
            ]
            return _OF_RELATIONS[name](relations, ledger)
        if name in _PRIVILEGE_TABLES:
            kind, columns = _PRIVILEGE_TABLES[name]
            held: Iterable[Key] = ledger.relations if kind == "TABLE" else ledger.functions
            if kind not in ("TABLE", "FUNCTION"):
                held = ledger.containers(kind)
            rows = [
                (
                    *(ledger.owner(on, at), grantee, *(key * 2 if kind == "FUNCTION" else key)),
                    *(privilege.replace(" ", "_"), "NO", "NONE" if on == kind else on),
                )
                for key in sorted(held)
                if (of_catalog(key) or kind == "EXTERNAL LOCATION")
                and sees(ledger, principal, kind, key)
                for grantee, privilege, on, at in privileges_on(ledger, kind, key)
            ]
            return table(
                rows,
                "grantor",
                "grantee",
                *columns,
                "privilege_type",
                "is_grantable",
                "inherited_from",
            )
        if name == "schemata":
            return table(
                [
                    (*k, s.owner, s.comment)
                    for k, s in sorted(ledger.schemas.items())
                    if of_catalog(k) and sees(ledger, principal, "SCHEMA", k)
                ],
                *("catalog_name", "schema_name", "schema_owner", "comment"),
            )
        if name == "catalogs":
            return table(
                [(*k, c.owner, c.comment) for k, c in sorted(ledger.catalogs.items())],
                *("catalog_name", "catalog_owner", "comment"),
            )
        if name == "volumes":
            return table(
                [
                    (*k, v.kind, v.owner, v.comment)
                    for k, v in sorted(ledger.volumes.items())
                    if of_catalog(k)
                ],
                *("volume_catalog", "volume_schema", "volume_name", "volume_type", "volume_owner"),
                "comment",
            )
        if name == "routines":
            return table(
                [
                    (*k, *k, f.owner, "FUNCTION", f.returns.upper(), "SQL", f.body, f.comment)
                    for k, f in sorted(ledger.functions.items())
                    if of_catalog(k) and sees(ledger, principal, "FUNCTION", k)
                ],
                *("specific_catalog", "specific_schema", "specific_name", "routine_catalog"),
                *("routine_schema", "routine_name", "routine_owner", "routine_type", "data_type"),
                *("routine_body", "routine_definition", "comment"),
            )
        if name == "parameters":
            return table(
                [
                    (*k, p, i, kind.upper())
                    for k, f in sorted(ledger.functions.items())
                    if of_catalog(k)
                    for i, (p, kind) in enumerate(f.parameters)
                ],
                *("specific_catalog", "specific_schema", "specific_name", "parameter_name"),
                *("ordinal_position:int", "data_type"),
            )
        if name in ("schema_tags", "catalog_tags", "volume_tags"):
            kind = name.removesuffix("_tags").upper()
            names = {
                "SCHEMA": ("catalog_name", "schema_name"),
                "CATALOG": ("catalog_name",),
                "VOLUME": ("catalog_name", "schema_name", "volume_name"),
            }[kind]
            return table(
                [
                    (*k, tag, value)
                    for k, c in sorted(ledger.containers(kind).items())
                    if of_catalog(k)
                    for tag, value in c.tags.items()
                ],
                *(*names, "tag_name", "tag_value"),
            )
    raise WarehouseError(
        "TABLE_OR_VIEW_NOT_FOUND",
        f"information_schema.{name} is not supported by the double.",
        "42P01",
    )


def properties(relation: Relation) -> dict[str, str]:
    """Return the result of SHOW TBLPROPERTIES."""
    found = dict(relation.properties)
    if not relation.is_view:
        found = {"delta.minReaderVersion": "1", "delta.minWriterVersion": "2", **found}
        for constraint in relation.constraints:
            if constraint.kind == "CHECK":
                found[f"delta.constraints.{constraint.name}"] = constraint.expression
    if relation.cluster_auto:
        found["clusterByAuto"] = "true"
    if relation.cluster_by:
        found["clusteringColumns"] = json.dumps(
            [[c] for c in relation.cluster_by], separators=(",", ":")
        )
    return found


def describe(relation: Relation, extended: bool) -> pa.Table:
    """Return the result of DESCRIBE TABLE [EXTENDED]."""
    rows: list[Row] = [(c.name, c.type_text, c.comment) for c in relation.columns]
    if relation.partitioned_by:
        rows += [("# Partition Information", "", ""), ("# col_name", "data_type", "comment")]
        rows += [(n, relation.column(n).type_text, None) for n in relation.partitioned_by]
    if extended:
        facts = {
            "Catalog": relation.key[0],
            "Database": relation.key[1],
            "Table": relation.key[2],
            "Owner": relation.owner,
            "Created Time": _time(relation.created).isoformat(),
            "Type": relation.kind,
            "Provider": _provider(relation).lower(),
            "Comment": relation.comment,
            "View Text": relation.text,
            "Refresh Schedule": relation.schedule,
            "Table Properties": "["
            + ",".join(f"{k}={v}" for k, v in sorted(properties(relation).items()))
            + "]",
        }
        rows += [("", "", ""), ("# Detailed Table Information", "", "")]
        rows += [(name, fact, "") for name, fact in facts.items() if fact]
        if keys := [c for c in relation.constraints if c.kind != "CHECK"]:
            rows += [("", "", ""), ("# Constraints", "", "")]
            rows += [(c.name, _key_text(c), "") for c in keys]
    return table(rows, "col_name", "data_type", "comment")


def history(relation: Relation) -> pa.Table:
    """Return the result of DESCRIBE HISTORY, newest first, without times and metrics."""
    commits = list(enumerate(relation.history))
    return table(reversed(commits), "version:int", "operation")


def _key_text(constraint: Any) -> str:
    text = f"{constraint.kind} ({', '.join(quote([c]) for c in constraint.columns)})"
    if constraint.kind == "FOREIGN KEY":
        columns = ", ".join(quote([c]) for c in constraint.parent_columns)
        text += f" REFERENCES {quote(constraint.parent)} ({columns})"
    return text + (" RELY" if constraint.rely else "")


def json_type(kind: DataType) -> dict[str, Any]:
    """Return a type as DESCRIBE ... AS JSON spells it."""
    if isinstance(kind, StructType):
        fields = [
            {"name": f.name, "type": json_type(f.dataType), "nullable": f.nullable}
            for f in kind.fields
        ]
        return {"name": "struct", "fields": fields}
    if isinstance(kind, ArrayType):
        return {
            "name": "array",
            "element_type": json_type(kind.elementType),
            "element_nullable": True,
        }
    if isinstance(kind, MapType):
        return {
            "name": "map",
            "key_type": json_type(kind.keyType),
            "value_type": json_type(kind.valueType),
            "value_nullable": True,
        }
    if isinstance(kind, DecimalType):
        return {"name": "decimal", "precision": kind.precision, "scale": kind.scale}
    return {"name": _JSON_NAMES.get(kind.typeName(), kind.typeName())}


def describe_json(relation: Relation) -> pa.Table:
    """Return the result of DESCRIBE TABLE EXTENDED ... AS JSON: one row with one text."""

    def function(key: Key) -> dict[str, str]:
        return dict(zip(("catalog_name", "schema_name", "function_name"), key, strict=True))

    found: dict[str, Any] = {
        "table_name": relation.key[2],
        "catalog_name": relation.key[0],
        "schema_name": relation.key[1],
        "namespace": [relation.key[1]],
        "type": relation.kind,
        "provider": _provider(relation).lower(),
        "owner": relation.owner,
        "table_properties": properties(relation),
        "columns": [
            {"name": c.name, "type": json_type(c.type), "nullable": c.nullable}
            | ({"comment": c.comment} if c.comment else {})
            for c in relation.columns
        ],
    }
    if relation.comment:
        found["comment"] = relation.comment
    if relation.text:
        found["view_text"] = relation.text
    if relation.row_filter:
        found["row_filter"] = {
            "function_name": function(relation.row_filter.function),
            "column_names": list(relation.row_filter.columns),
        }
    masks = [
        {
            "column_name": c.name,
            "function_name": function(c.mask.function),
            "using_column_names": list(c.mask.columns),
        }
        for c in relation.columns
        if c.mask
    ]
    if masks:
        found["column_masks"] = masks
    if keys := [f"({c.name},{_key_text(c)})" for c in relation.constraints if c.kind != "CHECK"]:
        found["table_constraints"] = f"[{', '.join(keys)}]"
    return table([(json.dumps(found),)], "json_metadata")


def table_extended(relations: list[Relation]) -> pa.Table:
    """Return the result of SHOW TABLE EXTENDED."""
    rows = []
    for relation in relations:
        lines = [
            f"Catalog: {relation.key[0]}",
            f"Database: {relation.key[1]}",
            f"Table: {relation.key[2]}",
            f"Owner: {relation.owner}",
            f"Type: {relation.kind}",
            f"Provider: {_provider(relation).lower()}",
            *([f"Comment: {relation.comment}"] if relation.comment else []),
            "Schema: root",
            *(
                f" |-- {c.name}: {c.type_text} (nullable = {str(c.nullable).lower()})"
                for c in relation.columns
            ),
        ]
        rows.append((relation.key[1], relation.key[2], False, "\n".join(lines) + "\n"))
    return table(rows, "database", "tableName", "isTemporary:bool", "information")
