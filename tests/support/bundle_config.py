"""Checks of the bundle that need no workspace.

The CLI validates a bundle only with access to a workspace. Here the classes of `databricks-bundles`
parse every resource and reject unknown keys and wrong types. Every check returns its findings as
text, so that the same function checks the real bundle and one with a planted fault.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from databricks.bundles.alerts import Alert
from databricks.bundles.catalogs import Catalog
from databricks.bundles.cluster_policies import ClusterPolicy
from databricks.bundles.core import Resource
from databricks.bundles.dashboards import Dashboard
from databricks.bundles.external_locations import ExternalLocation
from databricks.bundles.genie_spaces import GenieSpace
from databricks.bundles.jobs import Job
from databricks.bundles.schemas import Schema
from databricks.bundles.sql_warehouses import SqlWarehouse
from databricks.bundles.volumes import Volume
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workspace.bundle import REFERENCE, Config, deployed

PARSERS: Final[Mapping[str, Callable[[Any], Resource]]] = {
    "alerts": Alert.from_dict,
    "catalogs": Catalog.from_dict,
    "cluster_policies": ClusterPolicy.from_dict,
    "dashboards": Dashboard.from_dict,
    "external_locations": ExternalLocation.from_dict,
    "genie_spaces": GenieSpace.from_dict,
    "jobs": Job.from_dict,
    "schemas": Schema.from_dict,
    "sql_warehouses": SqlWarehouse.from_dict,
    "volumes": Volume.from_dict,
}

# Keys that the CLI knows and this bundle may use; no class describes them.
_ROOT_KEYS: Final = {
    "bundle": {"name", "engine", "databricks_cli_version"},
    "experimental": {"skip_name_prefix_for_schema"},
    "include": None,
    "resources": set(PARSERS),
    "sync": {"include", "exclude", "paths"},
    "targets": None,
    "variables": None,
}
_TARGET_KEYS: Final = {
    "default": None,
    "mode": None,
    "permissions": None,
    "presets": {"name_prefix", "trigger_pause_status", "tags", "jobs_max_concurrent_runs"},
    "resources": set(PARSERS),
    "run_as": {"service_principal_name", "user_name"},
    "variables": None,
    "workspace": {"root_path", "host"},
}
_VARIABLE_KEYS: Final = {"description", "default", "lookup", "type"}
# What makes a driver run tasks itself; `single_node_cluster.go` of the CLI looks for the same.
_SINGLE_NODE: Final = {
    "num_workers": 0,
    "spark_conf.spark.databricks.cluster.profile": "singleNode",
    "spark_conf.spark.master": "local[*]",
    "custom_tags.ResourceClass": "SingleNode",
}
_HOLD_DATA: Final = ("external_locations", "catalogs", "schemas", "volumes")
# References that have a value at each deployment and none here.
_KNOWN_TO_THE_CLI: Final = {"workspace.current_user.userName", "workspace.file_path"}
_JOB_PARAMETER: Final = re.compile(r"\{\{\s*job\.parameters\.(\w+)\s*\}\}")


def strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every string in a configuration with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from strings(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from strings(item, f"{path}[{number}]")
    elif isinstance(value, str):
        yield path, value


def unknown_keys(root: Config) -> list[str]:
    """Return keys outside resources that the CLI does not know."""
    found = _unknown(root, _ROOT_KEYS, "databricks.yml")
    for name, variable in root.get("variables", {}).items():
        found += [f"variables.{name}: {key}" for key in set(variable) - _VARIABLE_KEYS]
    for name, target in root.get("targets", {}).items():
        found += _unknown(target, _TARGET_KEYS, f"targets.{name}")
        found += [
            f"targets.{name}.variables: {key} is not declared"
            for key in set(target.get("variables", {})) - set(root.get("variables", {}))
        ]
    return found


def _unknown(value: Config, known: Mapping[str, set[str] | None], place: str) -> list[str]:
    found = [f"{place}: {key}" for key in set(value) - set(known)]
    for key, inner in known.items():
        if inner is not None:
            found += [f"{place}.{key}: {name}" for name in set(value.get(key) or {}) - inner]
    return found


def refused_resources(bundle: Config) -> list[str]:
    """Return the errors of the resource classes for each resource of a deployed bundle."""
    found = []
    for kind, resources in bundle["resources"].items():
        if kind not in PARSERS:
            found.append(f"{kind}: not a kind of resource that this bundle uses")
            continue
        for key, resource in resources.items():
            try:
                PARSERS[kind](resource)
            except (ValueError, TypeError) as error:
                found.append(f"{kind}.{key}: {error}")
    return found


def dangling_references(bundle: Config) -> list[str]:
    """Return references of a deployed bundle that do not resolve."""
    found = []
    for path, text in strings(bundle):
        for reference in REFERENCE.findall(text):
            if reference in _KNOWN_TO_THE_CLI:
                continue
            kind, _, rest = reference.partition(".")
            group, _, rest = rest.partition(".")
            key, _, attribute = rest.partition(".")
            resource = bundle["resources"].get(group, {}).get(key) if kind == "resources" else None
            if resource is None or not (attribute == "id" or attribute in resource):
                found.append(f"{path}: ${{{reference}}}")
    return found


def tasks(bundle: Config) -> Iterator[tuple[str, Config, Config]]:
    """Yield every task, with its job and the job's name before it."""
    for name, job in bundle["resources"].get("jobs", {}).items():
        for task in job["tasks"]:
            yield name, job, task


