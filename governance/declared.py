"""What the checkout declares: policies and table grants by dbt, the other grants by the bundle."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from governance import state
from governance.state import Item, State
from project.errors import UserError

Config: TypeAlias = Mapping[str, Any]

# Kinds of the bundle whose grants information_schema of the catalog shows, and the path of a name.
_PATHS: Final = {
    "catalogs": ("name",),
    "schemas": ("name",),
    "volumes": ("schema_name", "name"),
}
_REFERENCE: Final = re.compile(r"\$\{(bundle|var)\.(\w+)\}")


def read_manifest(path: Path, target: str) -> Config:
    """Read the manifest that dbt wrote for a target; UserError says how to make one."""
    try:
        manifest: Config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: no readable dbt manifest ({error}); make one with `dbt parse --target"
            f" {target}`, or name one with --manifest"
        ) from error
    return manifest


def of_manifest(manifest: Config, catalog: str) -> Iterator[tuple[Item, str]]:
    """Return what each model and snapshot declares; UserError if it is of another catalog.

    Disabled nodes are not among `nodes`; ephemeral ones are no relations, and a view has no masks.
    """
    for node in manifest["nodes"].values():
        config = node["config"]
        if (
            node["resource_type"] not in ("model", "snapshot", "seed")
            or config["materialized"] == "ephemeral"
        ):
            continue
        if node["database"].lower() != catalog:
            raise UserError(
                f"the manifest is made for catalog {node['database']}, not for {catalog}; run"
                " `dbt parse` with the --target that is checked"
            )
        table = f"{node['schema']}.{node['alias']}"
        for privilege, principals in (config.get("grants") or {}).items():
            for principal in [principals] if isinstance(principals, str) else principals:
                yield state.grant(f"table {table}", principal, privilege)
        if config["materialized"] != "view":
            yield from _policies(node, table)


def _policies(node: Config, table: str) -> Iterator[tuple[Item, str]]:
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


def _qualified(function: str, node: Config) -> str:
    """Return the full name, as dbt-databricks makes it: a short one is in the model's schema."""
    return function if "." in function else f"{node['database']}.{node['schema']}.{function}"


def read_bundle(folder: Path, target: str) -> Config:
    """Return the bundle's catalogs, schemas and volumes for a target, variables put in.

    A value of the target wins over the bundle's, mapping by mapping, and lists of grants add up,
    as the Databricks CLI has it. Raises UserError if a file cannot be read.
    """
    root = _read(folder / "databricks.yml")
    files = [root] + [
        _read(path) for pattern in root.get("include", []) for path in sorted(folder.glob(pattern))
    ]
    variables: dict[str, Any] = {"bundle.target": target, "bundle.name": root["bundle"]["name"]}
    resources: dict[str, Any] = {}
    for content in files:
        chosen = (content.get("targets") or {}).get(target) or {}
        for name, variable in (content.get("variables") or {}).items():
            variables.setdefault(f"var.{name}", variable.get("default"))
        for name, value in (chosen.get("variables") or {}).items():
            variables[f"var.{name}"] = value
        for part in (content, chosen):
            resources = _merged(resources, part.get("resources") or {})
    resolved: Config = _resolved({kind: resources.get(kind, {}) for kind in _PATHS}, variables)
    return resolved


def _read(path: Path) -> Config:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: no readable part of the bundle: {reason}") from error
    return content if isinstance(content, dict) else {}


def _merged(base: Any, other: Any) -> Any:
    if isinstance(base, dict) and isinstance(other, dict):
        return base | {k: _merged(base[k], v) if k in base else v for k, v in other.items()}
    return [*base, *other] if isinstance(base, list) and isinstance(other, list) else other


def _resolved(value: Any, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, variables) for item in value]
    if not isinstance(value, str):
        return value
    replaced = _REFERENCE.sub(
        lambda match: str(variables.get(f"{match[1]}.{match[2]}", match[0])), value
    )
    return value if replaced == value else _resolved(replaced, variables)


def catalog_of(bundle: Config) -> str:
    """Return the name of the one catalog that the bundle deploys."""
    names = {resource["name"] for resource in bundle["catalogs"].values()}
    if len(names) != 1:
        raise UserError(
            f"resources/: the target has {len(names)} catalogs, not one; its grants cannot be told"
        )
    return str(names.pop()).lower()


def of_bundle(bundle: Config) -> Iterator[tuple[Item, str]]:
    """Return the grants on the catalog and on its schemas and volumes."""
    for kind, path in _PATHS.items():
        for resource in bundle[kind].values():
            place = f"{kind.removesuffix('s')} {'.'.join(resource[part] for part in path)}"
            for entry in resource.get("grants", []):
                for privilege in entry["privileges"]:
                    yield state.grant(place, entry["principal"], privilege)


def declared(manifest: Config, bundle: Config) -> State:
    """Return all that should be in force in the target's catalog."""
    return dict([*of_manifest(manifest, catalog_of(bundle)), *of_bundle(bundle)])
