"""The Auto Loader job, killed at random times: no row is lost or duplicated."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from support import auto_loader_runs
from support.auto_loader_runs import CATALOG, local_rows, require_java, start_spark, stream_rows
from support.dirty_files import HEADER, Lines

pytestmark = [pytest.mark.kills, pytest.mark.spark, pytest.mark.timeout(900)]

KILLS: Final = 20
FILES_AHEAD: Final = 8


def start_job(folder: Path, landing: Path) -> subprocess.Popen[str]:
    """Start the job with one file per micro-batch, in a process group of its own."""
    paths = ["--source", str(landing), "--checkpoint", str(folder / "checkpoint")]
    command: Sequence[str] = [
        *(sys.executable, auto_loader_runs.__file__, str(folder)),
        *("--catalog", CATALOG, *paths, "--max-files-per-trigger", "1"),
    ]
    folder.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # Temporary files of a killed worker disappear with the test's folder.
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def kill(job: subprocess.Popen[str]) -> None:
    """Kill the job's whole process group: driver, JVM and all."""
    with suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGKILL)
    job.communicate()


def batches(folder: Path, log: str) -> set[str]:
    """Return the numbers of the micro-batches in a log of the checkpoint."""
    entries = (folder / "checkpoint" / log).glob("[0-9]*")
    return {path.name for path in entries if path.suffix == ""}


def test_twenty_kills_neither_lose_nor_duplicate_a_row(tmp_path: Path) -> None:
    require_java()
    folder, landing = tmp_path / "killed", tmp_path.resolve() / "landing"
    landing.mkdir()
    lines = Lines()
    landed = 0

    def land(number: int) -> None:
        nonlocal landed
        for _ in range(number):
            # Each file has another number of rows; every third one has a malformed line.
            body = [lines.line() for _ in range(200 + landed)] + ["x"] * (landed % 3 == 0)
            content = "\n".join([HEADER, *body, ""]).encode()
            is_compressed = landed % 4 == 0
            name = f"{landed:03}.csv{'.gz' * is_compressed}"
            # Writers rename a file once it is complete.
            unfinished = landing / f"_{name}"
            unfinished.write_bytes(gzip.compress(content) if is_compressed else content)
            unfinished.rename(landing / name)
            landed += 1

    # The kills are spread over the time that an undisturbed run takes on this machine now.
    land(FILES_AHEAD)
    started = time.perf_counter()
    job = start_job(tmp_path / "undisturbed", landing)
    assert job.stdout is not None
    assert job.stdout.readline() == "ready\n"
    assert job.communicate()[0].endswith(f"files: {FILES_AHEAD} loaded\n")
    whole = time.perf_counter() - started

    draw = random.Random(20191001)
    delays = [(number + draw.random()) / KILLS * whole for number in range(KILLS)]
    draw.shuffle(delays)
    interrupted: set[str] = set()
    for delay in delays:
        # Every run finds as many files as the undisturbed one, so that none ends early.
        land(FILES_AHEAD - (landed - len(batches(folder, "commits"))))
        job = start_job(folder, landing)
        with suppress(subprocess.TimeoutExpired):
            job.wait(timeout=delay)
        kill(job)
        interrupted |= batches(folder, "offsets") - batches(folder, "commits")

    job = start_job(folder, landing)
    output = job.communicate()[0]
    assert job.returncode == 0, output
    _, expected = local_rows(landing, tmp_path / "local.duckdb")
    spark = start_spark(folder)
    try:
        auto_loader_runs.remember_table(spark, folder)
        found = stream_rows(spark)
    finally:
        spark.stop()
    assert found == expected
    assert set(found.values()) == {1}
    assert interrupted, "no kill interrupted a micro-batch"
