"""A run of dbt that asks no workspace anything reports what dbt says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from project.errors import UserError
from project.home import CHECKOUT
from project.targets import CATALOG_VARIABLE, catalog_of_target, databricks_targets
from workspace.offline_dbt import run_offline


def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    said = r"^`dbt parse` failed: .*does not have a target named 'nowhere'.*; correct the project$"
    with pytest.raises(UserError, match=f"(?s){said}"):
        run_offline("nowhere", tmp_path, "parse")


def test_dbt_takes_the_catalog_that_the_commands_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of one model: parsing all of them for each target would take five times as long.
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "models" / "one.sql").write_text("select 1 as number", "utf-8")
    settings = yaml.safe_load((CHECKOUT / "dbt_project.yml").read_text("utf-8"))
    few = {name: settings[name] for name in ("name", "profile")}
    (project / "dbt_project.yml").write_text(yaml.safe_dump(few), "utf-8")
    places = ("--project-dir", str(project), "--profiles-dir", str(CHECKOUT))

    def built_in(target: str, catalog: str = "") -> set[str]:
        run_offline(target, tmp_path, "parse", "--no-partial-parse", *places, catalog=catalog)
        nodes = json.loads((tmp_path / "manifest.json").read_text("utf-8"))["nodes"]
        return {node["database"] for node in nodes.values()}

    assert catalog_of_target("prod") == "ecommerce_analytics_prod"
    monkeypatch.setenv(CATALOG_VARIABLE, "mine")
    assert {catalog_of_target(target) for target in databricks_targets()} == {"mine"}
    assert built_in("dev", "mine") == {"mine"}
    # What is written into the bundle has a variable in the place of the target's own catalog.
    assert built_in("prod") == {"ecommerce_analytics_prod"}
