"""Jobs started and followed over HTTP.

minilake answers for the list of jobs, runs of SQL tasks and their output. Rules in this file answer
for runs that are queued or never end, a task without output, a missing privilege, an unknown job id
(as the Jobs API reports it), and the current user.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest
from databricks.sdk.service.jobs import JobSettings, SqlTask, SqlTaskQuery, Task, TaskDependency
from databricks.sdk.service.sql import CreateQueryRequestQuery

from ecommerce import cli
from project.home import CHECKOUT
from support.workspace_double import Call, Workspace, environment_for

pytestmark = pytest.mark.workspace


def trigger(*arguments: object, target: str = "dev") -> int:
    given = [str(argument) for argument in arguments]
    return cli.main(["trigger", "--target", target, "--poll-seconds", "0.05", *given])


def deploy(
    workspace: Workspace,
    *statements: str,
    name: str = "[dev ada] bronze_ingestion_job",
    environment: str | None = "dev",
) -> int:
    """Create a job whose tasks task_0, task_1, ... run the statements one after the other."""
    client = workspace.client()
    warehouse = client.warehouses.create(name="w", cluster_size="Small").bind()["id"]
    tasks = []
    for number, statement in enumerate(statements or ("select 1",)):
        text = CreateQueryRequestQuery(
            display_name=str(number), query_text=statement, warehouse_id=warehouse
        )
        query = SqlTaskQuery(
            str(client.queries.create(query=text, auto_resolve_display_name=True).id)
        )
        after = [TaskDependency(f"task_{number - 1}")] if number else None
        sql = SqlTask(warehouse_id=warehouse, query=query)
        tasks.append(Task(f"task_{number}", depends_on=after, sql_task=sql))
    tags = {"environment": environment} if environment else None
    return int(client.jobs.create(name=name, tags=tags, tasks=tasks).job_id or 0)


def runs_of(workspace: Workspace, job_id: int) -> int:
    return len(list(workspace.client().jobs.list_runs(job_id=job_id)))


def test_successful_run(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    job_id = deploy(workspace, "select 1", "select 2")
    assert trigger() == 0
    first, *changes = capsys.readouterr().out.splitlines()
    assert first.startswith("run ")
    assert f" of bronze_ingestion_job: {workspace.emulator}/#job/{job_id}/run/" in first
    assert [change.split(" s  ")[1] for change in changes][-3:] == [
        "run SUCCESS",
        "task task_0 SUCCESS",
        "task task_1 SUCCESS",
    ]
    assert runs_of(workspace, job_id) == 1


def test_failed_task_is_named_with_its_error(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(workspace, "select 1", "select * from no_such_table", "select 3")
    assert trigger() == 1
    out = capsys.readouterr().out
    failures = [line for line in out.splitlines() if line.startswith("failed ")]
    assert len(failures) == 1, "task_2 was only skipped because of it"
    assert failures[0].startswith("failed   task_1: ")
    assert "no_such_table" in failures[0]
    assert "the run did not succeed; details: http" in out


def scripted(*states: dict[str, Any], output: dict[str, Any] | None = None) -> Any:
    """Return a rule that answers `jobs/runs/get` with one state after another, then the last."""
    remaining = list(states)

    def answer(call: Call) -> bool:
        if call.path.endswith("/jobs/runs/get"):
            run = {"run_id": 7, "run_page_url": "https://shop/run/7"} | remaining[0]
            call.answer(200, run)
            if len(remaining) > 1:
                remaining.pop(0)
        elif call.path.endswith("/jobs/runs/get-output"):
            if output is None:
                call.refuse(400, "INVALID_PARAMETER_VALUE", "the run has no output")
            else:
                call.answer(200, output)
        else:
            return False
        return True

    return answer


def state(life_cycle: str, result: str | None = None, **more: Any) -> dict[str, Any]:
    return {"state": {"life_cycle_state": life_cycle, "result_state": result} | more}


def test_each_change_of_state_is_one_line(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(workspace)
    load = {"task_key": "load", "run_id": 8}
    workspace.rules.append(
        scripted(
            state("QUEUED"),
            state("QUEUED"),
            state("RUNNING") | {"tasks": [load | state("PENDING")]},
            state("RUNNING") | {"tasks": [load | state("RUNNING")]},
            state("RUNNING") | {"tasks": [load | state("RUNNING")]},
            state("TERMINATED", "SUCCESS") | {"tasks": [load | state("TERMINATED", "SUCCESS")]},
        )
    )
    assert trigger() == 0
    _, *changes = capsys.readouterr().out.splitlines()
    assert [change.split(" s  ")[1] for change in changes] == [
        "run QUEUED",
        "run RUNNING",
        "task load PENDING",
        "task load RUNNING",
        "run SUCCESS",
        "task load SUCCESS",
    ]


@pytest.mark.parametrize(
    ("run", "output", "printed"),
    [
        (
            state("INTERNAL_ERROR", "FAILED", state_message="no capacity"),
            None,
            "failed   load: no capacity",
        ),
        (
            state("TERMINATED", "FAILED", state_message="Workload failed"),
            {"error": "dbt command failed", "logs": "".join(f"line {n}\n" for n in range(99))},
            "failed   load: dbt command failed\n  line 79\n",
        ),
        (state("TERMINATED", "CANCELED"), {}, "failed   load: CANCELED"),
        (state("TERMINATED", "SUCCESS_WITH_FAILURES"), {}, "failed   load: SUCCESS_WITH_FAILURES"),
    ],
    ids=["never_ran", "dbt", "canceled", "with_failures"],
)
def test_ends_other_than_success(
    workspace: Workspace,
    capsys: pytest.CaptureFixture[str],
    run: dict[str, Any],
    output: dict[str, Any] | None,
    printed: str,
) -> None:
    deploy(workspace)
    tasks = {"tasks": [{"task_key": "load", "run_id": 8} | run]}
    workspace.rules.append(scripted(run | tasks, output=output))
    assert trigger() == 1
    assert printed in capsys.readouterr().out


def test_skipped_run_is_not_a_success(workspace: Workspace) -> None:
    deploy(workspace)
    workspace.rules.append(scripted(state("SKIPPED")))
    assert trigger() == 1


def test_control_c_does_not_cancel_the_run(workspace: Workspace) -> None:
    deploy(workspace)
    workspace.rules.append(scripted(state("RUNNING")))
    command = [sys.executable, "-m", "ecommerce", "trigger", "--target", "dev"]
    child = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=environment_for(workspace.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    assert child.stdout.readline().endswith(" of bronze_ingestion_job: https://shop/run/7\n")
    assert child.stdout.readline().endswith("run RUNNING\n")
    child.send_signal(signal.SIGINT)
    out, error = child.communicate(timeout=30)
    assert (child.returncode, error) == (130, "")
    assert "the run continues, and can be canceled here: https://shop/run/7" in out
    assert not any("cancel" in call for call in workspace.calls)


def test_missing_job(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    deploy(workspace, name="[dev ada] bronze_ingestion_job_old")
    deploy(workspace, name="my bronze_ingestion_job")
    assert trigger() == 2
    error = capsys.readouterr().err
    assert "job bronze_ingestion_job: not deployed for dev" in error
    assert "databricks bundle deploy --target dev" in error


def test_targets_that_share_a_workspace(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "bronze_ingestion_job"
    ids = {
        target: deploy(workspace, name=name, environment=target) for target in ("staging", "prod")
    }
    assert trigger(target="prod") == 0
    assert [runs_of(workspace, ids[target]) for target in ids] == [0, 1]
    assert trigger(target="dev") == 2
    assert "not deployed for dev" in capsys.readouterr().err


def test_several_developers(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [deploy(workspace, name=f"[dev {user}] bronze_ingestion_job") for user in ("ada", "eve")]
    assert trigger() == 2
    error = capsys.readouterr().err
    assert f"{ids[0]} ([dev ada] bronze_ingestion_job)" in error
    assert "pass one id with --job" in error
    assert trigger("--job", ids[1]) == 0
    assert [runs_of(workspace, job_id) for job_id in ids] == [0, 1]

    def created_by(call: Call) -> bool:
        if call.path.endswith("/jobs/list"):
            users = zip(ids, ("ada@shop", "eve@shop"), strict=True)
            settings = JobSettings(name="[dev x] bronze_ingestion_job").as_dict()
            jobs = [
                {"job_id": job_id, "creator_user_name": user, "settings": settings}
                for job_id, user in users
            ]
            call.answer(200, {"jobs": jobs})
        elif call.path.endswith("/scim/v2/Me"):
            call.answer(200, {"userName": "ada@shop"})
        else:
            return False
        return True

    workspace.rules.append(created_by)
    assert trigger() == 0
    assert [runs_of(workspace, job_id) for job_id in ids] == [1, 1]


def test_unknown_job_id(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(call: Call) -> bool:
        if call.path.endswith("/jobs/get"):
            call.refuse(400, "INVALID_PARAMETER_VALUE", "Job 404 does not exist.")
            return True
        return False

    workspace.rules.append(refuse)
    assert trigger("--job", 404) == 2
    error = capsys.readouterr().err
    assert "job 404: Job 404 does not exist; deploy the bundle first" in error


def test_no_permission_to_run(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    job_id = deploy(workspace)

    def refuse(call: Call) -> bool:
        if call.path.endswith("/jobs/run-now"):
            message = f"User ada@shop does not have Manage Run permissions on job {job_id}"
            call.refuse(403, "PERMISSION_DENIED", message)
            return True
        return False

    workspace.rules.append(refuse)
    assert trigger() == 2
    error = capsys.readouterr().err
    assert "does not have Manage Run permissions" in error
    assert "ask an owner of the job for CAN MANAGE RUN" in error


def test_retried_start_has_the_same_idempotency_token(workspace: Workspace) -> None:
    deploy(workspace)
    tokens: list[str] = []

    def lose_the_first_answer(call: Call) -> bool:
        if not call.path.endswith("/jobs/run-now"):
            return False
        body = call.read()
        tokens.append(json.loads(body)["idempotency_token"])
        if len(tokens) == 1:
            # Without a number of seconds the SDK waits for one more.
            later = {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"}
            call.answer(503, later, {"Retry-After": "0"})
        else:
            workspace.forward(call, body)
        return True

    workspace.rules.append(lose_the_first_answer)
    assert trigger() == 0
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


def test_workspace_that_stops_answering_is_reported_with_the_run(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(workspace)
    follow = scripted(state("RUNNING"))
    polls: list[str] = []

    def fail(call: Call) -> bool:
        if call.path.endswith("/jobs/runs/get"):
            polls.append(call.path)
            if len(polls) > 2:
                call.refuse(500, "INTERNAL_ERROR", "out of order")
                return True
        return bool(follow(call))

    workspace.rules.append(fail)
    assert trigger() == 2
    error = capsys.readouterr().err
    assert ", which may still be running (https://shop/run/7): out of order" in error
