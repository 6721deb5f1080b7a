"""The targets of profiles.yml: where dbt can build."""

from __future__ import annotations

import os
from typing import Final

from project.home import CHECKOUT
from project.yml import read_yml

CATALOG_VARIABLE: Final = "BUNDLE_VAR_catalog"
"""Variable of the environment by which the bundle, dbt and all commands take another catalog."""


def databricks_targets() -> tuple[str, ...]:
    """Return the names of the targets on Databricks, in the order of profiles.yml."""
    content = read_yml(CHECKOUT / "profiles.yml")
    outputs = content["ecommerce_analytics"]["outputs"]
    return tuple(name for name, output in outputs.items() if output["type"] == "databricks")


def catalog_of_target(target: str) -> str:
    """Return the name of the catalog of a target on Databricks."""
    return os.environ.get(CATALOG_VARIABLE) or f"ecommerce_analytics_{target}"
