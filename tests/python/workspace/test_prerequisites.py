"""Prerequisites of a deployment, asked over HTTP; what each target needs is read from the bundle.

minilake answers for catalogs, the metastore, folders and warehouses. A rule answers for accounts:
groups, service principals and their roles, effective privileges, storage credentials, destinations.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from ecommerce import cli
from governance import access_policy
from project.errors import UserError
from project.home import CHECKOUT
from project.targets import CATALOG_VARIABLE
from support.workspace_double import CATALOG, LANDING, Call, Workspace
from workspace.bundle import read_bundle
from workspace.prerequisites import given_values, prerequisites

pytestmark = pytest.mark.workspace

DEPLOYER: Final = "11111111-aaaa-4bbb-8ccc-dddddddddddd"
PIPELINE: Final = "22222222-aaaa-4bbb-8ccc-dddddddddddd"
ASKED: Final = read_bundle(CHECKOUT)["bundle"]["databricks_cli_version"].removeprefix(">= ")
GROUPS: Final = {
    "ecommerce_pipeline",
    "ecommerce_platform_admins",
    "ecommerce_data_engineers",
    "ecommerce_data_scientists",
    "ecommerce_business_analysts",
    "ecommerce_all_segments",
    "ecommerce_segment_vip",
}


@dataclass
class Account:
    """An account that has all that staging needs, until a test takes something away."""

    me: str = DEPLOYER
    my_groups: tuple[str, ...] = ("admins", "ecommerce_pipeline")
    groups: dict[str, str] = field(default_factory=lambda: dict.fromkeys(GROUPS, "Group"))
    principals: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {PIPELINE: ("ecommerce_pipeline",)}
    )
    users_of_principal: tuple[str, ...] = (f"servicePrincipals/{DEPLOYER}",)
    # By kind of object; the name of a metastore is not the test's affair.
    privileges: dict[str, dict[str, list[str]]] = field(
        default_factory=lambda: {
            "metastore": {
                "account users": ["CREATE_CATALOG"],
                "admins": ["CREATE_EXTERNAL_LOCATION"],
            },
            "storage_credential": {DEPLOYER: ["CREATE_EXTERNAL_LOCATION"]},
        }
    )
    credentials: tuple[str, ...] = ("ecommerce_analytics",)
    destinations: tuple[str, ...] = ()
    isolation_mode: str | None = None
    """Of the catalog of staging, which a deployment before made; None: there was none."""
    state: dict[str, Any] | None = None
    hidden: tuple[str, ...] = ()
    tags: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "personal": ("user_id", "personal_text"),
            "rows_by": ("user_segment",),
        }
    )

    def answer(self, call: Call) -> bool:
        """Answer as Databricks documents it; a rule of the double."""
        path = call.path.rpartition("/api/")[2].partition("/")[2]
        if any(part in path for part in self.hidden):
            call.refuse(403, "PERMISSION_DENIED", "User does not have the privilege")
            return True
        wanted = re.search(r'eq "([^"]+)"', call.query.get("filter", ""))
        name = wanted[1] if wanted else path.rpartition("/")[2]
        if path.endswith("scim/v2/Me"):
            groups = [{"display": group} for group in self.my_groups]
            content: Any = {"userName": self.me, "groups": groups}
        elif path.endswith("scim/v2/Groups"):
            # The SDK asks for pages until one is empty.
            kind = self.groups.get(name) if call.query["startIndex"] == "1" else None
            group = {"id": "1", "displayName": name, "meta": {"resourceType": kind}}
            content = {"Resources": [group] if kind else []}
        elif path.endswith("scim/v2/ServicePrincipals"):
            is_there = name in self.principals and call.query["startIndex"] == "1"
            held = [{"display": group} for group in self.principals.get(name, ())]
            principal = {"id": "2", "applicationId": name, "groups": held}
            content = {"Resources": [principal] if is_there else []}
        elif path.endswith("access-control/rule-sets"):
            assert (
                call.query["name"] == f"accounts/a-1/servicePrincipals/{PIPELINE}/ruleSets/default"
            )
            rule = {"role": "roles/servicePrincipal.user", "principals": self.users_of_principal}
            manager = {"role": "roles/servicePrincipal.manager", "principals": ["users/eve@shop"]}
            content = {"name": "n", "etag": "e", "grant_rules": [manager, rule]}
        elif "/effective-permissions/" in path:
            kind = path.split("/")[-2]
            content = {
                "privilege_assignments": [
                    {"principal": who, "privileges": [{"privilege": word} for word in words]}
                    for who, words in self.privileges[kind].items()
                ]
            }
        elif "/storage-credentials/" in path:
            if name not in self.credentials:
                call.refuse(404, "STORAGE_CREDENTIAL_DOES_NOT_EXIST", f"{name} does not exist")
                return True
            content = {"name": name, "owner": "eve@shop"}
        elif path.endswith("/catalogs/ecommerce_analytics_staging") and self.isolation_mode:
            content = {"name": name, "isolation_mode": self.isolation_mode}
        elif path.startswith("tag-policies/"):
            if name not in self.tags:
                call.refuse(404, "NOT_FOUND", f"Tag policy {name} does not exist")
                return True
            content = {"tag_key": name, "values": [{"name": value} for value in self.tags[name]]}
        elif path.endswith("notification-destinations"):
            content = {"results": [{"id": known} for known in self.destinations]}
        elif path.endswith("workspace/export") and self.state is not None:
            assert call.query["path"].startswith(f"/Workspace/Users/{self.me}/.bundle/")
            content = json.dumps(self.state).encode()
        else:
            return False
        call.read()
        call.answer(200, content)
        return True


@pytest.fixture
def account(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Account:
    """The account behind the double, with the variables of staging set and a CLI at hand."""
    account = Account()
    workspace.rules.append(account.answer)
    monkeypatch.setenv("BUNDLE_VAR_pipeline_principal", PIPELINE)
    monkeypatch.setenv("BUNDLE_VAR_storage_url", "s3://shop-lake/analytics")
    monkeypatch.setenv("DATABRICKS_ACCOUNT_ID", "a-1")
    install_cli(tmp_path, f"Databricks CLI v{ASKED}")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return account


def install_cli(folder: Path, printed: str) -> None:
    program = folder / "databricks"
    program.write_text(f"#!/bin/sh\necho '{printed}'\n", encoding="utf-8")
    program.chmod(0o755)


def check(target: str = "staging") -> int:
    return cli.main(["databricks", "check", "--target", target])


def test_an_account_that_has_everything(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check() == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {"ok"}
    assert last == f"staging: {len(lines)} ok, 0 missing, 0 unknown"
    asked = "\n".join(lines)
    for group in GROUPS:
        assert f"account group {group}\n" in asked
    for words in (
        f"Databricks CLI {ASKED} or newer",
        f"sign-in, as {DEPLOYER}",
        f"{DEPLOYER} in the workspace group admins",
        f"{PIPELINE} in ecommerce_pipeline",
        f"role Service Principal User on {PIPELINE}",
        "CREATE CATALOG on metastore",
        "CREATE EXTERNAL LOCATION on metastore",
        "CREATE EXTERNAL LOCATION on storage credential `ecommerce_analytics`",
        "cloud folder for the catalog",
    ):
        assert f"ok       {words}\n" in f"{asked}\n"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"my_groups": ()}, f"{DEPLOYER} in the workspace group admins; an admin of the workspace"),
        (
            {"groups": dict.fromkeys(GROUPS - {"ecommerce_segment_vip"}, "Group")},
            "account group ecommerce_segment_vip; an account admin creates it",
        ),
        (
            {"groups": dict.fromkeys(GROUPS, "Group") | {"ecommerce_pipeline": "WorkspaceGroup"}},
            "account group ecommerce_pipeline; the one here is of this workspace alone",
        ),
        (
            {"principals": {}},
            f"service principal that jobs run as, {PIPELINE}; an account admin creates it",
        ),
        ({"principals": {PIPELINE: ()}}, f"{PIPELINE} in ecommerce_pipeline; an account admin"),
        (
            {"users_of_principal": ("users/eve@shop",)},
            f"role Service Principal User on {PIPELINE}; its manager or an account admin",
        ),
        (
            {"me": PIPELINE},
            "service principal that jobs run as, apart from the deployer; sign in as another",
        ),
        (
            {"privileges": {"metastore": {}, "storage_credential": {DEPLOYER: ["ALL_PRIVILEGES"]}}},
            "CREATE CATALOG on metastore; its owner or a metastore admin runs: grant create"
            f" catalog on metastore to `{DEPLOYER}`",
        ),
        (
            {"credentials": ()},
            "storage credential ecommerce_analytics; a metastore admin creates it",
        ),
        (
            {"isolation_mode": "OPEN"},
            "catalog ecommerce_analytics_staging in chosen workspaces only; its owner runs:"
            " databricks catalogs update ecommerce_analytics_staging --isolation-mode ISOLATED",
        ),
        (
            {"state": {"cli_version": "1.13.0", "state": {}}},
            f"deployment by a CLI {ASKED} or newer; it was by 1.13.0, which skips what it does not"
            " know: deploy again, databricks bundle deploy --target staging",
        ),
        (
            {"state": {"cli_version": ASKED}},
            "folder /Volumes/ecommerce_analytics_staging/bronze_layer/raw_data/landing; make it:"
            " databricks fs mkdir dbfs:/Volumes/",
        ),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(
    account: Account, capsys: pytest.CaptureFixture[str], change: dict[str, Any], line: str
) -> None:
    for name, value in change.items():
        setattr(account, name, value)
    assert check() == 1
    out = capsys.readouterr().out
    found = [text for text in out.splitlines() if text.startswith("missing")]
    assert any(text.startswith(f"missing  {line}") for text in found), out


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        (
            "BUNDLE_VAR_pipeline_principal",
            "",
            "service principal that jobs run as; set BUNDLE_VAR_",
        ),
        ("BUNDLE_VAR_storage_url", "", "cloud folder for the catalog; set BUNDLE_VAR_storage_url"),
        ("BUNDLE_VAR_storage_url", "/mnt/lake", "cloud folder for the catalog; set BUNDLE_VAR_"),
        ("BUNDLE_VAR_storage_credential", "lake", "storage credential lake; a metastore admin"),
        (
            "BUNDLE_VAR_catalog",
            "shop",
            "name of the catalog shop; set BUNDLE_VAR_catalog to one that ends in _staging",
        ),
    ],
)
def test_a_variable_without_its_right_value(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    line: str,
) -> None:
    monkeypatch.setenv(variable, value)
    assert check() == 1
    assert f"missing  {line}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tags", "line"),
    [
        (
            {"personal": ("user_id", "personal_text")},
            "governed tag rows_by; an account admin runs: create governed tag rows_by values"
            " ('user_segment'), and lets ecommerce_pipeline assign it",
        ),
        (
            {"personal": ("user_id",), "rows_by": ("user_segment",)},
            "governed tag personal; an account admin adds the values personal_text",
        ),
    ],
)
def test_policies_by_tags_need_governed_tags_and_manage(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tags: dict[str, tuple[str, ...]],
    line: str,
) -> None:
    monkeypatch.setenv("BUNDLE_VAR_policies", "attribute")
    assert check() == 1
    missing = re.findall(r"missing  (\S+ on \S+ for \S+);", capsys.readouterr().out)
    schemas = ("gold_layer", "intermediate_layer", "silver_layer")
    assert missing == [f"MANAGE on {schema} for ecommerce_pipeline" for schema in schemas]
    account.tags = tags
    check()
    assert f"missing  {line}" in capsys.readouterr().out


def test_what_the_caller_may_not_see_is_unknown_and_no_fault(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.hidden = ("effective-permissions", "rule-sets")
    assert check() == 0
    out = capsys.readouterr().out
    unknown = [text for text in out.splitlines() if text.startswith("unknown")]
    assert [text.split(" on ")[0].split(maxsplit=1)[1] for text in unknown] == [
        "role Service Principal User",
        "CREATE CATALOG",
        "CREATE EXTERNAL LOCATION",
        "CREATE EXTERNAL LOCATION",
    ]
    assert all("docs/set_up_databricks.md" in text for text in unknown)
    assert (CHECKOUT / "docs" / "set_up_databricks.md").exists()


def test_dev_runs_as_its_deployer_in_a_catalog_that_is_there(
    account: Account, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.store(f"{LANDING}/day.csv", b"")
    account.state = {"cli_version": f"{ASKED}-dev+abc"}
    assert check("dev") == 0
    out = capsys.readouterr().out
    assert f"ok       {DEPLOYER} in ecommerce_pipeline\n" in out
    assert f"ok       catalog {CATALOG}\n" in out
    assert f"ok       folder {LANDING}\n" in out
    assert "CREATE CATALOG" not in out
    account.my_groups = ("admins",)
    assert check("dev") == 1
    assert f"missing  {DEPLOYER} in ecommerce_pipeline; " in capsys.readouterr().out


def test_a_catalog_of_staging_is_in_chosen_workspaces(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.isolation_mode = "ISOLATED"
    assert check() == 0
    name = "ecommerce_analytics_staging"
    assert f"ok       catalog {name} in chosen workspaces only\n" in capsys.readouterr().out


def test_the_free_edition_needs_no_account(
    account: Account, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    account.my_groups, account.groups = (), {}
    assert check("free") == 1
    out = capsys.readouterr().out
    # A feature that a variable asks for, in a workspace that does not have it.
    line = "missing  SQL warehouse Serverless Starter Warehouse; create a serverless one"
    assert line in out
    assert " 1 missing, 0 unknown" in out
    client = workspace.client()
    made = client.warehouses.create(name="Serverless Starter Warehouse", cluster_size="2X-Small")
    try:
        assert check("free") == 0
    finally:
        client.warehouses.delete(made.bind()["id"])


@pytest.mark.parametrize(
    ("printed", "code", "line"),
    [
        ("Databricks CLI v1.13.0", 1, "is 1.13.0, which refuses this bundle: update it"),
        ("Version 0.18.0", 1, "is 0.18.0, which refuses this bundle: update it"),
        ("Databricks CLI v99.0.1", 0, f"ok       Databricks CLI {ASKED} or newer"),
    ],
)
def test_the_cli_of_this_machine(
    account: Account,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    printed: str,
    code: int,
    line: str,
) -> None:
    install_cli(tmp_path, printed)
    assert check() == code
    assert line in capsys.readouterr().out


def test_no_cli_on_this_machine(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert check() == 1
    assert "install it: https://docs.databricks.com/" in capsys.readouterr().out


def test_a_state_that_is_none(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.state = {"state": {}}
    assert check() == 2
    assert "resources.json: not a state of the CLI" in capsys.readouterr().err


# --- what the bundle needs, without a workspace -------------------------------------------------


def test_the_groups_are_those_of_bundle_and_policy() -> None:
    root = read_bundle(CHECKOUT)
    personas = access_policy.load().personas.values()
    of_policy = frozenset(group for persona in personas for group in persona.groups)
    for target in root["targets"]:
        needs = prerequisites(root, target, {}, of_policy, {})
        assert set(needs.groups) == (set() if target == "free" else GROUPS)
        assert needs.needs_admin == needs.makes_catalog == (target != "free")
        assert needs.has_runner == (target in ("staging", "prod"))


def test_destinations_are_read_from_the_overrides(tmp_path: Path) -> None:
    file = tmp_path / ".databricks" / "bundle" / "prod" / "variable-overrides.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"failure_webhooks": [{"id": "d-1"}], "storage_url": "s3://a"}', "utf-8")
    given = given_values("prod", tmp_path, {"BUNDLE_VAR_storage_url": "s3://b", "HOME": "/"})
    # The environment comes first, as with the CLI.
    assert given == {"var.failure_webhooks": [{"id": "d-1"}], "var.storage_url": "s3://b"}
    needs = prerequisites(read_bundle(CHECKOUT), "prod", given, frozenset(), {})
    assert needs.destinations == ("d-1",)
    assert needs.storage_url == "s3://b/ecommerce_analytics_prod"


@pytest.mark.parametrize("text", ["{", "[]"])
def test_overrides_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / ".databricks" / "bundle" / "dev" / "variable-overrides.json"
    file.parent.mkdir(parents=True)
    file.write_text(text, "utf-8")
    with pytest.raises(UserError, match=r"variable-overrides.json: not .* correct or remove it"):
        given_values("dev", tmp_path, {})


def test_a_catalog_that_the_bundle_alone_would_take_is_refused(tmp_path: Path) -> None:
    file = tmp_path / ".databricks" / "bundle" / "dev" / "variable-overrides.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"catalog": "mine"}', "utf-8")
    with pytest.raises(UserError, match=r"variable-overrides.json: .*set BUNDLE_VAR_catalog"):
        given_values("dev", tmp_path, {})
    for name in ("mine", "another"):
        assert given_values("dev", tmp_path, {CATALOG_VARIABLE: name}) == {"var.catalog": name}