def missing_paths(bundle: Config, folder: Path) -> list[str]:
    """Return paths of tasks that do not exist in the checkout."""
    found = []
    for name, _, task in tasks(bundle):
        named = [
            task.get("spark_python_task", {}).get("python_file"),
            task.get("notebook_task", {}).get("notebook_path"),
            task.get("dbt_task", {}).get("project_directory"),
        ]
        found += [
            f"{name}.{task['task_key']}: {path}"
            for path in named
            # The CLI resolves a path relative to the file that contains it.
            if path is not None and not (folder / "resources" / path).exists()
        ]
    for key, dashboard in bundle["resources"].get("dashboards", {}).items():
        if not (folder / "resources" / dashboard["file_path"]).exists():
            found.append(f"dashboards.{key}: {dashboard['file_path']}")
    return found


def dbt_commands(bundle: Config) -> list[list[str]]:
    """Return the words of every dbt command, split as by Databricks."""
    return [
        shlex.split(command)
        for _, _, task in tasks(bundle)
        for command in task.get("dbt_task", {}).get("commands", [])
    ]


def unpinned_dependencies(bundle: Config, pins: Mapping[str, str]) -> list[str]:
    """Return dependencies of serverless environments that differ from the version in `pins`."""
    found = []
    for name, job in bundle["resources"].get("jobs", {}).items():
        for environment in job.get("environments", []):
            for dependency in environment["spec"].get("dependencies", []):
                package, _, version = dependency.partition("==")
                if not version or pins.get(package) != version:
                    found.append(f"{name}.{environment['environment_key']}: {dependency}")
    return found


def retried_tasks(bundle: Config) -> list[str]:
    """Return dbt tasks that serverless compute would retry: it does so unless a task forbids it."""
    return [
        f"{name}.{task['task_key']}: retried"
        for name, _, task in tasks(bundle)
        if "dbt_task" in task
        and (task.get("disable_auto_optimization") is not True or task.get("max_retries"))
    ]


def unordered_triggers(root: Config) -> list[str]:
    """Return triggers that nothing orders after their volume.

    A reference does, but not one to `volume_path`: the CLI replaces that before it plans
    (`ResolveVolumePathReferencesOnlyResources` in `initialize.go`).
    """
    return [
        f"{name}: {url}"
        for name, job in root["resources"]["jobs"].items()
        if (url := job.get("trigger", {}).get("file_arrival", {}).get("url"))
        and not any(
            reference.startswith("resources.volumes.") and not reference.endswith(".volume_path")
            for reference in REFERENCE.findall(url)
        )
    ]


