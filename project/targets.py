"""The targets of profiles.yml: where dbt can build."""

from __future__ import annotations

import yaml

from project.home import CHECKOUT


def databricks_targets() -> tuple[str, ...]:
    """Return the names of the targets on Databricks, in the order of profiles.yml."""
    content = yaml.load((CHECKOUT / "profiles.yml").read_text("utf-8"), yaml.CSafeLoader)
    outputs = content["ecommerce_analytics"]["outputs"]
    return tuple(name for name, output in outputs.items() if output["type"] == "databricks")
