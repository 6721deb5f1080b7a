"""The bundle, checked without a workspace: errors of a deployment, and the project's own rules.

`UPDATE_GOLDEN=1 python -m pytest tests/python/delivery/test_bundle.py` redraws the task graph and
writes the pins of the dbt tasks, from requirements-dev.txt.
"""

from __future__ import annotations

import copy
import importlib.metadata
import inspect
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml
from databricks.sdk.service.jobs import JobsAPI
from jinja2 import Template
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from governance import job as governance_job
from ingestion import auto_loader
from project.home import CHECKOUT
from project.targets import CATALOG_VARIABLE, catalog_of_target, databricks_targets
from project.yml import read_yml
from support import bundle_config
from support.bundle_identities import (
    Identity,
    refusals,
    repeated_principals,
    undeclared_managers,
)
from support.platform_runs import Home
from workspace import monitors
from workspace.bundle import Config, deployed, read_bundle

GOLDEN: Final = CHECKOUT / "tests" / "python" / "delivery" / "golden" / "task_graph.txt"
TARGETS: Final = tuple(read_bundle(CHECKOUT)["targets"])
# The free edition has no account groups, so nothing is granted there.
GOVERNED: Final = databricks_targets()
# Of environment version 4, by the release notes of serverless environments.
SERVERLESS_PYTHON: Final = "3.12"
ENVIRONMENT: Final = CHECKOUT / "resources" / "dbt_environment.yml"
GROUPS: Final = {
    "ecommerce_pipeline",
    "ecommerce_platform_admins",
    "ecommerce_data_engineers",
    "ecommerce_data_scientists",
    "ecommerce_business_analysts",
}


RECIPIENT: Final = "team@shop.example"


@pytest.fixture(scope="module")
def root() -> Config:
    """The bundle, with the one variable for which the CLI asks a deployer of prod."""
    bundle = read_bundle(CHECKOUT)
    bundle["variables"]["alert_email"]["default"] = RECIPIENT
    return bundle


@pytest.fixture(params=TARGETS)
def bundle(root: Config, request: pytest.FixtureRequest) -> Config:
    return deployed(root, request.param)


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    """Return the version that the tests have of each package, under the environment's Python."""
    text = (CHECKOUT / "requirements-dev.txt").read_text("utf-8")
    marker = {"python_version": SERVERLESS_PYTHON, "python_full_version": f"{SERVERLESS_PYTHON}.0"}
    pinned = [Requirement(line) for line in re.findall(r"^([\w.-]+.*==.*?) \\$", text, re.M)]
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in pinned
        if pin.marker is None or pin.marker.evaluate(marker)
    }


def test_the_environment_names_all_that_dbt_needs(pins: dict[str, str]) -> None:
    first = ["dbt-core", "dbt-databricks"]
    needed = bundle_config.required(*first, python=SERVERLESS_PYTHON)
    names = [*first, *sorted(needed - set(first))]
    head, key, _ = ENVIRONMENT.read_text("utf-8").partition("      dependencies:\n")
    written = head + key + "".join(f"        - {name}=={pins[name]}\n" for name in names)
    if os.environ.get("UPDATE_GOLDEN"):
        ENVIRONMENT.write_text(written, encoding="utf-8")
    assert ENVIRONMENT.read_text("utf-8") == written, (
        f"see {Path(__file__).name} for how to write the list"
    )
    # These floated when two packages were pinned, and with them the SQL that dbt sends.
    assert {"databricks-sql-connector", "databricks-sdk", "thrift", "dbt-adapters"} <= needed


def test_the_bundle_is_checked_by_the_version_that_it_asks_for(
    root: Config, pins: dict[str, str]
) -> None:
    version = importlib.metadata.version("databricks-bundles")
    assert pins["databricks-bundles"] == version
    assert root["bundle"]["databricks_cli_version"] == f">= {version}", (
        "databricks.yml names the CLI of the workflows: raise it with databricks-bundles"
    )


