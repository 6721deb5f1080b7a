"""`ecommerce governance check` finds drift, and reports when it cannot check."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ecommerce.cli import main
from governance import job, state
from governance.check import Finding, drift
from governance.declared import of_bundle, of_manifest
from governance.state import Item
from project.errors import UserError
from project.home import CHECKOUT
from project.targets import databricks_targets
from support.built_platform import DEPLOYER, built_platform
from support.databricks_runs import CATALOG, PIPELINE, DatabricksHome
from support.fork_server import start
from workspace.bundle import deployed, read_bundle

SILVER, GOLD = f"{CATALOG}.silver_layer", f"{CATALOG}.gold_layer"
CHECK = ("governance", "check")


# ---- comparison ----


@pytest.mark.parametrize(
    ("wanted", "other"),
    [
        (state.mask("s.t.c", "c.s.f"), state.mask("s.t.c", "c.s.g")),
        (state.mask("s.t.c", "c.s.f"), state.mask("s.t.c", "c.s.f", ["region"])),
        (state.row_filter("s.t", "c.s.f", ["a"]), state.row_filter("s.t", "c.s.f", ["a", "b"])),
        (state.tag("s.t.c", "personal", "true"), state.tag("s.t.c", "personal", "false")),
        (
            state.policy("schema s", "p", "column_mask", "c.s.f", ["has_tag('k')"], ["a"], ["b"]),
            state.policy("schema s", "p", "column_mask", "c.s.f", ["has_tag('k')"], ["a"]),
        ),
    ],
)
def test_a_value_is_missing_additional_or_different(
    wanted: tuple[Item, str], other: tuple[Item, str]
) -> None:
    (item, value), (same, changed) = wanted, other
    assert item == same
    both = {item: value}

    def finding(difference: Any, declared: str | None, live: str | None) -> list[Finding]:
        return [Finding(difference, item.kind, item.place, item.name, declared, live)]

    assert drift(both, both) == []
    assert drift(both, {}) == finding("missing", value, None)
    assert drift({}, both) == finding("additional", None, value)
    assert drift(both, {item: changed}) == finding("different", value, changed)


def test_each_privilege_and_principal_is_a_separate_grant() -> None:
    wanted = dict(
        [state.grant("table s.t", "a", "SELECT"), state.grant("table s.t", "b", "SELECT")]
    )
    live = dict([state.grant("table s.t", "a", "SELECT"), state.grant("table s.t", "b", "MODIFY")])
    assert [(f.difference, f.name) for f in drift(wanted, live)] == [
        ("additional", "MODIFY to b"),
        ("missing", "SELECT to b"),
    ]


def test_spelling_is_not_drift() -> None:
    wanted = dict(
        [
            state.grant("schema Gold", "Analysts", "use schema"),
            state.mask("S.T.C", "`C`.`S`.`F`", [" Region"]),
            state.tag("s.t.c", "Personal", "true"),
            state.policy(
                "schema S", "P", "row_filter", "`C`.s.f", ["has_tag_value('k', 'V')"], ["B", "a"]
            ),
        ]
    )
    live = dict(
        [
            state.grant("schema gold", "analysts", "USE_SCHEMA"),
            state.mask("s.t.c", "c.s.f", ["region"]),
            state.tag("S.T.C", "personal", "true"),
            state.policy(
                "schema s", "p", "row_filter", "c.s.f", ["hasTagValue('k','V')"], ["a", "b"]
            ),
        ]
    )
    assert drift(wanted, live) == []
    assert drift(wanted, live | dict([state.tag("s.t.c", "personal", "TRUE")])) != []


def test_a_grant_to_the_owner_is_never_drift() -> None:
    live = dict([state.grant("table s.t", "Owner", "SELECT", owner="owner")])
    assert drift({}, live) == []
    assert drift(dict([state.grant("table s.t", "owner", "SELECT")]), live) == []


def node(name: str, materialized: str = "incremental", kind: str = "model") -> dict[str, Any]:
    return {
        "resource_type": kind,
        "database": "Shop",
        "schema": "s",
        "alias": name,
        "config": {
            "materialized": materialized,
            "grants": {"select": ["a"]},
            "row_filter": {"function": "near", "columns": "segment"},
        },
        "columns": {
            "id": {
                "column_mask": {"function": "shop.p.hide", "using_columns": "x, y"},
                "databricks_tags": {"personal": "true"},
            },
            "plain": {},
        },
    }


def manifest(*nodes: dict[str, Any], sources: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"nodes": dict(enumerate(nodes)), "sources": dict(enumerate(sources))}


def test_models_and_snapshots_declare_the_same_way() -> None:
    for one in (node("t"), node("t", "snapshot", kind="snapshot")):
        assert dict(of_manifest(manifest(one), "shop")) == {
            Item("grant", "table s.t", "SELECT to a"): state.GRANTED,
            Item("row_filter", "table s.t"): "shop.s.near(segment)",
            Item("mask", "column s.t.id"): "shop.p.hide(x, y)",
            Item("tag", "column s.t.id", "personal"): "true",
        }


def test_views_declare_only_grants_and_ephemeral_models_and_tests_nothing() -> None:
    nodes = manifest(node("v", "view"), node("e", "ephemeral"), node("u", kind="test"))
    assert list(of_manifest(nodes, "shop")) == [state.grant("table s.v", "a", "select")]


def test_a_source_declares_the_grants_in_its_meta() -> None:
    granted = {"schema": "s", "identifier": "h", "config": {"meta": {"grants": {"select": ["a"]}}}}
    other = {"schema": "s", "identifier": "raw", "config": {"meta": {}}}
    nodes = manifest(sources=(granted, other))
    assert list(of_manifest(nodes, "shop")) == [state.grant("table s.h", "a", "select")]


def test_a_manifest_of_another_catalog_is_rejected() -> None:
    remedies = "--target to check, and with BUNDLE_VAR_catalog=shop_dev if that is not"
    with pytest.raises(UserError, match=f"catalog Shop, not for shop_dev; .*{remedies}"):
        dict(of_manifest(manifest(node("t")), "shop_dev"))


@pytest.mark.parametrize("target", databricks_targets())
def test_grants_of_the_bundle_are_those_that_it_deploys(target: str) -> None:
    bundle = deployed(read_bundle(CHECKOUT), target)
    resources = bundle["resources"]
    expected = [
        (f"{kind.removesuffix('s')} {name.format(**resource)}", entry["principal"], privilege)
        for kind, name in (
            ("catalogs", "{name}"),
            ("schemas", "{name}"),
            ("volumes", "{schema_name}.{name}"),
        )
        for resource in resources[kind].values()
        for entry in resource["grants"]
        for privilege in entry["privileges"]
    ]
    assert len(expected) > 20
    assert any(place == f"catalog ecommerce_analytics_{target}" for place, *_ in expected)
    wanted = dict(state.grant(*one) for one in expected)
    assert dict(of_bundle(bundle)) == wanted


# ---- against a warehouse ----


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabricksHome]:
    """A deployed and built target dev with a few rows."""
    with built_platform(tmp_path_factory.mktemp("check")) as platform:
        yield platform.dev


@pytest.fixture
def connected(dev: DatabricksHome, monkeypatch: pytest.MonkeyPatch) -> DatabricksHome:
    monkeypatch.setenv("DATABRICKS_HOST", dev.warehouse.host)
    monkeypatch.setenv("DATABRICKS_HTTP_PATH", dev.warehouse.http_path)
    monkeypatch.setenv("DATABRICKS_TOKEN", dev.warehouse.token(DEPLOYER))
    # Connections closed by the client would make the server's threads write to the same stderr.
    monkeypatch.setattr(ThreadingHTTPServer, "handle_error", lambda *_: None)
    return dev


def check(dev: DatabricksHome, *arguments: str) -> int:
    manifest = dev.folder / "target" / "manifest.json"
    return main([*CHECK, "--target", "dev", "--manifest", str(manifest), *arguments])


@pytest.mark.warehouse
def test_a_built_target_is_as_declared(
    connected: DatabricksHome, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(connected, "--output", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["findings"] == [] and report["declared"] > 100
    assert check(connected) == 0
    message = f"{CATALOG}: {report['declared']} declared, 0 different\n"
    assert capsys.readouterr().out == message


@pytest.mark.warehouse
def test_the_job_reads_what_is_declared_from_the_files(
    connected: DatabricksHome,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fork(command: list[str], *, env: dict[str, str], cwd: Path, **_: Any) -> Any:
        return start("dbt", command[3:], env, cwd).ends()

    # It parses as one of its own would, which test_offline_dbt.py starts, after fewer imports.
    forks = SimpleNamespace(run=fork, PIPE=subprocess.PIPE, STDOUT=subprocess.STDOUT)
    monkeypatch.setattr("workspace.offline_dbt.subprocess", forks)
    done, undone, expected = CHANGES["mask dropped"]
    connected.warehouse.execute(done)
    try:
        assert job.main(["--target", "dev", "--policies", "table"]) == 1
        assert capsys.readouterr().out.splitlines()[0] == expected
    finally:
        connected.warehouse.execute(undone)
    # Built with masks of tables, where the jobs would make policies by tags.
    assert job.main(["--target", "dev", "--policies", "attribute"]) == 1
    findings = {tuple(line.split()[:2]) for line in capsys.readouterr().out.splitlines()}
    assert findings >= {("missing", "policy"), ("additional", "mask")}


@pytest.mark.warehouse
def test_a_developer_checks_the_catalog_of_their_own(
    connected: DatabricksHome,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"nodes": {}, "sources": {}}', encoding="utf-8")
    command = [*CHECK, "--target", "dev", "--manifest", str(path)]
    assert "`mine`.information_schema" in refused(capsys, main([*command, "--catalog", "mine"]))
    monkeypatch.setenv("BUNDLE_VAR_catalog", "mine_too")
    assert "`mine_too`.information_schema" in refused(capsys, main(command))


MARKED = f"alter table {GOLD}.customer_metrics alter column user_id"
# A change by hand, the statement that undoes it, and the finding.
CHANGES = {
    "table grant revoked": (
        f"revoke select on table {SILVER}.sessions from ecommerce_data_scientists",
        f"grant select on table {SILVER}.sessions to ecommerce_data_scientists",
        "missing     grant SELECT to ecommerce_data_scientists on table silver_layer.sessions",
    ),
    "view granted": (
        f"grant select on table {SILVER}.events_staged to ecommerce_data_scientists",
        f"revoke select on table {SILVER}.events_staged from ecommerce_data_scientists",
        "additional  grant SELECT to ecommerce_data_scientists on table silver_layer.events_staged",
    ),
    "undeclared table granted": (
        f"grant select on table {CATALOG}.bronze_layer.events_raw to ecommerce_business_analysts",
        f"revoke select on table {CATALOG}.bronze_layer.events_raw"
        " from ecommerce_business_analysts",
        "additional  grant SELECT to ecommerce_business_analysts on table bronze_layer.events_raw",
    ),
    "schema granted": (
        f"grant select on schema {GOLD} to ecommerce_all_segments",
        f"revoke select on schema {GOLD} from ecommerce_all_segments",
        "additional  grant SELECT to ecommerce_all_segments on schema gold_layer",
    ),
    "catalog grant revoked": (
        f"revoke use catalog on catalog {CATALOG} from ecommerce_business_analysts",
        f"grant use catalog on catalog {CATALOG} to ecommerce_business_analysts",
        f"missing     grant USE_CATALOG to ecommerce_business_analysts on catalog {CATALOG}",
    ),
    "volume granted": (
        f"grant read volume on volume {CATALOG}.bronze_layer.raw_data to ecommerce_data_scientists",
        f"revoke read volume on volume {CATALOG}.bronze_layer.raw_data"
        " from ecommerce_data_scientists",
        "additional  grant READ_VOLUME to ecommerce_data_scientists"
        " on volume bronze_layer.raw_data",
    ),
    "mask dropped": (
        f"{MARKED} drop mask",
        f"{MARKED} set mask {SILVER}.mask_user_id",
        "missing     mask on column gold_layer.customer_metrics.user_id:"
        f" declared {SILVER}.mask_user_id()",
    ),
    "mask replaced": (
        f"{MARKED} set mask {SILVER}.open_door",
        f"{MARKED} set mask {SILVER}.mask_user_id",
        "different   mask on column gold_layer.customer_metrics.user_id:"
        f" declared {SILVER}.mask_user_id(), live {SILVER}.open_door()",
    ),
    "row filter dropped": (
        f"alter table {SILVER}.users_snapshot drop row filter",
        f"alter table {SILVER}.users_snapshot set row filter {SILVER}.sees_segment"
        " on (user_segment)",
        "missing     row_filter on table silver_layer.users_snapshot:"
        f" declared {SILVER}.sees_segment(user_segment)",
    ),
    "tag unset": (
        f"{MARKED} unset tags ('personal')",
        f"{MARKED} set tags ('personal' = 'user_id')",
        "missing     tag personal on column gold_layer.customer_metrics.user_id: declared user_id",
    ),
    "tag changed": (
        f"{MARKED} set tags ('personal' = 'no')",
        f"{MARKED} set tags ('personal' = 'user_id')",
        "different   tag personal on column gold_layer.customer_metrics.user_id:"
        " declared user_id, live no",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.warehouse
def test_a_change_by_hand_is_found(
    connected: DatabricksHome, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    warehouse = connected.warehouse
    warehouse.execute(
        f"create or replace function {SILVER}.open_door(id bigint) returns bigint return id"
    )
    done, undone, expected = CHANGES[change]
    warehouse.execute(done)
    try:
        assert check(connected) == 1
        finding, total = capsys.readouterr().out.splitlines()
        assert finding == expected
        assert total.endswith("declared, 1 different")
    finally:
        warehouse.execute(undone)
    assert check(connected) == 0


@pytest.mark.warehouse
def test_the_json_of_a_finding_names_its_parts(
    connected: DatabricksHome, capsys: pytest.CaptureFixture[str]
) -> None:
    done, undone, _ = CHANGES["tag changed"]
    connected.warehouse.execute(done)
    try:
        assert check(connected, "--output", "json") == 1
    finally:
        connected.warehouse.execute(undone)
    assert json.loads(capsys.readouterr().out)["findings"] == [
        {
            "difference": "different",
            "kind": "tag",
            "place": "column gold_layer.customer_metrics.user_id",
            "name": "personal",
            "declared": "user_id",
            "live": "no",
        }
    ]


@pytest.mark.warehouse
def test_a_grant_of_the_owner_to_itself_is_not_drift(connected: DatabricksHome) -> None:
    connected.warehouse.execute(f"grant select on table {GOLD}.customer_metrics to {PIPELINE}")
    assert check(connected) == 0


# ---- failures ----


def refused(capsys: pytest.CaptureFixture[str], code: int) -> str:
    captured = capsys.readouterr()
    assert code == 2 and captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    return captured.err


@pytest.mark.warehouse
def test_an_unreachable_host_is_reported_at_once(
    connected: DatabricksHome,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "http://127.0.0.1:1")
    message = refused(capsys, check(connected))
    assert "http://127.0.0.1:1: cannot be reached; check DATABRICKS_HOST" in message


@pytest.mark.warehouse
def test_an_expired_token_is_reported(
    connected: DatabricksHome,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = connected.warehouse.token(DEPLOYER)
    monkeypatch.setattr(connected.warehouse, "expired", {token})
    message = refused(capsys, check(connected))
    assert "the credentials are invalid or have expired" in message and token not in message


@pytest.mark.warehouse
def test_a_stopped_warehouse_is_reported(
    connected: DatabricksHome,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connected.warehouse, "stopped", True)
    message = refused(capsys, check(connected, "--warehouse-id", "w7"))
    assert "warehouse w7: " in message and "start it" in message


@pytest.mark.warehouse
def test_a_missing_catalog_is_reported(
    connected: DatabricksHome, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"nodes": {}, "sources": {}}', encoding="utf-8")
    message = refused(capsys, main([*CHECK, "--target", "prod", "--manifest", str(path)]))
    assert "ecommerce_analytics_prod" in message and "deploy the bundle" in message


@pytest.mark.warehouse
def test_a_missing_manifest_is_reported(
    connected: DatabricksHome, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "manifest.json"
    message = refused(capsys, main([*CHECK, "--target", "dev", "--manifest", str(path)]))
    assert str(path) in message and "dbt parse --target dev" in message


@pytest.mark.warehouse
def test_a_manifest_of_another_target_is_reported(
    connected: DatabricksHome, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = connected.folder / "target" / "manifest.json"
    message = refused(capsys, main([*CHECK, "--target", "prod", "--manifest", str(manifest)]))
    assert f"for catalog {CATALOG}, not for ecommerce_analytics_prod" in message


@pytest.mark.warehouse
def test_an_http_path_without_a_warehouse_is_reported(
    connected: DatabricksHome,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABRICKS_HTTP_PATH", "/sql/protocolv1/o/1/0101-101010-cluster1")
    assert "names no SQL warehouse" in refused(capsys, check(connected))
