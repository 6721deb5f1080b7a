"""A run of dbt that asks no workspace anything reports what dbt says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from project.errors import UserError
from project.targets import CATALOG_VARIABLE, catalog_of_target, databricks_targets
from workspace.offline_dbt import run_offline


def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    said = r"^`dbt parse` failed: .*does not have a target named 'nowhere'.*; correct the project$"
    with pytest.raises(UserError, match=f"(?s){said}"):
        run_offline("nowhere", tmp_path, "parse")


def test_dbt_takes_the_catalog_that_the_commands_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def built_in(target: str, catalog: str = "") -> set[str]:
        run_offline(target, tmp_path, "parse", "--no-partial-parse", catalog=catalog)
        nodes = json.loads((tmp_path / "manifest.json").read_text("utf-8"))["nodes"]
        return {node["database"] for node in nodes.values()}

    assert catalog_of_target("prod") == "ecommerce_analytics_prod"
    monkeypatch.setenv(CATALOG_VARIABLE, "mine")
    assert {catalog_of_target(target) for target in databricks_targets()} == {"mine"}
    assert built_in("dev", "mine") == {"mine"}
    # What is written into the bundle has a variable in the place of the target's own catalog.
    assert built_in("prod") == {"ecommerce_analytics_prod"}