def faults(root: Config, target: str, pins: dict[str, str]) -> list[str]:
    """Return all findings for a target and for the parts outside targets."""
    bundle = deployed(root, target)
    return [
        *bundle_config.unknown_keys(root),
        *bundle_config.refused_resources(bundle),
        *bundle_config.dangling_references(bundle),
        *bundle_config.missing_paths(bundle, CHECKOUT),
        *bundle_config.missing_environments(bundle),
        *bundle_config.unpinned_dependencies(bundle, pins),
        *bundle_config.retried_tasks(bundle),
        *bundle_config.unordered_triggers(root),
        *bundle_config.unbounded_policies(bundle),
        *bundle_config.unknown_job_parameters(bundle),
        *bundle_config.gate_faults(bundle),
        *bundle_config.target_faults(root),
        *bundle_config.unprotected(root),
        *bundle_config.unheard(bundle),
        *bundle_config.unmeasured_jobs(bundle),
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_the_bundle_has_no_faults(root: Config, pins: dict[str, str], target: str) -> None:
    found = faults(root, target, pins)
    assert found == []


def plant(*path: str | int, value: Any) -> Callable[[Config], None]:
    """Return a change of the bundle that sets one value; None removes it."""

    def change(root: Config) -> None:
        place: Any = root
        for key in path[:-1]:
            place = place[key]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return change


FULL: Final = ("resources", "jobs", "full_pipeline_job")
SILVER: Final = (*FULL, "tasks", 1)
GATE: Final = (*FULL, "tasks", 2)
GOLD: Final = (*FULL, "tasks", 3)
POLICY: Final = (
    *("targets", "dev", "resources", "cluster_policies"),
    *("interactive", "definition"),
)
DEV_ALERT: Final = ("targets", "dev", "resources", "alerts", "gate_shut")
PROD: Final = ("targets", "prod", "variables")


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (plant(*FULL, "health", value=None), "full_pipeline_job: no warning before 14400 s"),
        (plant(*FULL, "timeout_seconds", value=7200), "no warning before 7200 s"),
        (plant(*DEV_ALERT, "evaluation", "limit", value=0), "Unexpected field 'limit'"),
        (plant(*DEV_ALERT, "query_text", value="${var.alert_none}"), "${var.alert_none}"),
        (plant(*SILVER, "dbt_task", "warehous_id", value="x"), "Unexpected field 'warehous_id'"),
        (plant(*FULL, "max_concurrent_runs", value="many"), "invalid literal for int"),
        (plant(*FULL, "performance_target", value="CHEAP"), "CHEAP"),
        (plant("resources", "schemas", "gold", "name", value=None), "missing 1 required"),
        (plant("bundel", value={}), "databricks.yml: bundel"),
        (plant("targets", "dev", "modus", value="development"), "targets.dev: modus"),
        (plant("targets", "dev", "variables", "storage", value="x"), "storage is not declared"),
        (plant("variables", "catalog", "defualt", value="x"), "variables.catalog: defualt"),
        (plant("variables", "catalog", "default", value="${var.katalog}"), "${var.katalog}"),
        (
            plant(*FULL, "tasks", 0, "run_job_task", "job_id", value="${resources.jobs.bronze.id}"),
            "${resources.jobs.bronze.id}",
        ),
        (plant(*SILVER, "dbt_task", "project_directory", value="../dbt"), "silver: ../dbt"),
        (plant(*GATE, "dbt_task", "commands", value=["dbt debug"]), "0 tasks run the quality gate"),
        (plant(*GOLD, "depends_on", value=[{"task_key": "silver"}]), "gold does not wait for gate"),
        (plant(*GOLD, "depends_on", value=None), "gold does not wait for gate"),
        (plant(*GATE, "depends_on", value=None), "gate does not wait for silver"),
        (plant(*GATE, "depends_on", value=[{"task_key": "sliver"}]), "sliver, which is not a task"),
        (plant(*GOLD, "run_if", value="ALL_DONE"), "gold: run_if"),
        (plant(*GATE, "disabled", value=True), "gate: disabled"),
        (plant("targets", "dev", "presets", value=None), "dev is not paused"),
        (
            plant(*FULL, "schedule", "pause_status", value="UNPAUSED"),
            "full_pipeline_job.schedule has a pause_status of its own",
        ),
        (plant("targets", "prod", "run_as", value=None), "prod does not run as the service"),
        (plant("targets", "prod", "mode", value=None), "prod has no mode"),
        (
            plant("targets", "prod", "resources", "catalogs", "analytics", "lifecycle", value=None),
            "prod: catalogs.analytics may be dropped",
        ),
        (plant("resources", "pipelines", value={"x": {}}), "pipelines: not a kind of resource"),
        (plant(*GATE, "environment_key", value="dbtt"), "full_pipeline_job.gate"),
        (
            plant(
                "variables", "dbt_environment", "default", "dependencies", 1, value="dbt-databricks"
            ),
            "full_pipeline_job.dbt: dbt-databricks",
        ),
        (
            plant(
                "variables",
                "dbt_environment",
                "default",
                "dependencies",
                1,
                value="dbt-databricks==1.12.6",
            ),
            "full_pipeline_job.dbt: dbt-databricks==1.12.6",
        ),
        (plant(*GATE, "disable_auto_optimization", value=None), "full_pipeline_job.gate: retried"),
        (plant(*GOLD, "max_retries", value=2), "full_pipeline_job.gold: retried"),
        (
            plant(
                *("resources", "jobs", "bronze_ingestion_job", "trigger", "file_arrival", "url"),
                value="/Volumes/${var.catalog}/bronze_layer/raw_data/landing/",
            ),
            "bronze_ingestion_job: /Volumes/",
        ),
        (
            plant(
                *("resources", "jobs", "bronze_ingestion_job", "trigger", "file_arrival", "url"),
                value="${resources.volumes.raw_data.volume_path}/landing/",
            ),
            "bronze_ingestion_job: ${resources.volumes.raw_data.volume_path}",
        ),
        (plant(*POLICY, "dbus_per_hour", value=None), "interactive: no limit of dbus_per_hour"),
        (
            plant(*POLICY, "custom_tags.ResourceClass", value=None),
            "interactive: no workers, and not a single node",
        ),
        (
            plant(
                "resources", "jobs", "bronze_ingestion_job", "parameters", 0, "name", value="src"
            ),
            "bronze_ingestion_job: source",
        ),
    ],
)
def test_a_planted_fault_is_found(
    root: Config, pins: dict[str, str], change: Callable[[Config], None], finding: str
) -> None:
    broken = copy.deepcopy(root)
    change(broken)
    assert any(finding in found for found in faults(broken, "dev", pins))


