"""Resolves the Databricks bundle for a target: includes files, merges the target, sets variables.

The Databricks CLI does the same, but only with access to a workspace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from project.errors import UserError, reason
from project.yml import read_yml

Config: TypeAlias = dict[str, Any]

REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")
# Keys of the bundle that a target adds to or replaces.
_TARGET_KEYS: Final = ("resources", "permissions", "presets", "run_as", "workspace", "mode")


def read_bundle(folder: Path) -> Config:
    """Return databricks.yml merged with every file that it includes.

    Raises UserError if one of them cannot be read.
    """
    root = _read(folder / "databricks.yml")
    for pattern in root.get("include", []):
        for path in sorted(folder.glob(pattern)):
            root = merge(root, _read(path))
    return root


def _read(path: Path) -> Config:
    try:
        content = read_yml(path)
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path}: not a readable file of the bundle: {reason(error)}") from error
    return content if isinstance(content, dict) else {}


def merge(base: Any, override: Any) -> Any:
    """Merge as the CLI does: mappings by key, lists end to end, anything else replaced."""
    if isinstance(base, dict) and isinstance(override, dict):
        return base | {
            key: merge(base[key], value) if key in base else value
            for key, value in override.items()
        }
    if isinstance(base, list) and isinstance(override, list):
        return [*base, *override]
    return override


def deployed(root: Config, target: str, given: Mapping[str, Any] | None = None) -> Config:
    """Return the bundle as one target deploys it, without targets, variables and includes.

    `given` has values that are known at a deployment only, by the names in references, such as
    `var.deployer`. A variable that a workspace looks up is replaced by `<what it looks up>`.
    """
    chosen = root["targets"][target] or {}
    values = {
        "bundle.name": root["bundle"]["name"],
        "bundle.target": target,
        **_variables(root.get("variables") or {}, chosen.get("variables") or {}),
        **(given or {}),
    }
    merged = {
        key: value for key, value in root.items() if key not in ("targets", "variables", "include")
    }
    for key in _TARGET_KEYS:
        if key in chosen:
            merged[key] = merge(merged[key], chosen[key]) if key in merged else chosen[key]
    for key, volume in merged.get("resources", {}).get("volumes", {}).items():
        # A path has to be text here; other references between resources stay.
        values[f"resources.volumes.{key}.name"] = volume["name"]
    resolved: Config = _resolve(merged, values)
    return resolved


def _variables(declared: Config, overrides: Config) -> Config:
    """Return the value of each variable that has one, as `var.<name>`."""
    values = {}
    for name, variable in declared.items():
        override = overrides.get(name, {})
        known = variable | (override if isinstance(override, dict) else {"default": override})
        if "default" in known:
            values[f"var.{name}"] = known["default"]
        elif "lookup" in known:
            values[f"var.{name}"] = f"<{', '.join(known['lookup'].values())}>"
    return values


def _resolve(value: Any, values: Mapping[str, Any]) -> Any:
    """Replace references by their values; one without a value is left as it is."""
    if isinstance(value, dict):
        return {key: _resolve(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, values) for item in value]
    if not isinstance(value, str):
        return value
    whole = REFERENCE.fullmatch(value)
    if whole and whole[1] in values:
        return _resolve(values[whole[1]], values)
    replaced = REFERENCE.sub(lambda match: str(values.get(match[1], match[0])), value)
    return replaced if replaced == value else _resolve(replaced, values)


def catalog_of(bundle: Config) -> str:
    """Return the name of the one catalog of a bundle as a target deploys it."""
    names = {resource["name"] for resource in bundle["resources"].get("catalogs", {}).values()}
    if len(names) != 1:
        raise UserError(
            f"resources/: the target has {len(names)} catalogs, not one, so its grants are"
            " ambiguous"
        )
    return str(names.pop()).lower()
