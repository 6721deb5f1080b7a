"""The workflows: linted, least privilege, no ignored failure, every deployment reachable."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
import yaml

from project.home import CHECKOUT
from support.bundle_identities import Identity, undeclared_managers
from workspace.bundle import deployed, read_bundle

Workflow: TypeAlias = dict[str, Any]

FOLDER: Final = CHECKOUT / ".github" / "workflows"
WORKFLOWS: Final = sorted(FOLDER.glob("*.yml"))
ACTION: Final = CHECKOUT / ".github" / "actions" / "databricks" / "action.yml"
PINNED: Final = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
SWALLOWED: Final = re.compile(r"\|\|\s*(true|:|echo|exit 0)|set \+e|continue-on-error|--no-fail")


def load(name: str) -> Workflow:
    # As on GitHub: in YAML 1.1, `on` would be a boolean.
    workflow: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    workflow["on"] = workflow.pop(True)
    return workflow


@pytest.fixture(scope="module")
def deploy() -> Workflow:
    return load("deploy.yml")


def test_all_workflows_are_covered() -> None:
    names = ["deploy.yml", "docs.yml", "impact.yml", "pull_request.yml"]
    assert [path.name for path in WORKFLOWS] == names


@pytest.mark.parametrize(
    ("linter", "files"),
    [
        (("zizmor", "--offline", "--no-progress"), [*WORKFLOWS, ACTION]),
        (("check-jsonschema", "--builtin-schema", "vendor.github-workflows"), WORKFLOWS),
        (("check-jsonschema", "--builtin-schema", "vendor.github-actions"), [ACTION]),
    ],
    ids=["zizmor", "workflows", "actions"],
)
def test_linters_find_nothing(linter: tuple[str, ...], files: list[Path]) -> None:
    command = [str(Path(sys.executable).with_name(linter[0])), *linter[1:], *map(str, files)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_planted_injection_is_found(tmp_path: Path) -> None:
    text = (FOLDER / "pull_request.yml").read_text("utf-8")
    broken = tmp_path / "pull_request.yml"
    broken.write_text(text.replace("run: make check", "run: echo ${{ github.head_ref }}"), "utf-8")
    command = [str(Path(sys.executable).with_name("zizmor")), "--offline", "--no-progress"]
    result = subprocess.run([*command, str(broken)], capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "template-injection" in result.stdout


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: path.name)
def test_actions_are_pinned_and_no_failure_is_ignored(path: Path) -> None:
    text = path.read_text("utf-8")
    for used in re.findall(r"uses: (.+)", text):
        assert PINNED.fullmatch(used) or used.startswith("$/.github/"), used
    assert not SWALLOWED.search(text)
    assert "pull_request_target" not in text
    assert "workflow_run" not in text
    assert "secrets." not in text
    assert "secrets: inherit" not in text
    # Each action has one version in all workflows.
    pins = [
        pin
        for p in (*WORKFLOWS, ACTION)
        for pin in re.findall(r"uses: (.+@.+)", p.read_text("utf-8"))
    ]
    assert len({pin.split("@")[0] for pin in pins}) == len(set(pins))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_permissions_are_minimal(path: Path) -> None:
    workflow = load(path.name)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        writes = {key for key, level in job.get("permissions", {}).items() if level == "write"}
        more = {"publish": {"id-token", "pages"}, "comment": {"pull-requests"}}
        assert writes <= more.get(name, {"id-token"}), name
        # Only jobs with the rules of an environment get an identity.
        assert ("environment" in job) == ("id-token" in writes), name
        if "uses" not in job:
            assert job["timeout-minutes"] <= 240, name


def test_a_pull_request_runs_what_a_developer_runs() -> None:
    jobs = load("pull_request.yml")["jobs"]
    commands = {
        name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()
    }
    assert commands == {"check": ["make check"], "slow": ["make slow"]}
    assert (CHECKOUT / ".ci" / "run").read_text("utf-8").endswith("exec make test\n")
    # With `slow` as the complement of `check`, the two are `make test`.
    makefile = (CHECKOUT / "Makefile").read_text("utf-8")
    assert '$(PYTEST) -m "$(QUICK)"' in makefile
    assert '$(PYTEST) -m "not ($(QUICK))"' in makefile
    assert all("environment" not in job for job in jobs.values())


def test_the_job_that_may_comment_runs_no_code_of_the_change() -> None:
    jobs = load("impact.yml")["jobs"]
    assert "permissions" not in jobs["compare"]
    [step] = jobs["comment"]["steps"]
    assert step["run"].startswith("gh pr comment ")
    assert "head.repo.full_name == github.repository" in jobs["comment"]["if"]


def test_check_leaves_out_every_marker() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    lines = project["tool"]["pytest"]["ini_options"]["markers"]
    markers = [line.partition(":")[0] for line in lines]
    makefile = (CHECKOUT / "Makefile").read_text("utf-8")
    assert f"QUICK := not ({' or '.join(markers)})\n" in makefile


def test_the_slow_tests_run_once_in_shards() -> None:
    job = load("pull_request.yml")["jobs"]["slow"]
    assert set(job["strategy"]["matrix"]) == {"shard"}
    shards = job["strategy"]["matrix"]["shard"]
    assert shards == list(range(1, len(shards) + 1))
    [run] = [step for step in job["steps"] if "run" in step]
    assert run["env"] == {"SHARD": "${{ matrix.shard }}", "SHARDS": "${{ strategy.job-total }}"}
    java = next(step for step in job["steps"] if "setup-java" in step.get("uses", ""))
    assert java["with"]["java-version"] == "17"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_pull_request_cancels_the_run_of_another(path: Path) -> None:
    workflow = load(path.name)
    if "pull_request" in workflow["on"]:
        group = workflow["concurrency"]["group"]
        # `github.ref` has the number as well; two forks may each have a branch of one name.
        assert "github.event.number" in group or "github.ref }" in group, group


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_each_deployment_goes_to_the_target_of_its_environment(deploy: Workflow, name: str) -> None:
    job = deploy["jobs"][name]
    assert job["environment"] == name
    assert job["env"]["DATABRICKS_AUTH_TYPE"] == "github-oidc"
    targets = {
        target
        for step in job["steps"]
        for target in re.findall(r"--target (\w+)", step.get("run", ""))
    }
    assert targets == {name}
    assert any("bundle deploy" in step.get("run", "") for step in job["steps"])
    # A job canceled by a push to main would leave an environment half deployed.
    assert "cancel-in-progress" not in job["concurrency"]
    # Whatever the CLI only warns of stops it, before anything is changed.
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands[0] == f"databricks bundle validate --strict --target {name}"


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_the_landing_folder_is_there_before_the_job_that_watches_it(
    deploy: Workflow, name: str
) -> None:
    script = "\n".join(step.get("run", "") for step in deploy["jobs"][name]["steps"])
    bundle = deployed(read_bundle(CHECKOUT), name)
    jobs = bundle["resources"]["jobs"]
    folder = jobs["bronze_ingestion_job"]["trigger"]["file_arrival"]["url"].rstrip("/")
    first, folder_made, everything = (
        script.index(text)
        for text in ("--select ", f"dbfs:{folder}\n", f"bundle deploy --target {name}\n")
    )
    assert first < folder_made < everything
    # A resource that is selected brings its grants and what it refers to.
    [selected] = re.findall(r"--select (\S+)", script)
    for resource in selected.split(","):
        kind, _, key = resource.partition(".")
        assert bundle["resources"][kind][key]["grants"]
        assert kind != "jobs"


def run_step(name: str, folder: Path, **environment: str) -> None:
    """Run one step of the action as GitHub does, in the folder."""
    steps = yaml.safe_load(ACTION.read_text("utf-8"))["runs"]["steps"]
    [script] = [step["run"] for step in steps if step.get("name") == name]
    subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": os.environ["PATH"]} | environment,
        check=True,
    )


def test_the_cli_of_the_workflows_is_the_one_that_checks_the_bundle(
    deploy: Workflow, tmp_path: Path
) -> None:
    (tmp_path / "databricks.yml").write_text((CHECKOUT / "databricks.yml").read_text("utf-8"))
    run_step("Read the version", tmp_path, GITHUB_OUTPUT=str(tmp_path / "output"))
    checked = version("databricks-bundles")
    assert (tmp_path / "output").read_text("utf-8") == f"version={checked}\n"
    for name, job in deploy["jobs"].items():
        script = "\n".join(step.get("run", "") for step in job.get("steps", []))
        used = [step["uses"] for step in job.get("steps", []) if "uses" in step]
        if "databricks bundle" in script:
            assert "$/.github/actions/databricks" in used, name
            assert not any(name.startswith("databricks/setup-cli") for name in used), name


def test_a_constraint_that_the_action_cannot_read_stops_it(tmp_path: Path) -> None:
    (tmp_path / "databricks.yml").write_text("bundle:\n  databricks_cli_version: 1.22.1\n")
    with pytest.raises(subprocess.CalledProcessError):
        run_step("Read the version", tmp_path, GITHUB_OUTPUT=str(tmp_path / "output"))


@pytest.mark.parametrize("name", ["preview", "dev", "staging", "prod"])
def test_the_deployer_of_the_workflows_is_declared(
    deploy: Workflow, name: str, tmp_path: Path
) -> None:
    [given] = [
        step["with"]
        for step in deploy["jobs"][name]["steps"]
        if step.get("uses") == "$/.github/actions/databricks"
    ]
    target = "dev" if name == "preview" else name
    assert given == {"target": target, "client_id": "${{ vars.DATABRICKS_CLIENT_ID }}"}
    deployer = Identity("service_principal_name", "11111111-aaaa-4bbb-8ccc-dddddddddddd")
    run_step("Name the deployer", tmp_path, TARGET=target, CLIENT_ID=deployer.name)
    # Where the CLI looks for the values of variables.
    file = tmp_path / ".databricks" / "bundle" / target / "variable-overrides.json"
    values = {f"var.{key}": value for key, value in json.loads(file.read_text("utf-8")).items()}
    bundle = deployed(read_bundle(CHECKOUT), target, values)
    assert undeclared_managers(bundle, deployer) == []
    # Without the file the principal would be declared as a person.
    values = {"workspace.current_user.userName": deployer.name}
    bundle = deployed(read_bundle(CHECKOUT), target, values)
    assert undeclared_managers(bundle, deployer) != []


def test_the_preview_builds_changes_against_the_base(deploy: Workflow) -> None:
    job = deploy["jobs"]["preview"]
    script = "\n".join(step.get("run", "") for step in job["steps"])
    assert "--select state:modified+" in script
    assert "--defer --state" in script
    prefix = job["env"]["DBT_SCHEMA_PREFIX"]
    assert prefix == deploy["jobs"]["clean_up"]["env"]["PREFIX"] == "pr_${{ github.event.number }}_"


# --- which jobs run ----------------------------------------------------------------------------

ENABLED: Final = {"DATABRICKS_ENABLED": "true"}
PULL_REQUEST: Final = {
    "github.event_name": "pull_request",
    "github.ref": "refs/pull/7/merge",
    "github.repository": "shop/platform",
    "github.event.pull_request.head.repo.full_name": "shop/platform",
}
FORK: Final = PULL_REQUEST | {"github.event.pull_request.head.repo.full_name": "other/platform"}
MAIN: Final = {
    "github.event_name": "push",
    "github.ref": "refs/heads/main",
    "github.repository": "shop/platform",
}
BY_HAND: Final = MAIN | {"github.event_name": "workflow_dispatch"}
BRANCH: Final = BY_HAND | {"github.ref": "refs/heads/feature"}


def jobs_that_run(
    workflow: Workflow,
    event: Mapping[str, str],
    variables: Mapping[str, str],
    failing: tuple[str, ...] = (),
) -> set[str]:
    """Return the jobs that GitHub would start, by the rules for `needs` and `if`.

    A job starts if all jobs that it needs succeeded and its condition is true. A condition with a
    status function replaces the first half of the rule.
    """
    facts = dict(event) | {f"vars.{name}": value for name, value in variables.items()}
    results: dict[str, str] = {}
    waiting = dict(workflow["jobs"])
    while waiting:
        ready = [name for name, job in waiting.items() if set(needs(job)) <= set(results)]
        assert ready, f"jobs wait for each other: {sorted(waiting)}"
        for name in ready:
            job = waiting.pop(name)
            facts |= {f"needs.{other}.result": results[other] for other in needs(job)}
            condition = job.get("if", "true")
            succeeded = all(results[other] == "success" for other in needs(job))
            starts = holds(condition, facts) and (succeeded or "always()" in condition)
            results[name] = ("failure" if name in failing else "success") if starts else "skipped"
    return {name for name, result in results.items() if result != "skipped"}


def needs(job: Workflow) -> list[str]:
    named: str | list[str] = job.get("needs", [])
    return [named] if isinstance(named, str) else named


def holds(condition: str, facts: Mapping[str, str]) -> bool:
    """Evaluate a condition of comparisons, `&&`, `||`, `always()` and parentheses."""
    python = condition.replace("&&", " and ").replace("||", " or ").replace("always()", "True")
    python = re.sub(r"\btrue\b(?!')", "True", python)
    # A fact that the event does not have is empty, as on GitHub.
    python = re.sub(
        r"\b(?:github|vars|needs)(?:\.\w+)+", lambda match: repr(facts.get(match[0], "")), python
    )
    assert not re.search(r"[\w.]+\(", python), f"unknown function: {condition}"
    return bool(eval(python, {"__builtins__": {}}))


@pytest.mark.parametrize(
    ("event", "variables", "failing", "expected"),
    [
        (PULL_REQUEST, ENABLED, (), {"preview", "clean_up"}),
        (PULL_REQUEST, ENABLED, ("preview",), {"preview", "clean_up"}),
        (PULL_REQUEST, {}, (), set()),
        (FORK, ENABLED, (), set()),
        (MAIN, {}, (), {"checks"}),
        (MAIN, ENABLED, (), {"checks", "dev", "staging", "prod"}),
        (BY_HAND, ENABLED, (), {"checks", "dev", "staging", "prod"}),
        (BRANCH, ENABLED, (), {"checks"}),
        (MAIN, ENABLED, ("checks",), {"checks"}),
        (MAIN, ENABLED, ("dev",), {"checks", "dev"}),
        (MAIN, ENABLED, ("staging",), {"checks", "dev", "staging"}),
    ],
)
def test_the_right_jobs_run(
    deploy: Workflow,
    event: Mapping[str, str],
    variables: Mapping[str, str],
    failing: tuple[str, ...],
    expected: set[str],
) -> None:
    assert jobs_that_run(deploy, event, variables, failing) == expected


@pytest.mark.parametrize(
    ("job", "key", "value", "lost"),
    [
        # Production needs a job of another branch, so that main never deploys.
        ("staging", "if", "github.ref == 'refs/heads/develop'", {"staging", "prod"}),
        # A needed job is skipped on main.
        ("dev", "needs", ["checks", "preview"], {"dev", "staging", "prod"}),
    ],
)
def test_an_unreachable_deployment_is_found(
    deploy: Workflow, job: str, key: str, value: Any, lost: set[str]
) -> None:
    broken = copy.deepcopy(deploy)
    broken["jobs"][job][key] = value
    all_of_them = {"checks", "dev", "staging", "prod"}
    assert jobs_that_run(broken, MAIN, ENABLED) == all_of_them - lost


def test_workflows_start_for_these_events(deploy: Workflow) -> None:
    assert set(deploy["on"]) == {"pull_request", "push", "workflow_dispatch"}
    assert deploy["on"]["push"] == {"branches": ["main"]}
    assert set(load("pull_request.yml")["on"]) == {"pull_request", "workflow_call"}
    docs = load("docs.yml")
    assert set(docs["on"]) == {"push", "workflow_dispatch"}
    assert jobs_that_run(docs, MAIN, {}) == {"build", "publish"}
    assert jobs_that_run(docs, BRANCH, {}) == {"build"}