# --- identities: a person or a principal deploys; on staging and prod another principal runs ---

PERSON: Final = Identity("user_name", "ada@shop", frozenset({"ecommerce_data_engineers"}))
DEPLOYER: Final = Identity("service_principal_name", "11111111-aaaa-4bbb-8ccc-dddddddddddd")
PIPELINE: Final = Identity(
    "service_principal_name",
    "22222222-aaaa-4bbb-8ccc-dddddddddddd",
    frozenset({"ecommerce_pipeline"}),
)


def deployed_by(root: Config, target: str, deployer: Identity) -> Config:
    """Return the bundle as that identity deploys it, with the pipeline's principal beside it."""
    given: dict[str, Any] = {
        "workspace.current_user.userName": deployer.name,
        "var.pipeline_principal": PIPELINE.name,
    }
    if deployer.kind == "service_principal_name":
        # What deploy.yml writes; test_workflows.py runs the step that does it.
        given["var.deployer"] = {"service_principal_name": deployer.name, "level": "CAN_MANAGE"}
    return deployed(root, target, given)


def identity_faults(bundle: Config, deployer: Identity) -> list[str]:
    runner = PIPELINE if "run_as" in bundle else deployer
    return [
        *undeclared_managers(bundle, deployer),
        *repeated_principals(bundle),
        *refusals(bundle, deployer, runner),
    ]


@pytest.mark.parametrize("deployer", [PERSON, DEPLOYER], ids=["person", "principal"])
@pytest.mark.parametrize("target", TARGETS)
def test_deployer_and_pipeline_may_do_what_they_do(
    root: Config, target: str, deployer: Identity
) -> None:
    bundle = deployed_by(root, target, deployer)
    assert identity_faults(bundle, deployer) == []
    principal = bundle.get("run_as", {}).get("service_principal_name")
    assert principal == (PIPELINE.name if target in ("staging", "prod") else None)


