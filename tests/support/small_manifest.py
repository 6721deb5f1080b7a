"""A manifest of a few nodes, as dbt writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def manifest(*nodes: Mapping[str, Any], **parts: Any) -> dict[str, Any]:
    """Return a manifest with these nodes; `parts` are others of its keys."""
    sources = {n["unique_id"]: dict(n) for n in nodes if n["resource_type"] == "source"}
    return {
        "metadata": {"project_name": "shop"},
        "nodes": {n["unique_id"]: dict(n) for n in nodes if n["resource_type"] != "source"},
        "sources": sources,
        "macros": {},
        "exposures": {},
        "groups": {},
        "metrics": {},
        "semantic_models": {},
        "unit_tests": {},
        **parts,
    }


def node(
    name: str,
    columns: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    reads: tuple[str, ...] = (),
    materialized: str = "table",
    resource_type: str = "model",
    layer: str = "silver",
    **parts: Any,
) -> dict[str, Any]:
    """Return a model, snapshot or source with the columns; `parts` are others of its keys."""
    meta = parts.pop("meta", {})
    return {
        "unique_id": f"{resource_type}.shop.{name}",
        "name": name,
        "resource_type": resource_type,
        "package_name": "shop",
        "schema": f"{layer}_layer",
        "language": "sql",
        "raw_code": f"select 1 as {name}",
        "description": f"One row per {name}. More.",
        "config": {"materialized": materialized, "meta": meta},
        "constraints": [],
        "depends_on": {"macros": [], "nodes": [f"model.shop.{parent}" for parent in reads]},
        "columns": {
            column: {
                "name": column,
                "description": f"The {column}.",
                "data_type": "bigint",
                "constraints": [],
                "config": {"meta": {}},
                **given,
            }
            for column, given in (columns or {}).items()
        },
        **parts,
    }
