"""What a deployment needs of a workspace and of its account, derived from the bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from project.errors import UserError
from project.targets import CATALOG_VARIABLE
from project.yml import read_yml
from workspace.bundle import REFERENCE, Config, deployed

PIPELINE_GROUP: Final = "ecommerce_pipeline"
_PREFIX: Final = "BUNDLE_VAR_"


@dataclass(frozen=True)
class Prerequisites:
    """What one target needs. A tuple is empty, and a text None, where it needs none."""

    target: str
    catalog: str
    cli_version: str
    """Oldest CLI that knows all of the bundle, as in `1.22.1`."""
    groups: tuple[str, ...]
    """Account groups that get grants, permissions, or rows by policy functions."""
    runner: str | None
    """Application id of the principal that jobs run as; None: the one who deploys."""
    has_runner: bool
    """Whether jobs run as another identity than the one that deploys."""
    needs_admin: bool
    """Whether it makes cluster policies, as administrators of the workspace alone may."""
    makes_catalog: bool
    """Whether the deployment makes catalog and external location."""
    storage_url: str | None
    storage_credential: str | None
    warehouse: str | None
    """Name of the warehouse that the bundle looks up."""
    destinations: tuple[str, ...]
    """Ids of notification destinations."""
    root_path: str
    """Folder of the deployment, from `~` on."""
    landing: str
    """Folder that the file trigger watches."""
    governed_tags: Mapping[str, tuple[str, ...]]
    """Values by governed tag that policies look for; empty where tables have their own masks."""
    without_manage: tuple[str, ...]
    """Schemas on which the pipeline cannot create the policies that it needs."""


def given_values(target: str, folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the variables that the CLI would take from outside of the bundle, as `var.<name>`.

    These are `BUNDLE_VAR_<name>` of the environment and, after it, the target's
    variable-overrides.json. Raises UserError if that file is not an object in JSON, or gives the
    bundle another catalog than dbt and the commands take.
    """
    file = folder / ".databricks" / "bundle" / target / "variable-overrides.json"
    values: Any = {}
    if file.exists():
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{file}: not readable JSON ({error}); correct or remove it") from error
        if not isinstance(values, dict):
            raise UserError(f"{file}: not an object of variables; correct or remove it")
        # A value of the environment comes before that of the file, in the CLI too.
        if "catalog" in values and not environment.get(CATALOG_VARIABLE):
            raise UserError(
                f"{file}: its `catalog` reaches neither dbt nor the commands;"
                f" set {CATALOG_VARIABLE} instead, which all of them read"
            )
    named = {
        name.removeprefix(_PREFIX): value
        for name, value in environment.items()
        if name.startswith(_PREFIX)
    }
    return {f"var.{name}": value for name, value in {**values, **named}.items()}


def prerequisites(
    root: Config,
    target: str,
    given: Mapping[str, Any],
    policy_groups: frozenset[str],
    governed_tags: Mapping[str, tuple[str, ...]],
) -> Prerequisites:
    """Derive what a target needs.

    `policy_groups` are those that policy functions ask for, `governed_tags` the values by tag that
    policies by tags would look for.
    """
    bundle = deployed(root, target, given)
    resources = bundle["resources"]
    location: Config = next(iter(resources.get("external_locations", {}).values()), {})
    catalog = next(iter(resources["schemas"].values()))["catalog_name"]
    job = resources["jobs"]["bronze_ingestion_job"]
    groups = set(_groups(bundle))
    principal = bundle.get("run_as", {}).get("service_principal_name", "")
    warehouses = {
        task["dbt_task"]["warehouse_id"]
        for other in resources["jobs"].values()
        for task in other["tasks"]
        if "dbt_task" in task
    }
    looked_up = [name.strip("<>") for name in warehouses if name.startswith("<")]
    by_tags = _policies(root, target, given) == "attribute"
    return Prerequisites(
        target=target,
        catalog=catalog,
        cli_version=root["bundle"]["databricks_cli_version"].removeprefix(">= "),
        # Without groups of its own a target has no policies either.
        groups=tuple(sorted(groups | policy_groups)) if groups else (),
        runner=principal if principal and not REFERENCE.search(principal) else None,
        has_runner="run_as" in bundle,
        needs_admin="cluster_policies" in resources,
        makes_catalog="catalogs" in resources,
        storage_url=location.get("url"),
        storage_credential=location.get("credential_name"),
        warehouse=next(iter(looked_up), None),
        destinations=tuple(sorted(_destinations(resources["jobs"]))),
        root_path=bundle["workspace"]["root_path"],
        landing=job["trigger"]["file_arrival"]["url"].rstrip("/"),
        governed_tags=governed_tags if by_tags else {},
        without_manage=tuple(sorted(_without_manage(resources))) if by_tags else (),
    )


def governed_tags(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the values of each tag for which policies call the functions of a dbt project."""
    values: dict[str, list[str]] = {}
    for file in sorted((folder / "functions").glob("*.yml")):
        content = read_yml(file)
        for function in content["functions"]:
            meta = function["config"]["meta"]
            tags = {**meta.get("column_mask_of", {}), **meta.get("row_filter_of", {})}
            for tag, value in tags.items():
                values.setdefault(tag, []).append(value)
    return {tag: tuple(found) for tag, found in values.items()}


def _policies(root: Config, target: str, given: Mapping[str, Any]) -> str:
    chosen = (root["targets"][target] or {}).get("variables", {})
    default = root["variables"]["policies"]["default"]
    return str(given.get("var.policies", chosen.get("policies", default)))


def _without_manage(resources: Config) -> Iterator[str]:
    """Yield the schemas of models, in which the pipeline makes functions, and no policies."""
    for schema in resources["schemas"].values():
        for grant in schema.get("grants", []):
            privileges = grant["privileges"]
            of_models = grant["principal"] == PIPELINE_GROUP and "CREATE_FUNCTION" in privileges
            if of_models and "MANAGE" not in privileges:
                yield schema["name"]


def _groups(bundle: Config) -> Iterator[str]:
    """Yield each group that gets a permission or a grant."""
    holders = [bundle, *(item for kind in bundle["resources"].values() for item in kind.values())]
    for holder in holders:
        for permission in holder.get("permissions", []):
            if "group_name" in permission:
                yield permission["group_name"]
        for grant in holder.get("grants", []):
            yield grant["principal"]


def _destinations(jobs: Config) -> set[str]:
    return {
        destination["id"]
        for job in jobs.values()
        for destinations in job.get("webhook_notifications", {}).values()
        for destination in destinations
    }