STAGING: Final = ("targets", "staging")
WAREHOUSE: Final = (*STAGING, "resources", "sql_warehouses", "analytics")


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        # Before: groups alone were declared, so `validate --strict` failed for each deployer.
        (plant(*STAGING, "permissions", 2, value=None), "manages the folder"),
        # Before: the pipeline's principal could look at the job that it starts, and no more.
        (
            plant(*STAGING, "resources", "jobs", "bronze_ingestion_job", "permissions", value=[]),
            f"full_pipeline_job.ingest: {PIPELINE.name} may not use jobs.bronze_ingestion_job",
        ),
        (plant(*STAGING, "permissions", 3, value=None), "cannot read the deployed files"),
        (
            plant(
                *(*WAREHOUSE, "permissions", 0),
                value={"group_name": "ecommerce_data_engineers", "level": "CAN_USE"},
            ),
            "sql_warehouses.analytics: ecommerce_data_engineers",
        ),
        (
            plant(
                *(*STAGING, "resources", "sql_warehouses", "analytics", "permissions", 0),
                value=None,
            ),
            f"full_pipeline_job.silver: {PIPELINE.name} may not use sql_warehouses.analytics",
        ),
    ],
)
def test_a_missing_right_is_found(
    root: Config, change: Callable[[Config], None], finding: str
) -> None:
    broken = copy.deepcopy(root)
    change(broken)
    bundle = deployed_by(broken, "staging", DEPLOYER)
    assert any(finding in found for found in identity_faults(bundle, DEPLOYER))


def test_one_principal_for_both_is_found(root: Config) -> None:
    # Its two levels would be in one list, which Databricks refuses as ambiguous.
    given = {
        "var.pipeline_principal": DEPLOYER.name,
        "var.deployer": {"service_principal_name": DEPLOYER.name, "level": "CAN_MANAGE"},
    }
    found = repeated_principals(deployed(root, "staging", given))
    assert found == [f"permissions: {DEPLOYER.name}"]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (plant("variables", "alert_email", "default", value=""), "no recipient"),
        (plant("variables", "alert_email", "default", value=""), "no recipient of on_failure"),
        (plant(*PROD, "alert_subscriptions", value=None), "gate_shut: no recipient"),
        (
            plant(*PROD, "notification_emails", value=None),
            "weekly_checks_job: no recipient of on_f",
        ),
        (
            plant(*FULL, "email_notifications", "on_duration_warning_threshold_exceeded", value=[]),
            "full_pipeline_job: no recipient of on_duration_warning_threshold_exceeded",
        ),
    ],
)
def test_what_runs_by_itself_must_reach_somebody(
    root: Config, pins: dict[str, str], change: Callable[[Config], None], finding: str
) -> None:
    silent = copy.deepcopy(root)
    change(silent)
    assert any(finding in found for found in faults(silent, "prod", pins))


def test_the_cli_asks_for_a_recipient_where_alerts_run() -> None:
    asked = {
        name: bundle_config.unassigned_variables(read_bundle(CHECKOUT), name) for name in TARGETS
    }
    assert asked == {name: ["alert_email"] * (name == "prod") for name in TARGETS}


@pytest.mark.parametrize("target", GOVERNED)
def test_alerts_compare_a_column_of_their_query(root: Config, target: str) -> None:
    for name, alert in deployed(root, target)["resources"]["alerts"].items():
        evaluation = alert["evaluation"]
        assert f"as {evaluation['source']['name']}" in alert["query_text"], name
        # An aggregation would leave nothing but its result in the message.
        assert "aggregation" not in evaluation["source"], name
        assert evaluation["empty_result_state"] == "OK", name


@pytest.mark.parametrize("target", GOVERNED)
def test_each_alert_names_the_section_that_says_what_to_do(root: Config, target: str) -> None:
    page = (CHECKOUT / "docs" / "operations.md").read_text("utf-8")
    for name, alert in deployed(root, target)["resources"]["alerts"].items():
        [title] = re.findall(
            r'What to do: docs/operations.md, "([^"]+)"', alert["custom_description"]
        )
        [section] = re.findall(rf"^### {title}\n(.*?)^##", page, re.DOTALL | re.MULTILINE)
        assert f"`analyses/alerts/{name}.sql`" in section, name
        assert alert["display_name"].startswith(title), name


