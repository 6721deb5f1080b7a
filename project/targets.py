"""The targets of profiles.yml: where dbt can build."""

from __future__ import annotations

from project.home import CHECKOUT
from project.yml import read_yml


def databricks_targets() -> tuple[str, ...]:
    """Return the names of the targets on Databricks, in the order of profiles.yml."""
    content = read_yml(CHECKOUT / "profiles.yml")
    outputs = content["ecommerce_analytics"]["outputs"]
    return tuple(name for name, output in outputs.items() if output["type"] == "databricks")
