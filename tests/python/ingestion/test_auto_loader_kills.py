"""The Auto Loader job, killed at random times: no row is lost or duplicated."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import pyarrow.parquet
import pytest

from support.auto_loader_runs import class_data, counted, job_command, local_rows, require_java
from support.dirty_files import HEADER, Lines

pytestmark = [pytest.mark.kills, pytest.mark.spark, pytest.mark.timeout(900)]

KILLS: Final = 20
FILES_AHEAD: Final = 8


def start_job(folder: Path, landing: Path, *options: str) -> subprocess.Popen[str]:
    """Start the job in a process group of its own."""
    folder.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # Temporary files of a killed worker disappear with the test's folder.
    return subprocess.Popen(
        job_command(folder, landing, *options),
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


class Landing:
    """A landing folder; each file has another number of rows, every third a malformed line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir()
        self.landed = 0
        self._lines = Lines()

    def land(self, number: int) -> None:
        for _ in range(number):
            body = [self._lines.line() for _ in range(200 + self.landed)]
            body += ["x"] * (self.landed % 3 == 0)
            content = "\n".join([HEADER, *body, ""]).encode()
            is_compressed = self.landed % 4 == 0
            name = f"{self.landed:03}.csv{'.gz' * is_compressed}"
            # Writers rename a file once it is complete.
            unfinished = self.folder / f"_{name}"
            unfinished.write_bytes(gzip.compress(content) if is_compressed else content)
            unfinished.rename(self.folder / name)
            self.landed += 1


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[float, float]:
    """Return the seconds to the start of the stream and to the end of a run on this machine."""
    require_java()
    class_data()
    folder = tmp_path_factory.mktemp("undisturbed")
    landing = Landing(folder / "landing")
    landing.land(FILES_AHEAD)
    started = time.perf_counter()
    job = start_job(folder / "job", landing.folder)
    assert job.stdout is not None
    assert job.stdout.readline() == "ready\n"
    ready = time.perf_counter() - started
    assert job.communicate()[0].endswith(f"files: {FILES_AHEAD} loaded\n")
    return ready, time.perf_counter() - started


def test_kills_neither_lose_nor_duplicate_a_row(
    undisturbed: tuple[float, float], tmp_path: Path
) -> None:
    ready, whole = undisturbed
    folder, landing = tmp_path / "killed", Landing(tmp_path / "landing")
    draw = random.Random(20191001)
    # Spread over the time of an undisturbed run.
    delays = [(number + draw.random()) / KILLS * whole for number in range(KILLS)]
    draw.shuffle(delays)
    interrupted: set[str] = set()
    for planned in delays:
        # Every run finds as many files as the undisturbed one, so that none ends early.
        landing.land(FILES_AHEAD - (landing.landed - len(batches(folder, "commits"))))
        job = start_job(folder, landing.folder)
        delay = planned
        if delay > ready:
            # A start that takes longer than the undisturbed one must not use up the delay.
            assert job.stdout is not None
            assert job.stdout.readline() == "ready\n"
            delay -= ready
        with suppress(subprocess.TimeoutExpired):
            job.wait(timeout=delay)
        kill(job)
        interrupted |= batches(folder, "offsets") - batches(folder, "commits")

    rows = tmp_path / "rows.parquet"
    job = start_job(folder, landing.folder, f"--rows={rows}")
    output = job.communicate()[0]
    assert job.returncode == 0, output
    _, expected = local_rows(landing.folder, tmp_path / "local.duckdb")
    found = counted(pyarrow.parquet.read_table(rows))
    assert found == expected
    assert set(found.values()) == {1}
    assert interrupted, "no kill interrupted a micro-batch"