def test_every_dbt_command_parses(bundle: Config, manifest: dict[str, Any]) -> None:
    commands = bundle_config.dbt_commands(bundle)
    assert len(commands) >= 5
    macros = {macro["name"] for macro in manifest["macros"].values()}
    for words in commands:
        parameters = parse_dbt_command(words)
        # Databricks writes the profile, with one target.
        assert parameters.get("target") is None, words
        if parameters.get("selector"):
            assert parameters["selector"] in manifest["selectors"], words
        if parameters.get("macro"):
            assert parameters["macro"] in macros, words
        # Policies need the account's groups: all commands of a job must agree on the variable.
        kind = "table" if "catalogs" in bundle["resources"] else "none"
        assert parameters["vars"]["policies"] == kind, words


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("dbt biuld", "biuld"),
        ("dbt build --selectors silver", "--selectors"),
        ("dbt run-operation", "macro"),
    ],
)
def test_a_wrong_dbt_command_is_rejected(command: str, message: str) -> None:
    with pytest.raises((click.UsageError, KeyError), match=message):
        parse_dbt_command(command.split())


def parse_dbt_command(words: list[str]) -> dict[str, Any]:
    """Parse a command line with dbt's own parser."""
    from dbt.cli.main import cli

    assert words[0] == "dbt"
    command: click.Command = cli
    rest = words[1:]
    while isinstance(command, click.Group):
        command = command.commands[rest.pop(0)]
    return command.make_context(command.name, rest).params


def test_every_variable_passed_to_dbt_is_declared(root: Config, manifest: dict[str, Any]) -> None:
    given = {
        name
        for target in TARGETS
        for words in bundle_config.dbt_commands(deployed(root, target))
        for name in parse_dbt_command(words).get("vars") or {}
    }
    project = yaml.safe_load((CHECKOUT / "dbt_project.yml").read_text("utf-8"))
    assert given == {"check_hours", "declarative", "policies"}
    assert given <= set(project["vars"])


def test_a_python_model_ends_before_its_job(root: Config, manifest: dict[str, Any]) -> None:
    """It is a run of its own, which goes on where dbt has died with its task."""
    limit = root["resources"]["jobs"]["full_pipeline_job"]["timeout_seconds"]
    models = [node for node in manifest["nodes"].values() if node.get("language") == "python"]
    assert models
    for model in models:
        # dbt-databricks passes on what is here by name.
        [(setting, seconds)] = model["config"].get("python_job_config", {"none": limit}).items()
        assert setting in inspect.signature(JobsAPI.submit).parameters, model["name"]
        assert 0 < seconds < limit, model["name"]


def test_no_model_depends_on_the_name_of_a_target(root: Config) -> None:
    """Databricks writes the profile of a dbt task, with a target name of its own."""
    files = [CHECKOUT / "dbt_project.yml"]
    files += [
        path
        for folder in ("macros", "models", "snapshots")
        for path in (CHECKOUT / folder).rglob("*.*")
        if path.suffix != ".pyc"
    ]
    assert [path for path in files if "target.name" in path.read_text("utf-8")] == []
    project = yaml.safe_load((CHECKOUT / "dbt_project.yml").read_text("utf-8"))
    condition = project["models"]["ecommerce_analytics"]["gold"]["metric_views"]["+enabled"]
    for name in GOVERNED:
        catalog = deployed(root, name)["resources"]["catalogs"]["analytics"]["name"]
        target = {"name": "databricks_cluster", "database": catalog}
        rendered = Template(condition).render(target=target)
        assert rendered == str(name in ("staging", "prod")), name


@pytest.mark.slow
def test_silver_and_gold_build_everything_once(tmp_path: Path, manifest: dict[str, Any]) -> None:
    home = Home(tmp_path)
    parts = [
        home.dbt(
            *("-q", "ls", *selection, "--output", "json", "--output-keys", "unique_id"),
            # These are read by people and tools; no build makes them.
            *("--exclude-resource-type", "analysis", "--exclude-resource-type", "exposure"),
            *("--exclude-resource-type", "metric", "--exclude-resource-type", "semantic_model"),
        )
        .stdout.strip()
        .splitlines()
        for selection in (["--selector", "silver"], ["--selector", "gold"], [])
    ]
    silver, gold, everything = ({json.loads(line)["unique_id"] for line in part} for part in parts)
    assert not silver & gold
    assert silver | gold == everything
    # What silver's step builds and tests needs nothing of gold's.
    for name in silver:
        assert not set(manifest["parent_map"].get(name, [])) & gold, name


