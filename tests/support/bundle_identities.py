"""What each identity of a deployment may do: the deployer, and the principal that jobs run as.

The rules are those of the CLI (`apply_bundle_permissions.go`, `folder_permissions.go`) and the
access control lists of the documentation. Every check returns its findings as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from support.bundle_config import tasks
from workspace.bundle import REFERENCE, Config

# What a level of the target's permissions becomes on each kind of resource.
_LEVELS: Final[Mapping[str, Mapping[str, str]]] = {
    "jobs": {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_VIEW", "CAN_RUN": "CAN_MANAGE_RUN"},
    "sql_warehouses": {
        "CAN_MANAGE": "CAN_MANAGE",
        "CAN_VIEW": "CAN_VIEW",
        "CAN_RUN": "CAN_MONITOR",
    },
}
_STARTS_A_JOB: Final = {"CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"}
_RUNS_QUERIES: Final = {"CAN_USE", "CAN_MONITOR", "CAN_MANAGE", "IS_OWNER"}
_READS_FILES: Final = {"CAN_VIEW", "CAN_RUN", "CAN_MANAGE"}


@dataclass(frozen=True)
class Identity:
    """A person or a service principal, with the account groups that it is in."""

    kind: Literal["user_name", "service_principal_name"]
    name: str
    groups: frozenset[str] = frozenset()

    def holds(self, permission: Config) -> bool:
        """Whether a permission is this identity's, by name or by group."""
        return self.is_named(permission) or permission.get("group_name") in self.groups

    def is_named(self, permission: Config) -> bool:
        """Whether a permission names this identity; the CLI looks no further on a folder."""
        return bool(permission.get(self.kind) == self.name)


def undeclared_managers(bundle: Config, deployer: Identity) -> list[str]:
    """Return the warning that `bundle validate` prints for the folder of a deployer's home.

    The deployer manages that folder by inheritance. Without permissions nothing is compared.
    """
    declared = bundle.get("permissions", [])
    managers = [p for p in declared if deployer.is_named(p) and p["level"] == "CAN_MANAGE"]
    if not declared or managers:
        return []
    return [f"{deployer.name} manages the folder, which the bundle does not declare"]


def repeated_principals(bundle: Config) -> list[str]:
    """Return principals that one list names twice: the CLI warns, and Databricks may refuse."""
    found = []
    general = [_principal(permission) for permission in bundle.get("permissions", [])]
    found += [f"permissions: {name}" for name in _repeated(general)]
    for kind, resources in bundle["resources"].items():
        # A kind without levels of its own takes nothing from the target.
        inherited = general if kind in _LEVELS else []
        for key, resource in resources.items():
            own = [_principal(permission) for permission in resource.get("permissions", [])]
            names = _repeated(own) | (set(own) & set(inherited))
            found += [f"{kind}.{key}: {name}" for name in sorted(names)]
    return found


def _principal(permission: Config) -> str:
    return next(str(value) for key, value in permission.items() if key != "level")


def _repeated(names: list[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}


def refusals(bundle: Config, deployer: Identity, runner: Identity) -> list[str]:
    """Return what the jobs would be refused when they run as `runner`.

    `runner` is the deployer where the bundle has no `run_as`.
    """
    found = []
    if runner != deployer and not _levels(bundle.get("permissions", []), runner) & _READS_FILES:
        found.append(f"{runner.name} cannot read the deployed files")
    for name, _, task in tasks(bundle):
        place = f"{name}.{task['task_key']}"
        for kind, reference, enough in _used(task):
            match = REFERENCE.fullmatch(reference)
            # What another bundle or the workspace itself owns has permissions of its own.
            if match is None or not match[1].startswith(f"resources.{kind}."):
                continue
            key = match[1].split(".")[2]
            if runner != deployer and not _on(bundle, kind, key, runner) & enough:
                found.append(f"{place}: {runner.name} may not use {kind}.{key}")
    return found


def _used(task: Config) -> Iterator[tuple[str, str, set[str]]]:
    if "run_job_task" in task:
        yield "jobs", task["run_job_task"]["job_id"], _STARTS_A_JOB
    if "dbt_task" in task:
        yield "sql_warehouses", task["dbt_task"]["warehouse_id"], _RUNS_QUERIES


def _on(bundle: Config, kind: str, key: str, who: Identity) -> set[str]:
    own = bundle["resources"][kind][key].get("permissions", [])
    general: list[dict[str, Any]] = [
        permission | {"level": _LEVELS[kind][permission["level"]]}
        for permission in bundle.get("permissions", [])
    ]
    return _levels([*own, *general], who)


def _levels(permissions: list[Config], who: Identity) -> set[str]:
    return {permission["level"] for permission in permissions if who.holds(permission)}
