"""What the checkout declares: policies and table grants in dbt, other grants in the bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from governance import state
from governance.state import Item, State
from project.errors import UserError
from project.targets import CATALOG_VARIABLE
from workspace.bundle import Config, catalog_of

Manifest: TypeAlias = Mapping[str, Any]

# Kinds of resources whose grants the catalog's information_schema shows, and parts of their name.
_PATHS: Final = {
    "catalogs": ("name",),
    "schemas": ("name",),
    "volumes": ("schema_name", "name"),
}


def read_manifest(path: Path, target: str) -> Manifest:
    """Read the manifest that dbt wrote for a target; UserError says how to create one."""
    try:
        manifest: Manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: no readable dbt manifest ({error}); create one with `dbt parse --target"
            f" {target}`, or pass one with --manifest"
        ) from error
    return manifest


def of_manifest(manifest: Manifest, catalog: str) -> Iterator[tuple[Item, str]]:
    """Return what each model, snapshot and table of a source declares.

    Disabled nodes are not in `nodes`; ephemeral ones are not relations, and views have no masks. A
    source has the grants in its meta. UserError if a node is in another catalog.
    """
    for source in manifest["sources"].values():
        grants = source["config"]["meta"].get("grants", {})
        yield from _grants(f"{source['schema']}.{source['identifier']}", grants)
    for node in manifest["nodes"].values():
        config = node["config"]
        if (
            node["resource_type"] not in ("model", "snapshot", "seed")
            or config["materialized"] == "ephemeral"
        ):
            continue
        if node["database"].lower() != catalog:
            raise UserError(
                f"the manifest is for catalog {node['database']}, not for {catalog}; run"
                f" `dbt parse` with the --target to check, and with {CATALOG_VARIABLE}={catalog} if"
                " that is not the target's own catalog"
            )
        table = f"{node['schema']}.{node['alias']}"
        yield from _grants(table, config.get("grants") or {})
        if config["materialized"] != "view":
            yield from _policies(node, table)
    for function in manifest.get("functions", {}).values():
        yield from _of_function(function, manifest)


def _grants(table: str, grants: Mapping[str, Any]) -> Iterator[tuple[Item, str]]:
    for privilege, principals in grants.items():
        for principal in [principals] if isinstance(principals, str) else principals:
            yield state.grant(f"table {table}", principal, privilege)


def _policies(node: Manifest, table: str) -> Iterator[tuple[Item, str]]:
    if row_filter := node["config"].get("row_filter"):
        function, columns = _qualified(row_filter["function"], node), row_filter["columns"]
        columns = [columns] if isinstance(columns, str) else columns
        yield state.row_filter(table, function, columns)
    for name, column in node["columns"].items():
        if mask := column.get("column_mask"):
            using = [item for item in (mask.get("using_columns") or "").split(",") if item]
            yield state.mask(f"{table}.{name}", _qualified(mask["function"], node), using)
        for tag, value in (column.get("databricks_tags") or {}).items():
            yield state.tag(f"{table}.{name}", tag, str(value))


def _of_function(function: Manifest, manifest: Manifest) -> Iterator[tuple[Item, str]]:
    """Return the policies that call a function: one on each schema that has tagged columns."""
    meta = function["config"]["meta"]
    if meta.get("policies") != "attribute":
        return
    kind = "column_mask" if "column_mask_of" in meta else "row_filter"
    [(key, value)] = meta[f"{kind}_of"].items()
    name = f"{function['database']}.{function['schema']}.{function['alias']}"
    tagged = {
        node["schema"]
        for node in manifest["nodes"].values()
        if any(column.get("databricks_tags") for column in node["columns"].values())
    }
    for schema in tagged:
        yield state.policy(
            f"schema {schema}",
            function["alias"],
            kind,
            name,
            [f"has_tag_value('{key}', '{value}')"],
            ["account users"],
            ["ecommerce_pipeline"],
        )


def _qualified(function: str, node: Manifest) -> str:
    """Return the full name as dbt-databricks does: a short name is in the model's schema."""
    return function if "." in function else f"{node['database']}.{node['schema']}.{function}"


def of_bundle(bundle: Config) -> Iterator[tuple[Item, str]]:
    """Return the grants on the catalog and on its schemas and volumes."""
    for kind, path in _PATHS.items():
        for resource in bundle["resources"].get(kind, {}).values():
            place = f"{kind.removesuffix('s')} {'.'.join(resource[part] for part in path)}"
            for entry in resource.get("grants", []):
                for privilege in entry["privileges"]:
                    yield state.grant(place, entry["principal"], privilege)


def declared(manifest: Manifest, bundle: Config) -> State:
    """Return everything that should be in force in the target's catalog."""
    return dict([*of_manifest(manifest, catalog_of(bundle)), *of_bundle(bundle)])
