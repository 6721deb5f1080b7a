"""Asks a workspace for what a deployment of the bundle needs; exit code 1 if it lacks any."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from governance import access_policy
from project.errors import UserError
from project.home import CHECKOUT
from project.output import show
from workspace.bundle import read_bundle
from workspace.client import connect, translate_errors
from workspace.prerequisites import (
    PIPELINE_GROUP,
    Prerequisites,
    given_values,
    governed_tags,
    prerequisites,
)

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.catalog import GetMetastoreSummaryResponse
    from databricks.sdk.service.iam import ComplexValue

HELP: Final = "ask a workspace for each prerequisite of a deployment, and say what is missing"

_STATES: Final = ("ok", "missing", "unknown")
_PAGE: Final = "docs/set_up_databricks.md says who does it"
_CLI_SECONDS: Final = 20
_USER_ROLE: Final = "roles/servicePrincipal.user"
_STORAGE: Final = re.compile(r"(s3|abfss|gs|r2)://[^/\s]+(/\S*)?")


@dataclass(frozen=True)
class Answer:
    """What was asked, and the remedy where it is missing or cannot be seen."""

    state: Literal["ok", "missing", "unknown"]
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.state:<8} {self.what}"
        return f"{line}; {self.remedy}" if self.remedy else line


def missing(what: str, remedy: str) -> Answer:
    """Return an answer for something that the deployment would fail without."""
    return Answer("missing", what, remedy)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce databricks check`."""
    targets = tuple(read_bundle(CHECKOUT)["targets"])
    parser.add_argument("--target", choices=targets, required=True, help="target of the bundle")


def execute(args: argparse.Namespace) -> int:
    """Check and print; 0 if nothing is missing, 1 if something is.

    What the caller may not see is printed as unknown, and is no fault. Raises UserError if the
    workspace cannot be reached, or refuses the credentials.
    """
    needs = prerequisites(
        read_bundle(CHECKOUT),
        args.target,
        given_values(args.target, CHECKOUT, os.environ),
        frozenset(
            group for persona in access_policy.load().personas.values() for group in persona.groups
        ),
        governed_tags(CHECKOUT),
    )
    answers = [cli(needs)]
    show(answers[0], flush=True)
    client = connect()
    with translate_errors("the workspace", forbidden=_PAGE, missing=_PAGE):
        for answer in Asked(client, needs).answers():
            show(answer, flush=True)
            answers.append(answer)
    count = {state: sum(answer.state == state for answer in answers) for state in _STATES}
    show(f"{args.target}: {', '.join(f'{count[state]} {state}' for state in _STATES)}")
    return 1 if count["missing"] else 0


def cli(needs: Prerequisites) -> Answer:
    """Compare the Databricks CLI of this machine with the one that the bundle asks for."""
    asked = f"Databricks CLI {needs.cli_version} or newer"
    program = shutil.which("databricks")
    if program is None:
        return missing(asked, "install it: https://docs.databricks.com/dev-tools/cli/install")
    try:
        printed = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_CLI_SECONDS
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer("unknown", asked, f"{program} does not say its version: {error}")
    found = re.search(r"\d+\.\d+\.\d+", printed)
    if found and _is_older(found[0], needs.cli_version):
        return missing(asked, f"{program} is {found[0]}, which refuses this bundle: update it")
    return Answer("ok", asked)


def _is_older(version: str, than: str) -> bool:
    first, second = ([int(part) for part in text.split(".")] for text in (version, than))
    return first < second