def unbounded_policies(bundle: Config) -> list[str]:
    """Return cluster policies without a limit of price, or that allow a driver without workers."""
    found = []
    for key, policy in bundle["resources"].get("cluster_policies", {}).items():
        rules = policy["definition"]
        if "maxValue" not in rules.get("dbus_per_hour", {}):
            found.append(f"{key}: no limit of dbus_per_hour")
        workers = rules.get("num_workers", {})
        fewest = workers.get("value", workers.get("minValue", 0))
        fixed = {name: rule["value"] for name, rule in rules.items() if rule["type"] == "fixed"}
        if fewest == 0 and not (fixed.items() >= _SINGLE_NODE.items()):
            found.append(f"{key}: no workers, and not a single node")
    return found


def required(*packages: str, python: str) -> set[str]:
    """Return the packages and all that they need under a version of Python on Linux.

    Names and needs are those of the installed packages, and the names are canonical.
    """
    marker = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "extra": "",
    }
    found: set[tuple[str, str]] = set()
    waiting = [(package, "") for package in packages]
    while waiting:
        package, extra = waiting.pop()
        if (package, extra) in found:
            continue
        found.add((package, extra))
        for line in metadata.requires(package) or []:
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate(marker | {"extra": extra}):
                name = canonicalize_name(need.name)
                waiting += [(name, ""), *((name, extra) for extra in need.extras)]
    return {package for package, _ in found}


def missing_environments(bundle: Config) -> list[str]:
    """Return tasks on serverless compute whose environment their job does not define."""
    return [
        f"{name}.{task['task_key']}"
        for name, job, task in tasks(bundle)
        if ("dbt_task" in task or "spark_python_task" in task)
        and task.get("environment_key")
        not in [environment["environment_key"] for environment in job.get("environments", [])]
    ]


def unknown_job_parameters(bundle: Config) -> list[str]:
    """Return job parameters that are used but not declared, or declared but not used."""
    found = []
    for name, job in bundle["resources"].get("jobs", {}).items():
        used = {
            match for _, text in strings(job["tasks"]) for match in _JOB_PARAMETER.findall(text)
        }
        declared = {parameter["name"] for parameter in job.get("parameters", [])}
        found += [f"{name}: {parameter}" for parameter in used ^ declared]
    return found


def upstream(job: Config, task_key: str) -> set[str]:
    """Return every task that must succeed before a task starts."""
    needed = {
        task["task_key"]: [dependency["task_key"] for dependency in task.get("depends_on", [])]
        for task in job["tasks"]
    }
    found: set[str] = set()
    waiting = list(needed[task_key])
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += needed.get(key, [])
    return found


def gate_faults(bundle: Config) -> list[str]:
    """Return ways around the quality gate of full_pipeline_job."""
    job = bundle["resources"]["jobs"]["full_pipeline_job"]
    by_key = {task["task_key"]: task for task in job["tasks"]}
    gates = [key for key, task in by_key.items() if _runs(task, "run-operation", "quality_gate")]
    found = []
    if len(gates) != 1:
        return [f"{len(gates)} tasks run the quality gate"]
    [gate] = gates
    for key, task in by_key.items():
        if any("gold" in command.split() for command in _commands(task)):
            found += [f"{key} does not wait for {gate}"] * (gate not in upstream(job, key))
    if "silver" not in upstream(job, gate):
        found.append(f"{gate} does not wait for silver")
    # Any value except all_success would let a task run after a failed one.
    found += [f"{key}: run_if" for key, task in by_key.items() if task.get("run_if")]
    found += [f"{key}: disabled" for key, task in by_key.items() if task.get("disabled")]
    found += [
        f"{job_key}: depends on {dependency}, which is not a task"
        for job_key in by_key
        for dependency in upstream(job, job_key) - set(by_key)
    ]
    return found


def _commands(task: Config) -> Sequence[str]:
    commands: Sequence[str] = task.get("dbt_task", {}).get("commands", [])
    return commands


def _runs(task: Config, *words: str) -> bool:
    return any(list(words) == command.split()[1:3] for command in _commands(task))