def test_every_script_is_given_the_folder_of_its_packages(root: Config) -> None:
    for name in GOVERNED:
        scripts = [
            task["spark_python_task"]
            for _, _, task in bundle_config.tasks(deployed(root, name))
            if "spark_python_task" in task
        ]
        assert len(scripts) >= 3
        for script in scripts:
            assert "--code=${workspace.file_path}" in script["parameters"], script["python_file"]


def test_the_loader_accepts_every_argument_of_its_task(bundle: Config) -> None:
    task = bundle["resources"]["jobs"]["bronze_ingestion_job"]["tasks"][0]["spark_python_task"]
    job = bundle["resources"]["jobs"]["bronze_ingestion_job"]
    values = {item["name"]: item["default"] for item in job["parameters"]}
    arguments = [
        re.sub(r"\{\{job\.parameters\.(\w+)\}\}", lambda match: values[match[1]], text)
        for text in task["parameters"]
    ]
    parsed = auto_loader.build_parser().parse_args(arguments)
    assert parsed.mode == "triggered"
    # The script cannot know where the bundle's files are.
    assert parsed.code == "${workspace.file_path}"
    assert (CHECKOUT / "resources" / task["python_file"]).is_file()


@pytest.mark.parametrize("target", GOVERNED)
def test_the_governance_check_accepts_every_argument_of_its_task(root: Config, target: str) -> None:
    by_tags = copy.deepcopy(root)
    by_tags["variables"]["policies"]["default"] = "attribute"
    for bundle, policies in ((root, "table"), (by_tags, "attribute")):
        given = {"var.catalog": "mine"}
        job = deployed(bundle, target, given)["resources"]["jobs"]["governance_check_job"]
        [task] = job["tasks"]
        parsed = governance_job.build_parser().parse_args(task["spark_python_task"]["parameters"])
        assert parsed.target == target and "sql_warehouses.analytics" in parsed.warehouse_id
        # By default it would look at the target's own catalog, which may be another developer's.
        assert parsed.catalog == "mine"
        # What the dbt tasks build with is what is declared.
        assert parsed.policies == policies


@pytest.mark.parametrize("target", GOVERNED)
def test_only_the_governance_check_runs_as_another_than_the_pipeline(
    root: Config, target: str
) -> None:
    split = copy.deepcopy(root)
    split["variables"]["pipeline_principal"]["default"] = "pipeline"
    split["variables"]["catalog_owner"]["default"] = "deployer"
    bundle = deployed(split, target)
    assert bundle.get("run_as", {}).get("service_principal_name") in ("pipeline", None)
    own = {
        name: job["run_as"] for name, job in bundle["resources"]["jobs"].items() if "run_as" in job
    }
    # On dev the one who deploys runs the jobs too.
    expected = {"governance_check_job": {"service_principal_name": "deployer"}}
    assert own == ({} if target == "dev" else expected)


@pytest.mark.parametrize("target", TARGETS)
def test_monitors_are_off_and_the_free_edition_has_no_job_for_them(
    root: Config, target: str
) -> None:
    job = deployed(root, target)["resources"]["jobs"].get("data_quality_job")
    assert (job is None) == (target == "free")
    if job:
        allowed, monitoring = job["tasks"]
        assert allowed["condition_task"] == {"left": "false", "op": "EQUAL_TO", "right": "true"}
        assert monitoring["depends_on"] == [{"task_key": allowed["task_key"], "outcome": "true"}]
        monitors.build_parser().parse_args(monitoring["spark_python_task"]["parameters"])


