"""Measures a command by the kernel's counters: time, processor time, memory, bytes."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_SECONDS_BETWEEN_SAMPLES: Final = 0.05


class CommandFailedError(Exception):
    """A measured command failed; the message has the end of its output."""


class Sample(NamedTuple):
    """A process at one time: Unix time, processor seconds, bytes resident, read and written."""

    at: float
    cpu: float
    resident: int
    read: int
    written: int


@dataclass(frozen=True)
class Usage:
    """Cost of a command or of a part of it, in seconds and bytes."""

    wall: float
    cpu: float
    peak_memory: int
    read: int
    written: int

    def __add__(self, other: Usage) -> Usage:
        """Return the cost of two commands that run one after the other."""
        return Usage(
            self.wall + other.wall,
            self.cpu + other.cpu,
            max(self.peak_memory, other.peak_memory),
            self.read + other.read,
            self.written + other.written,
        )


@dataclass(frozen=True)
class Measured:
    """A successful command: its cost, its output and samples of it."""

    usage: Usage
    output: str
    samples: tuple[Sample, ...]

    def between(self, start: float, end: float) -> Usage:
        """Return the cost between two Unix times, to the nearest sample."""
        times = [sample.at for sample in self.samples]
        last = len(times) - 1
        first, until = (min(bisect_left(times, at), last) for at in (start, end))
        before, after = self.samples[first], self.samples[until]
        return Usage(
            end - start,
            after.cpu - before.cpu,
            max(sample.resident for sample in self.samples[first : until + 1]),
            after.read - before.read,
            after.written - before.written,
        )


def measure(
    command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None
) -> Measured:
    """Run a command in a folder; CommandFailedError unless it exits with 0."""
    samples: list[Sample] = []
    ended = threading.Event()
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        started = time.monotonic()
        sampler = threading.Thread(target=_follow, args=(process.pid, samples, ended))
        sampler.start()
        assert process.stdout is not None  # it is a pipe
        output = process.stdout.read()
        # Do not reap the process yet: its counters disappear with it.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall = time.monotonic() - started
        ended.set()
        sampler.join()
        _, status, resources = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise CommandFailedError(
            f"{' '.join(command)} exits with {process.returncode}:\n{output[-4000:]}"
        )
    usage = Usage(
        wall,
        resources.ru_utime + resources.ru_stime,
        resources.ru_maxrss * 1024,
        samples[-1].read,
        samples[-1].written,
    )
    return Measured(usage, output, tuple(samples))


def _follow(pid: int, samples: list[Sample], ended: threading.Event) -> None:
    while True:
        is_last = ended.is_set()
        samples.append(_sample(pid))
        if is_last:
            return
        ended.wait(_SECONDS_BETWEEN_SAMPLES)


def _sample(pid: int) -> Sample:
    process = Path("/proc") / str(pid)
    # The command's name may contain blanks; the fields after its bracket do not.
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    user, system, resident = int(fields[11]), int(fields[12]), int(fields[21])
    counters = dict(line.split(": ") for line in (process / "io").read_text().splitlines())
    return Sample(
        time.time(),
        (user + system) * _TICK,
        resident * _PAGE,
        int(counters["rchar"]),
        int(counters["wchar"]),
    )