def target_faults(root: Config) -> list[str]:
    """Return development targets that are not paused, and deployed ones that run as a person."""
    found = []
    for name, target in root["targets"].items():
        bundle = deployed(root, name)
        if target.get("mode") == "development":
            if bundle.get("presets", {}).get("trigger_pause_status") != "PAUSED":
                found.append(f"{name} is not paused")
            # A job's own status would override the target's.
            found += [
                f"{name}: {job_name}.{key} has a pause_status of its own"
                for job_name, job in bundle["resources"]["jobs"].items()
                for key in ("trigger", "schedule", "continuous")
                if "pause_status" in job.get(key, {})
            ]
        elif target.get("mode") == "production":
            principal = target.get("run_as", {}).get("service_principal_name")
            if principal != "${var.pipeline_principal}":
                found.append(f"{name} does not run as the service principal")
            # Without a fixed path, every deployer would deploy a copy.
            if not target.get("workspace", {}).get("root_path"):
                found.append(f"{name} has no root_path")
        else:
            found.append(f"{name} has no mode")
    return found


def unprotected(root: Config) -> list[str]:
    """Return what holds data and what a deployment of staging or prod may drop without a question.

    `deploy.go` of the CLI asks before it drops schemas and volumes, and `deploy --auto-approve`
    does not; for catalogs and external locations nothing asks.
    """
    return [
        f"{name}: {kind}.{key} may be dropped"
        for name, target in root["targets"].items()
        if target.get("mode") == "production"
        for kind in _HOLD_DATA
        for key, resource in deployed(root, name)["resources"].get(kind, {}).items()
        if resource.get("lifecycle", {}).get("prevent_destroy") is not True
    ]


def unassigned_variables(root: Config, target: str) -> list[str]:
    """Return the variables for which the CLI asks its caller: they have no value in the bundle."""
    own = (root["targets"][target] or {}).get("variables", {})
    return [
        name
        for name, variable in root["variables"].items()
        if name not in own and not {"default", "lookup"} & set(variable)
    ]


def unheard(bundle: Config) -> list[str]:
    """Return what runs by itself and has no recipient for failures, slow runs or findings."""
    if bundle.get("presets", {}).get("trigger_pause_status") == "PAUSED":
        return []
    found = []
    for name, job in bundle["resources"]["jobs"].items():
        for event in ("on_failure", "on_duration_warning_threshold_exceeded"):
            emails = job.get("email_notifications", {}).get(event) or []
            webhooks = job.get("webhook_notifications", {}).get(event) or []
            addresses = [*emails, *(webhook.get("id") for webhook in webhooks)]
            found += [f"jobs.{name}: no recipient of {event}"] * (not any(addresses))
    for name, alert in bundle["resources"].get("alerts", {}).items():
        subscriptions = alert["evaluation"].get("notification", {}).get("subscriptions") or []
        addresses = [address for one in subscriptions for address in one.values()]
        found += [f"alerts.{name}: no recipient"] * (not any(addresses))
    return found


def unmeasured_jobs(bundle: Config) -> list[str]:
    """Return jobs without a warning of their duration before they time out."""
    found = []
    for name, job in bundle["resources"]["jobs"].items():
        limits = [
            rule["value"]
            for rule in job.get("health", {}).get("rules", [])
            if (rule["metric"], rule["op"]) == ("RUN_DURATION_SECONDS", "GREATER_THAN")
        ]
        if not limits or max(limits) >= job["timeout_seconds"]:
            found.append(f"jobs.{name}: no warning before {job['timeout_seconds']} s")
    return found


def task_graph(bundle: Config) -> str:
    """Draw every job as text: its trigger, and each task with those that it waits for."""
    lines = []
    for name, job in sorted(bundle["resources"]["jobs"].items()):
        trigger = job.get("trigger", {}).get("file_arrival", {}).get("url")
        schedule = job.get("schedule", {}).get("quartz_cron_expression")
        started = (
            f"files in {trigger}" if trigger else f"cron {schedule}" if schedule else "by hand"
        )
        lines.append(f"{name}  ({started})")
        for task in job["tasks"]:
            waits = ", ".join(item["task_key"] for item in task.get("depends_on", []))
            lines.append(f"  {waits + ' -> ' if waits else ''}{task['task_key']}: {_work(task)}")
        lines.append("")
    return "\n".join(lines)


def _work(task: Config) -> str:
    if "run_job_task" in task:
        return f"run {task['run_job_task']['job_id']}"
    if "spark_python_task" in task:
        return str(task["spark_python_task"]["python_file"])
    if condition := task.get("condition_task"):
        return f"{condition['left']} {condition['op']} {condition['right']}?"
    return "; ".join(_commands(task))
