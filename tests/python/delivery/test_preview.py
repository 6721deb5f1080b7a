"""The preview of a pull request builds only changed models, beside the tables of main."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from project.home import CHECKOUT
from support.platform_runs import Home

pytestmark = pytest.mark.slow

PREFIX = "pr_7_"


def test_a_preview_builds_changed_models_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.load_generated(events=2000, days=3)
    home.dbt("run", "--write-json")
    state = tmp_path / "main"
    state.mkdir()
    shutil.copy(tmp_path / "target" / "manifest.json", state)
    before = home.query("select table_schema, table_name from information_schema.tables")

    branch = tmp_path / "branch"
    ignored = shutil.ignore_patterns(".*", "python", "__pycache__", "target", "logs")
    shutil.copytree(CHECKOUT, branch, ignore=ignored)
    changed = branch / "models" / "gold" / "daily_sales_summary.sql"
    changed.write_text(f"-- changed\n{changed.read_text('utf-8')}", encoding="utf-8")
    monkeypatch.setenv("DBT_SCHEMA_PREFIX", PREFIX)
    home.dbt(
        *("build", "--project-dir", str(branch), "--profiles-dir", str(branch)),
        *("--select", "state:modified+", "--defer", "--state", str(state)),
    )

    after = home.query("select table_schema, table_name from information_schema.tables")
    assert set(after) - set(before) == {(f"{PREFIX}gold_layer", "daily_sales_summary")}
    assert home.query(
        f"select count(*) from (from {PREFIX}gold_layer.daily_sales_summary"
        " except all from gold_layer.daily_sales_summary)"
    ) == [(0,)]
