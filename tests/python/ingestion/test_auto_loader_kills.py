"""The Auto Loader job, killed at random times: no row is lost or duplicated.

SIGKILL leaves on the disk what is there while SIGSTOP holds the job. So one job leaves many such
states, each of them in the midst of its work, and each is recovered from by itself.
"""

from __future__ import annotations

import gzip
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from pyspark.sql import SparkSession

from ingestion import auto_loader, bronze
from support.auto_loader_runs import (
    CATALOG,
    job_command,
    local_rows,
    remember_table,
    stream_rows,
)
from support.dirty_files import HEADER, Lines

pytestmark = [pytest.mark.kills, pytest.mark.spark, pytest.mark.timeout(900)]

# The second job starts on what the first one left when it was killed.
JOBS: Final = 2
STATES_OF_A_JOB: Final = 10
# About the time of a micro-batch.
LONGEST_DELAY: Final = 0.3


def start_job(folder: Path, landing: Path) -> subprocess.Popen[str]:
    """Start the job in a process group of its own."""
    temporary = folder.with_name("temporary")
    for path in (folder, temporary):
        path.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # Temporary files of a killed worker disappear with the test's folder.
    return subprocess.Popen(
        job_command(folder, landing),
        cwd=temporary,
        env=environment | {"TMPDIR": str(temporary)},
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


class Landing:
    """A landing folder; each file has another number of rows, every third a malformed line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir()
        self.landed = 0
        self._lines = Lines()

    def land(self, number: int) -> None:
        for _ in range(number):
            body = [self._lines.line() for _ in range(20 + self.landed)]
            body += ["x"] * (self.landed % 3 == 0)
            content = "\n".join([HEADER, *body, ""]).encode()
            is_compressed = self.landed % 4 == 0
            name = f"{self.landed:03}.csv{'.gz' * is_compressed}"
            # Writers rename a file once it is complete.
            unfinished = self.folder / f"_{name}"
            unfinished.write_bytes(gzip.compress(content) if is_compressed else content)
            unfinished.rename(self.folder / name)
            self.landed += 1


def states(folder: Path, landing: Landing, draw: random.Random) -> Iterator[Path]:
    """Run the job, and yield copies of the folder as a kill at that time would leave it."""
    done = len(batches(folder, "commits"))
    # More files than states, so that the job never ends. A micro-batch has one of each folder.
    landing.land((done + STATES_OF_A_JOB + 2) * 4 // 3 - landing.landed)
    job = start_job(folder, landing.folder)
    try:
        assert job.stdout is not None
        assert job.stdout.readline() == "ready\n"
        for number in range(STATES_OF_A_JOB):
            # Counted in micro-batches, a kill hits the work however busy the machine is.
            while len(batches(folder, "offsets")) <= done + number:
                assert job.poll() is None, "the job has ended"
                time.sleep(0.002)
            time.sleep(draw.uniform(0, LONGEST_DELAY))
            os.killpg(job.pid, signal.SIGSTOP)
            # Threads that run on another core stop at their next interrupt.
            time.sleep(0.02)
            yield shutil.copytree(folder, folder.with_name(f"{done}_and_{number}"))
            os.killpg(job.pid, signal.SIGCONT)
    finally:
        kill(job)


def recover(spark: SparkSession, state: Path, folder: Path, landing: Path) -> Counter[str]:
    """Run the job on what a kill left, at the place where it left it; return the rows."""
    spark.sql(f"drop schema if exists {bronze.SCHEMA} cascade")
    shutil.rmtree(folder)
    state.rename(folder)
    spark.sql(f"create schema {bronze.SCHEMA} location '{folder}/{bronze.SCHEMA}.db'")
    remember_table(spark, folder)
    paths = ["--source", str(landing), "--checkpoint", str(folder / "checkpoint")]
    assert auto_loader.main(["--catalog", CATALOG, *paths], source_format="text") == 0
    return stream_rows(spark)


def test_kills_neither_lose_nor_duplicate_a_row(spark: SparkSession, tmp_path: Path) -> None:
    folder, landing = tmp_path / "killed", Landing(tmp_path / "landing")
    draw = random.Random(20191001)
    for _ in range(JOBS):
        killed = list(states(folder, landing, draw))
        unfinished = [
            state.name for state in killed if batches(state, "offsets") - batches(state, "commits")
        ]
        assert len(unfinished) >= len(killed) / 4, "few kills interrupted a micro-batch"
        _, expected = local_rows(landing.folder, tmp_path / "local.duckdb")
        assert set(expected.values()) == {1}
        left = shutil.copytree(folder, tmp_path / "left")
        for state in [shutil.copytree(left, tmp_path / "killed_itself"), *killed]:
            found = recover(spark, state, folder, landing.folder)
            assert found == expected, state.name
        shutil.rmtree(folder)
        left.rename(folder)