def test_names_match_the_rest_of_the_project(root: Config) -> None:
    for target in TARGETS:
        bundle = deployed(root, target)
        resources = bundle["resources"]
        catalog = catalog_of_target("dev" if target == "free" else target)
        assert {schema["catalog_name"] for schema in resources["schemas"].values()} == {catalog}
        assert sorted(schema["name"] for schema in resources["schemas"].values()) == [
            "bronze_layer",
            "gold_layer",
            "intermediate_layer",
            "silver_layer",
        ]
        assert {
            (volume["catalog_name"], volume["schema_name"], volume["name"])
            for volume in resources["volumes"].values()
        } == {(catalog, "bronze_layer", "raw_data"), (catalog, "bronze_layer", "checkpoints")}
        trigger = resources["jobs"]["bronze_ingestion_job"]["trigger"]["file_arrival"]
        assert trigger["url"] == f"/Volumes/{catalog}/bronze_layer/raw_data/landing/"
        assert catalog not in str(deployed(root, target, {"var.catalog": "mine"}))
    outputs = read_yml(CHECKOUT / "profiles.yml")["ecommerce_analytics"]["outputs"]
    for target in GOVERNED:
        for given in ("", "mine"):
            read = {CATALOG_VARIABLE: given}.get
            profile = Template(outputs[target]["catalog"]).render(env_var=read)
            assert profile == (given or catalog_of_target(target))
    # Development mode would prefix each schema with the user's name.
    assert root["experimental"]["skip_name_prefix_for_schema"] is True


@pytest.mark.parametrize("target", GOVERNED)
def test_grants_are_least_privilege(root: Config, target: str) -> None:
    resources = deployed(root, target)["resources"]
    granted = {
        (kind, key, grant["principal"]): set(grant["privileges"])
        for kind in ("catalogs", "schemas", "volumes", "external_locations")
        for key, resource in resources[kind].items()
        for grant in resource["grants"]
    }
    assert {principal for _, _, principal in granted} == GROUPS
    # Only admins hold more than one privilege in one word, and only at the top.
    assert {
        (kind, principal) for (kind, _, principal), p in granted.items() if "ALL_PRIVILEGES" in p
    } == {
        ("catalogs", "ecommerce_platform_admins"),
        ("external_locations", "ecommerce_platform_admins"),
    }
    reading = {"SELECT", "READ_VOLUME"}
    assert {
        (key, principal)
        for (_, key, principal), privileges in granted.items()
        if privileges & reading
    } == {
        ("bronze", "ecommerce_data_engineers"),
        ("raw_data", "ecommerce_data_engineers"),
        ("checkpoints", "ecommerce_data_engineers"),
        ("raw_data", "ecommerce_pipeline"),
        ("checkpoints", "ecommerce_pipeline"),
    }
    assert {principal for kind, key, principal in granted if key == "gold"} == GROUPS - {
        "ecommerce_platform_admins"
    }
    assert not any(
        principal == "ecommerce_business_analysts" and key in ("bronze", "silver", "intermediate")
        for _, key, principal in granted
    )
    creators = {p for (_, _, p), privileges in granted.items() if "CREATE_TABLE" in privileges}
    assert creators == {"ecommerce_pipeline"}


def test_the_free_edition_gets_no_unsupported_resource(root: Config) -> None:
    free = deployed(root, "free")
    assert set(free["resources"]) == {"jobs", "schemas", "volumes"}
    assert not [text for path, text in bundle_config.strings(free) if "ecommerce_pipeline" in text]
    assert "run_as" not in free
    assert not any(
        "grants" in item for kind in free["resources"].values() for item in kind.values()
    )


def test_every_target_has_its_mode(root: Config) -> None:
    modes = {name: target["mode"] for name, target in root["targets"].items()}
    assert modes.items() >= {"dev": "development", "free": "development"}.items()
    # All others are what people rely on.
    assert {mode for name, mode in modes.items() if name not in ("dev", "free")} == {"production"}


def test_jobs_do_not_overlap_and_have_a_timeout(bundle: Config) -> None:
    for name, job in bundle["resources"]["jobs"].items():
        assert job["max_concurrent_runs"] == 1, name
        assert job["queue"] == {"enabled": True}, name
        assert 0 < job["timeout_seconds"] <= 4 * 3600, name
    loaders = [
        name
        for name, _, task in bundle_config.tasks(bundle)
        if "auto_loader" in task.get("spark_python_task", {}).get("python_file", "")
    ]
    assert loaders == ["bronze_ingestion_job"], "a second stream would break the checkpoint"


def test_the_task_graph_equals_the_golden_file(root: Config) -> None:
    drawn = bundle_config.task_graph(deployed(root, "prod"))
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(drawn, encoding="utf-8")
    assert drawn == GOLDEN.read_text("utf-8"), f"see {Path(__file__).name} for how to redraw it"
