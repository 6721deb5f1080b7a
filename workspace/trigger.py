"""Starts a job deployed by the bundle, follows its run, and prints what failed."""

from __future__ import annotations

import argparse
import re
import time
import uuid
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from project.arguments import nonempty_text, number
from project.errors import INTERRUPTED, UserError
from project.output import show
from workspace.client import add_target, connect, translate_errors

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import BaseJob, Run, RunTask

HELP: Final = "start a deployed job of a Databricks workspace and follow its run"

SUCCESS: Final = "SUCCESS"
_ENDED: Final = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
_NOT_FAILED_ITSELF: Final = (SUCCESS, "SKIPPED", "EXCLUDED", "UPSTREAM_FAILED", "UPSTREAM_CANCELED")
_LAST_LOG_LINES: Final = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce trigger`."""
    add_target(parser)
    parser.add_argument(
        "--job",
        type=nonempty_text,
        default="bronze_ingestion_job",
        help="name in the bundle, or the id of a job (default: %(default)s)",
    )
    parser.add_argument(
        "--poll-seconds",
        type=number(0, 3600),
        default=5,
        help="seconds between two requests for the run's state (default: %(default)s)",
    )


def execute(args: argparse.Namespace) -> int:
    """Start the job and wait until it ends; 0 if it succeeded, 1 if not.

    Raises UserError if the job cannot be found, started or followed. After Ctrl-C the run
    continues.
    """
    client = connect()
    with _translate_errors(f"job {args.job}", args.target):
        job_id = find_job(client, args.job, args.target)
        # The token keeps a retried request from starting a second run.
        run_id = client.jobs.run_now(job_id, idempotency_token=uuid.uuid4().hex).run_id
        url = client.jobs.get_run(run_id).run_page_url
    show(f"run {run_id} of {args.job}: {url}", flush=True)
    with _translate_errors(f"run {run_id}, which may still be running ({url})", args.target):
        try:
            run = follow(client, run_id, args.poll_seconds)
        except KeyboardInterrupt:
            show(f"stopped following; the run continues, and can be canceled here: {url}")
            return INTERRUPTED
        if state_of(run) == SUCCESS:
            return 0
        for task in failed_tasks(run):
            show(*f"failed   {task.task_key}: {error_of(client, task)}".splitlines())
    show(f"the run did not succeed; details: {url}")
    return 1


def _translate_errors(place: str, target: str) -> AbstractContextManager[None]:
    return translate_errors(
        place,
        forbidden="ask an owner of the job for CAN MANAGE RUN on it",
        missing=f"deploy the bundle first: databricks bundle deploy --target {target}",
    )


def find_job(client: WorkspaceClient, name: str, target: str) -> int:
    """Return the id of the one job that the bundle has deployed under this name for the target.

    Development mode prefixes the name with `[dev <user>] `. Raises UserError if there is none or
    more than one.
    """
    if name.isdecimal():
        return int(client.jobs.get(int(name)).job_id or name)
    pattern = re.compile(rf"(\[dev [^\]]+\] )?{re.escape(name)}")
    jobs = [job for job in client.jobs.list() if _is_for(job, pattern, target)]
    if len(jobs) > 1:
        # Several developers may each have deployed the job.
        me = client.current_user.me().user_name
        jobs = [job for job in jobs if job.creator_user_name == me] or jobs
    if not jobs:
        raise UserError(
            f"job {name}: not deployed for {target}, or not visible to you; deploy the bundle:"
            f" databricks bundle deploy --target {target}"
        )
    if len(jobs) > 1:
        found = ", ".join(
            f"{job.job_id} ({job.settings.name if job.settings else ''})" for job in jobs
        )
        raise UserError(f"job {name}: several jobs for {target}: {found}; pass one id with --job")
    return int(jobs[0].job_id or 0)


def _is_for(job: BaseJob, name: re.Pattern[str], target: str) -> bool:
    settings = job.settings
    if settings is None or not name.fullmatch(settings.name or ""):
        return False
    # If targets share a workspace, the jobs of staging and prod have the same name. The bundle's
    # target `free` deploys to dev.
    environment = (settings.tags or {}).get("environment")
    return environment in (None, target) or (environment, target) == ("free", "dev")


def follow(client: WorkspaceClient, run_id: int, poll_seconds: float) -> Run:
    """Poll the run until it ends, and print each change of its state or of a task's state."""
    start = time.monotonic()
    seen: dict[str, str] = {}
    while True:
        run = client.jobs.get_run(run_id)
        for name, state in [("run", state_of(run)), *_task_states(run)]:
            if seen.get(name) != state:
                show(f"{time.monotonic() - start:>6.0f} s  {name} {state}", flush=True)
                seen[name] = state
        if _life_cycle(run) in _ENDED:
            return run
        time.sleep(poll_seconds)


def _task_states(run: Run) -> list[tuple[str, str]]:
    return [(f"task {task.task_key}", state_of(task)) for task in run.tasks or []]


def _life_cycle(run: Run | RunTask) -> str:
    state = run.state.life_cycle_state if run.state else None
    return state.value if state else "UNKNOWN"


def state_of(run: Run | RunTask) -> str:
    """Return the result of a run or task, or its life-cycle state while it has no result."""
    result = run.state.result_state if run.state else None
    return result.value if result else _life_cycle(run)


def failed_tasks(run: Run) -> list[RunTask]:
    """Return the tasks that failed themselves, not because of another task."""
    return [task for task in run.tasks or [] if state_of(task) not in _NOT_FAILED_ITSELF]


def error_of(client: WorkspaceClient, task: RunTask) -> str:
    """Return a failed task's error and the end of its log, or its state."""
    from databricks.sdk.errors.base import DatabricksError

    message = task.state.state_message if task.state else None
    try:
        output = client.jobs.get_run_output(int(task.run_id or 0))
    except DatabricksError:
        # Tasks that never ran have no output.
        return message or state_of(task)
    # dbt writes its errors only to its log.
    log = "".join(f"\n  {line}" for line in (output.logs or "").splitlines()[-_LAST_LOG_LINES:])
    return (output.error or message or state_of(task)) + log
