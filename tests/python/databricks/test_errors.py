"""Errors of a run on Databricks name the cause, give an exit code, and change no table."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from project.home import CHECKOUT
from support.built_platform import built_platform
from support.databricks_runs import (
    CATALOG,
    PIPELINE,
    PIPELINE_GROUP,
    WITHOUT_TESTS,
    DatabricksHome,
    copy_project,
)
from support.platform_runs import HISTORY, Home
from warehouse.engine import folder_sql
from warehouse.server import Warehouse

pytestmark = pytest.mark.warehouse

RUN = ("run", "--select", "users_dim")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabricksHome]:
    with built_platform(tmp_path_factory.mktemp("errors")) as platform:
        yield platform.dev


def contents(warehouse: Warehouse) -> dict[str, list[str]]:
    """Return the rows of every table but the history of runs, as sorted text."""
    return {
        ".".join(key): rows(warehouse, relation.folder, warehouse.engine.versions(relation.folder))
        for key, relation in warehouse.ledger.relations.items()
        if not relation.is_view and key[-1] not in HISTORY
    }


@cache
def rows(warehouse: Warehouse, folder: str, versions: int) -> list[str]:
    """Return the rows of a Delta folder with a number of commits, which never change."""
    stored = warehouse.engine.query(f"select * from {folder_sql(folder)}")
    return sorted(map(str, stored.to_pylist()))


@contextmanager
def nothing_changes(databricks: DatabricksHome) -> Iterator[None]:
    before = contents(databricks.warehouse)
    yield
    assert contents(databricks.warehouse) == before


@pytest.mark.parametrize(
    ("target", "missing", "others"),
    [
        ("dev", "DATABRICKS_HOST", {}),
        ("staging", "DATABRICKS_HTTP_PATH", {}),
        ("prod", "DATABRICKS_TOKEN", {}),
        ("prod", "DATABRICKS_HOST", {"DATABRICKS_TOKEN": None, "DATABRICKS_CLIENT_ID": "id"}),
    ],
)
def test_a_missing_variable_is_named_in_one_line(
    tmp_path: Path, target: str, missing: str, others: dict[str, str | None]
) -> None:
    variables = {"DATABRICKS_HOST": "h", "DATABRICKS_HTTP_PATH": "p", "DATABRICKS_TOKEN": "t"}
    result = Home(tmp_path).dbt(
        "parse", "--target", target, expect=2, **{**variables, **others, missing: None}
    )
    assert f"Env var required but not provided: '{missing}'" in result.stdout.splitlines()[-1]


def test_oauth_needs_no_token(tmp_path: Path) -> None:
    """Parse a project without models: it has the profile, and takes a fraction of the time."""
    project = tmp_path / "dbt_project.yml"
    project.write_text("{name: empty, profile: ecommerce_analytics}", encoding="utf-8")
    Home(tmp_path).dbt(
        *("parse", "--target", "prod"),
        *("--project-dir", str(tmp_path), "--profiles-dir", str(CHECKOUT)),
        DATABRICKS_HOST="h",
        DATABRICKS_HTTP_PATH="p",
        DATABRICKS_CLIENT_ID="id",
        DATABRICKS_CLIENT_SECRET="x",
    )


def test_a_host_that_is_not_a_workspace(built: DatabricksHome) -> None:
    quiet = type("Quiet", (http.server.BaseHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        other = f"http://127.0.0.1:{server.server_address[1]}"
        with nothing_changes(built):
            result = built.dbt(*RUN, expect=2, connect_to=other, DATABRICKS_HOST=other)
        server.shutdown()
    assert other in result.stdout


def test_an_expired_token(built: DatabricksHome) -> None:
    warehouse = built.warehouse
    warehouse.expired.add(warehouse.token(PIPELINE))
    try:
        with nothing_changes(built):
            result = built.dbt(*RUN, expect=2)
    finally:
        warehouse.expired.clear()
    assert "Invalid access token" in result.stdout


def test_an_unknown_token(built: DatabricksHome) -> None:
    with nothing_changes(built):
        result = built.dbt(*RUN, expect=2, DATABRICKS_TOKEN="unknown-token")
    assert "Invalid access token" in result.stdout


def test_a_stopped_warehouse(built: DatabricksHome) -> None:
    built.warehouse.stopped = True
    try:
        with nothing_changes(built):
            result = built.dbt(*RUN, expect=2)
    finally:
        built.warehouse.stopped = False
    assert "is stopped and could not be started" in result.stdout


def test_a_principal_outside_the_pipeline_group(built: DatabricksHome) -> None:
    built.warehouse.add_principal("engineer", ["ecommerce_data_engineers"])
    with nothing_changes(built):
        result = built.dbt(*RUN, expect=2, DATABRICKS_TOKEN=built.warehouse.token("engineer"))
    assert re.search(r"engineer is not in the account group ecommerce_pipeline", result.stdout)
    assert "add the principal to it, then run again" in result.stdout


def test_another_time_zone(built: DatabricksHome, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = dict(built.warehouse.ledger.answers) | {"session_time_zone": "Europe/Berlin"}
    monkeypatch.setattr(built.warehouse.ledger, "answers", answers)
    with nothing_changes(built):
        result = built.dbt(*RUN, expect=2)
    assert "the time zone of the warehouse is Europe/Berlin" in result.stdout
    assert "set TIMEZONE to UTC" in result.stdout


def test_an_old_runtime(built: DatabricksHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(built.warehouse.ledger, "runtime", "16.4.x-scala2.12")
    with nothing_changes(built):
        result = built.dbt(*RUN, expect=2)
    assert "the runtime is 16.4.x-scala2.12, and the models need 17.1" in result.stdout


def test_a_workspace_that_refuses_what_the_project_believes(
    built: DatabricksHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a workspace's own answers, the double refuses as it does, and the tests are red."""
    answer = {"merge_into_a_protected_table": "refused: SOME_CLASS.OF_ERROR"}
    answers = dict(built.warehouse.ledger.answers) | answer
    monkeypatch.setattr(built.warehouse.ledger, "answers", answers)
    result = built.dbt("snapshot", "--select", "users_snapshot", expect=1)
    assert "[SOME_CLASS.OF_ERROR]" in result.stdout


