"""The bundle, checked without a workspace: errors of a deployment, and the project's own rules.

`UPDATE_GOLDEN=1 python -m pytest tests/python/delivery/test_bundle.py` redraws the task graph.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import pytest

from ingestion.auto_loader import build_parser
from project.home import CHECKOUT
from project.targets import databricks_targets
from support import bundle_config
from support.platform_runs import Home
from workspace.bundle import Config, deployed, read_bundle

GOLDEN: Final = CHECKOUT / "tests" / "python" / "delivery" / "golden" / "task_graph.txt"
TARGETS: Final = tuple(read_bundle(CHECKOUT)["targets"])
# The free edition has no account groups, so nothing is granted there.
GOVERNED: Final = databricks_targets()
GROUPS: Final = {
    "ecommerce_pipeline",
    "ecommerce_platform_admins",
    "ecommerce_data_engineers",
    "ecommerce_data_scientists",
    "ecommerce_business_analysts",
}


@pytest.fixture(scope="module")
def root() -> Config:
    return read_bundle(CHECKOUT)


@pytest.fixture(params=TARGETS)
def bundle(root: Config, request: pytest.FixtureRequest) -> Config:
    return deployed(root, request.param)


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    text = (CHECKOUT / "requirements-dev.txt").read_text("utf-8")
    return dict(re.findall(r"^([\w.-]+)(?:\[\w+\])?==(\S+)", text, re.M))


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
        *bundle_config.unknown_job_parameters(bundle),
        *bundle_config.gate_faults(bundle),
        *bundle_config.target_faults(root),
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


@pytest.mark.parametrize(
    ("change", "finding"),
    [
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
        assert parameters["vars"]["policies"] is ("catalogs" in bundle["resources"]), words


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
    import yaml

    given = {
        name
        for target in TARGETS
        for words in bundle_config.dbt_commands(deployed(root, target))
        for name in parse_dbt_command(words).get("vars") or {}
    }
    project = yaml.safe_load((CHECKOUT / "dbt_project.yml").read_text("utf-8"))
    assert given == {"declarative", "policies"}
    assert given <= set(project["vars"])


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


def test_the_loader_accepts_every_argument_of_its_task(bundle: Config) -> None:
    parser = build_parser()
    [task] = [
        task["spark_python_task"]
        for _, _, task in bundle_config.tasks(bundle)
        if "spark_python_task" in task
    ]
    job = bundle["resources"]["jobs"]["bronze_ingestion_job"]
    values = {item["name"]: item["default"] for item in job["parameters"]}
    arguments = [
        re.sub(r"\{\{job\.parameters\.(\w+)\}\}", lambda match: values[match[1]], text)
        for text in task["parameters"]
    ]
    parsed = parser.parse_args(arguments)
    assert parsed.mode == "triggered"
    # The script cannot know where the bundle's files are.
    assert parsed.code == "${workspace.file_path}"
    assert (CHECKOUT / "resources" / task["python_file"]).is_file()


def test_names_match_the_rest_of_the_project(root: Config) -> None:
    for target in TARGETS:
        bundle = deployed(root, target)
        resources = bundle["resources"]
        catalog = f"ecommerce_analytics_{'dev' if target == 'free' else target}"
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
        assert job["email_notifications"]["on_failure"] == [], name
    loaders = [name for name, _, task in bundle_config.tasks(bundle) if "spark_python_task" in task]
    assert loaders == ["bronze_ingestion_job"], "a second stream would break the checkpoint"


def test_the_task_graph_equals_the_golden_file(root: Config) -> None:
    drawn = bundle_config.task_graph(deployed(root, "prod"))
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(drawn, encoding="utf-8")
    assert drawn == GOLDEN.read_text("utf-8"), f"see {Path(__file__).name} for how to redraw it"
