"""The variables of dbt_project.yml, where every threshold and list has its one place."""

from __future__ import annotations

from typing import Any

import yaml

from project.home import CHECKOUT


def project_variables() -> dict[str, Any]:
    """Return the committed value of each variable by name."""
    content = yaml.safe_load((CHECKOUT / "dbt_project.yml").read_text(encoding="utf-8"))
    variables: dict[str, Any] = content["vars"]
    return variables