def test_no_rights_on_the_catalog(built: DatabricksHome) -> None:
    warehouse = built.warehouse
    warehouse.add_principal("stranger", [PIPELINE_GROUP])
    warehouse.execute(f"revoke use catalog on catalog {CATALOG} from {PIPELINE_GROUP}")
    try:
        with nothing_changes(built):
            result = built.dbt(*RUN, expect=2, DATABRICKS_TOKEN=warehouse.token("stranger"))
    finally:
        warehouse.execute(f"grant use catalog on catalog {CATALOG} to {PIPELINE_GROUP}")
    assert "INSUFFICIENT_PERMISSIONS" in result.stdout
    assert f"USE CATALOG on Catalog '{CATALOG}'" in result.stdout


@pytest.fixture(scope="module")
def faulty(built: DatabricksHome, tmp_path_factory: pytest.TempPathFactory) -> DatabricksHome:
    """A project with a misspelt group, and a mart whose statement fails before it is granted."""
    folder = tmp_path_factory.mktemp("faulty")
    project = copy_project(
        folder,
        ("dbt_project.yml", "ecommerce_data_scientists", "ecommerce_data_scientist"),
        (
            "models/gold/customer_metrics.sql",
            "select * from customer_metrics",
            "select * from customer_metrics\nwhere cast(user_segment as bigint) > 0",
        ),
    )
    return DatabricksHome(folder, built.warehouse, project)


def test_a_missing_group(built: DatabricksHome, faulty: DatabricksHome) -> None:
    with nothing_changes(built):
        result = faulty.dbt(*RUN, expect=2)
    assert "Could not find principal with name ecommerce_data_scientist." in result.stdout


def test_a_statement_that_fails(built: DatabricksHome, faulty: DatabricksHome) -> None:
    with nothing_changes(built):
        result = faulty.dbt("build", *WITHOUT_TESTS, "--select", "customer_metrics", expect=1)
    assert "CAST_INVALID_INPUT" in result.stdout or "Cannot cast" in result.stdout