class Asked:
    """One workspace, asked as the identity that is signed in."""

    def __init__(self, client: WorkspaceClient, needs: Prerequisites) -> None:
        self._client = client
        self._needs = needs
        me = client.current_user.me()
        self._me = str(me.user_name)
        self._names = {self._me, "account users", *_displays(me.groups)}

    def answers(self) -> Iterator[Answer]:
        """Yield one answer for each prerequisite, in the order in which a deployment needs them."""
        needs = self._needs
        yield Answer("ok", f"sign-in, as {self._me}")
        if needs.needs_admin:
            what = f"{self._me} in the workspace group admins"
            remedy = "an admin of the workspace adds it: no other may make cluster policies"
            yield _found("admins" in self._names, what, remedy)
        for group in needs.groups:
            yield self._asked(f"account group {group}", partial(self._group, group))
        for tag, values in needs.governed_tags.items():
            yield self._asked(f"governed tag {tag}", partial(self._tag, tag, values))
        for schema in needs.without_manage:
            remedy = "add it to pipeline_privileges in databricks.yml: creating policies takes it"
            yield missing(f"MANAGE on {schema} for {PIPELINE_GROUP}", remedy)
        if needs.has_runner:
            yield from self._runner()
        elif needs.groups:
            yield _member(self._me, self._names)
        yield from self._catalog()
        if needs.warehouse:
            what = f"SQL warehouse {needs.warehouse}"
            yield self._asked(what, partial(self._warehouse, needs.warehouse))
        for destination in needs.destinations:
            what = f"notification destination {destination}"
            yield self._asked(what, partial(self._destination, destination))
        yield from self._deployment()

    def _asked(self, what: str, ask: Callable[[], str | None]) -> Answer:
        """Ask for a remedy, None if none is needed; what the caller may not see is unknown."""
        from databricks.sdk.errors import NotImplemented, PermissionDenied

        try:
            with translate_errors(what, forbidden="", missing=""):
                remedy = ask()
        except UserError as error:
            # The second is how a workspace answers to an API that it does not have.
            if isinstance(error.__cause__, PermissionDenied | NotImplemented):
                return Answer("unknown", what, f"{self._me} may not see it; {_PAGE}")
            raise
        return _found(remedy is None, what, remedy or "")

    def _group(self, name: str) -> str | None:
        found = list(self._client.groups.list(filter=f'displayName eq "{name}"'))
        if not found:
            return "an account admin creates it and assigns it to the workspace"
        if all(group.meta and group.meta.resource_type == "WorkspaceGroup" for group in found):
            return "the one here is of this workspace alone, which grants and policies do not know"
        return None

    def _tag(self, tag: str, values: tuple[str, ...]) -> str | None:
        from databricks.sdk.errors import NotFound

        try:
            found = self._client.tag_policies.get_tag_policy(tag)
        except NotFound:
            listed = ", ".join(f"'{value}'" for value in values)
            return (
                f"an account admin runs: create governed tag {tag} values ({listed}), and lets"
                f" {PIPELINE_GROUP} assign it"
            )
        absent = set(values) - {value.name for value in found.values or []}
        return f"an account admin adds the values {', '.join(sorted(absent))}" if absent else None

    def _runner(self) -> Iterator[Answer]:
        runner = self._needs.runner
        what = "service principal that jobs run as"
        if runner is None:
            yield missing(what, "set BUNDLE_VAR_pipeline_principal to its application id")
            return
        if runner == self._me:
            yield missing(
                f"{what}, apart from the deployer",
                "sign in as another: one list of permissions would have two levels for it",
            )
            return
        found = list(self._client.service_principals.list(filter=f'applicationId eq "{runner}"'))
        remedy = "an account admin creates it and assigns it to the workspace"
        yield _found(bool(found), f"{what}, {runner}", remedy)
        if not found:
            return
        yield _member(runner, _displays(found[0].groups))
        what = f"role Service Principal User on {runner}"
        if account := self._client.config.account_id:
            yield self._asked(what, partial(self._role, account, runner))
        else:
            yield Answer("unknown", what, f"set DATABRICKS_ACCOUNT_ID; {_PAGE}")

    def _role(self, account: str, runner: str) -> str | None:
        name = f"accounts/{account}/servicePrincipals/{runner}/ruleSets/default"
        rules = self._client.account_access_control_proxy.get_rule_set(name, "").grant_rules or []
        # As in `users/ada@shop`, `servicePrincipals/<application id>`, `groups/engineers`.
        users = {
            principal.partition("/")[2]
            for rule in rules
            if rule.role == _USER_ROLE
            for principal in rule.principals or []
        }
        if users & self._names:
            return None
        return "its manager or an account admin gives it: `run_as` asks for it"

    def _catalog(self) -> Iterator[Answer]:
        from databricks.sdk.errors import NotFound
        from databricks.sdk.service.catalog import CatalogIsolationMode

        catalog, target = self._needs.catalog, self._needs.target
        if self._needs.has_runner and not catalog.endswith(f"_{target}"):
            remedy = f"set BUNDLE_VAR_catalog to one that ends in _{target}, as metric views need"
            yield missing(f"name of the catalog {catalog}", remedy)
        try:
            metastore = self._client.metastores.summary()
        except NotFound:
            remedy = "an account admin assigns one to the workspace"
            yield missing("Unity Catalog metastore", remedy)
            return
        yield Answer("ok", "Unity Catalog metastore")
        try:
            found = self._client.catalogs.get(catalog)
        except NotFound:
            if self._needs.makes_catalog:
                yield from self._storage(metastore)
            else:
                yield missing(f"catalog {catalog}", f"run: create catalog {catalog}")
            return
        yield Answer("ok", f"catalog {catalog}")
        if self._needs.has_runner:
            # Who deploys dev is in the pipeline's group too, which may read what lands here.
            yield _found(
                found.isolation_mode is CatalogIsolationMode.ISOLATED,
                f"catalog {catalog} in chosen workspaces only",
                f"its owner runs: databricks catalogs update {catalog} --isolation-mode ISOLATED",
            )

    def _storage(self, metastore: GetMetastoreSummaryResponse) -> Iterator[Answer]:
        """Yield what making a catalog in cloud storage needs."""
        from databricks.sdk.errors import NotFound

        is_owner = metastore.owner in self._names
        for privilege in ("CREATE_CATALOG", "CREATE_EXTERNAL_LOCATION"):
            on = ("metastore", str(metastore.metastore_id), "metastore")
            yield self._privilege(privilege, on, is_owner)
        url = self._needs.storage_url or ""
        remedy = (
            "set BUNDLE_VAR_storage_url, as in s3://<bucket>/<folder>, without a slash at its end"
        )
        yield _found(bool(_STORAGE.fullmatch(url)), "cloud folder for the catalog", remedy)
        name = str(self._needs.storage_credential)
        what = f"storage credential {name}"
        try:
            is_owner |= self._client.storage_credentials.get(name).owner in self._names
        except NotFound:
            yield missing(
                what,
                "a metastore admin creates it, or set BUNDLE_VAR_storage_credential to another",
            )
            return
        yield Answer("ok", what)
        on = ("storage_credential", name, f"storage credential `{name}`")
        yield self._privilege("CREATE_EXTERNAL_LOCATION", on, is_owner)

    def _privilege(self, privilege: str, on: tuple[str, str, str], is_owner: bool) -> Answer:
        kind, name, in_sql = on
        words = privilege.replace("_", " ")

        def ask() -> str | None:
            answer = self._client.grants.get_effective(kind, name)
            held = {
                effective.privilege.value
                for assignment in answer.privilege_assignments or []
                if assignment.principal in self._names
                for effective in assignment.privileges or []
                if effective.privilege
            }
            if held & {privilege, "ALL_PRIVILEGES"}:
                return None
            return (
                "its owner or a metastore admin runs:"
                f" grant {words.lower()} on {in_sql} to `{self._me}`"
            )

        what = f"{words} on {in_sql}"
        return Answer("ok", what) if is_owner else self._asked(what, ask)

    def _warehouse(self, name: str) -> str | None:
        names = sorted(str(warehouse.name) for warehouse in self._client.warehouses.list())
        if name in names:
            return None
        return (
            "create a serverless one of this name, or set BUNDLE_VAR_warehouse_id; there are:"
            f" {', '.join(names) or 'none'}"
        )

    def _destination(self, destination: str) -> str | None:
        if destination in {item.id for item in self._client.notification_destinations.list()}:
            return None
        return "an admin of the workspace creates it, or correct failure_webhooks"

    def _deployment(self) -> Iterator[Answer]:
        """Yield what an earlier deployment left; before the first one there is nothing to see."""
        from databricks.sdk.errors import NotFound

        needs = self._needs
        home = f"/Workspace/Users/{self._me}"
        path = f"{needs.root_path.replace('~', home, 1)}/state/resources.json"
        try:
            with self._client.workspace.download(path) as file:
                version = str(json.loads(file.read())["cli_version"]).partition("-")[0]
        except NotFound:
            return
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: not a state of the CLI ({error}); deploy again") from error
        yield _found(
            not _is_older(version, needs.cli_version),
            f"deployment by a CLI {needs.cli_version} or newer",
            f"it was by {version}, which skips what it does not know: deploy again,"
            f" databricks bundle deploy --target {needs.target}",
        )
        try:
            self._client.files.get_directory_metadata(needs.landing)
            is_there = True
        except NotFound:
            is_there = False
        remedy = f"make it: databricks fs mkdir dbfs:{needs.landing}"
        yield _found(is_there, f"folder {needs.landing}", remedy)


def _found(is_there: bool, what: str, remedy: str) -> Answer:
    return Answer("ok", what) if is_there else missing(what, remedy)


def _member(name: str, groups: set[str]) -> Answer:
    remedy = "an account admin adds it: dbt would read through masks otherwise"
    return _found(PIPELINE_GROUP in groups, f"{name} in {PIPELINE_GROUP}", remedy)


def _displays(groups: Iterable[ComplexValue] | None) -> set[str]:
    return {str(group.display) for group in groups or []}
