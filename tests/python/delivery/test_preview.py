"""The preview of a pull request builds only changed models, beside the tables of main."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from project.home import CHECKOUT
from support.platform_runs import Home

pytestmark = pytest.mark.slow

PREFIX = "pr_7_"
# Follows from all that reads tables which each build prepares for its own files.
EVENTS = "events_quarantined,state:modified+"


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The tables of main, and its manifest in the folder `main`."""
    home = Home(tmp_path_factory.mktemp("home"))
    home.load_generated(events=2000, days=3)
    home.dbt("run", "--write-json")
    (home.folder / "main").mkdir()
    shutil.copy(home.folder / "target" / "manifest.json", home.folder / "main")
    return home


@pytest.mark.parametrize(
    ("model", "built"),
    [
        ("gold/daily_sales_summary", ["daily_sales_summary"]),
        ("silver/events_quarantined", ["events_quarantined", "events_cleaned", "source_files"]),
    ],
)
def test_a_preview_builds_changed_models_beside_the_others(
    model: str, built: list[str], main: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = main.query("select table_schema, table_name from information_schema.tables")
    branch = tmp_path / "branch"
    ignored = shutil.ignore_patterns(".*", "python", "__pycache__", "target", "logs")
    shutil.copytree(CHECKOUT, branch, ignore=ignored)
    changed = branch / "models" / f"{model}.sql"
    changed.write_text(f"-- changed\n{changed.read_text('utf-8')}", encoding="utf-8")
    monkeypatch.setenv("DBT_SCHEMA_PREFIX", PREFIX)
    project = ("--project-dir", str(branch), "--profiles-dir", str(branch))
    state = ("--state", str(main.folder / "main"))
    chosen = ("--resource-type", "model", "--select", EVENTS)
    # It writes what it has parsed, as in the workflow, and the build begins with that.
    listed = main.dbt("--quiet", "ls", *project, *state, *chosen, DBT_WRITE_JSON="true")
    events = listed.stdout.strip()
    more = ["+events_quarantined"] if events else []
    main.dbt("build", *project, "--select", "state:modified+", *more, "--defer", *state)

    after = main.query("select table_schema, table_name from information_schema.tables")
    new = [name for schema, name in set(after) - set(before) if schema.startswith(PREFIX)]
    assert {*built} <= {*new} == {name for _, name in set(after) - set(before)}
    assert ("customer_metrics" in new) == ("events_cleaned" in built)
    schema = model.replace("/", "_layer.")
    assert main.query(f"select count(*) from (from {PREFIX}{schema} except all from {schema})") == [
        (0,)
    ]


def test_the_workflow_selects_as_the_preview_above() -> None:
    workflow = (CHECKOUT / ".github" / "workflows" / "deploy.yml").read_text("utf-8")
    assert f"--resource-type model --select {EVENTS})" in workflow
    assert '--select state:modified+ ${events:+"+events_quarantined"}' in workflow
