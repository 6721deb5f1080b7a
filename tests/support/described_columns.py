"""Which columns of a table its yml describes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def columns_without_yml(
    node: Mapping[str, Any], nodes: Collection[Mapping[str, Any]], columns: Collection[str]
) -> set[str]:
    """Return columns of a node's table that are not in its yml, or in its yml and not there.

    A table with rows of another model, `row_of` in its meta, has the columns of the row described
    there.
    """
    described = set(node["columns"])
    if row_of := node["config"].get("meta", {}).get("row_of"):
        [model] = (other for other in nodes if other["name"] == row_of)
        described |= set(columns) & set(model["columns"])
    return described ^ set(columns)
