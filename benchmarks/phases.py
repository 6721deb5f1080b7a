"""The phases of the benchmark, and their results."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.contenders import PEERS, Built, Platform, peer, plain, spark
from benchmarks.data import Dataset, dataset
from benchmarks.measure import CommandFailedError, Usage

MILLION: Final = 1_000_000
GROWTH: Final = (1 * MILLION, 4 * MILLION, 16 * MILLION, 64 * MILLION)
# Larger sizes are built once: three runs of each would take more than an hour. Updates are always
# measured several times, from the same state.
LARGEST_OF_SEVERAL_RUNS: Final = 4 * MILLION
RUNS: Final = 3
SPARK: Final = 10 * MILLION
CORE: Final = 10 * MILLION
_VERSIONS: Final = ("duckdb", "dbt-core", "dbt-duckdb", "pyspark", "polars", "chdb")
# The histories that the same day is added to; the day itself is that of the first one.
SAME_DAY: Final = (16 * MILLION, 64 * MILLION)


@dataclass
class Size:
    """One number of events: the best run of each contender, on the first 60 days."""

    events: int
    runs: int
    csv_bytes: int
    load: Usage
    build: Usage
    nodes: dict[str, Usage]
    seconds_beyond: float
    """Seconds of the nodes that the plain script's tables do not need."""
    database_bytes: int
    plain: Usage
    plain_steps: dict[str, Usage]
    plain_bytes: int
    same_day: Usage | None = None


@dataclass
class Update:
    """The cost of one update: the best of its runs."""

    load: Usage
    build: Usage

    @property
    def whole(self) -> Usage:
        """Cost of load and build."""
        return self.load + self.build


@dataclass
class Results:
    """All results of one run of the benchmark."""

    events: int
    machine: dict[str, str]
    sizes: list[Size] = field(default_factory=list)
    test: Usage | None = None
    tests: dict[str, Usage] = field(default_factory=dict)
    docs: Usage | None = None
    updates: dict[str, Update] = field(default_factory=dict)
    updated_bytes: int = 0
    spark: Usage | None = None
    spark_events: int = 0
    spark_baseline: Usage | None = None
    core: dict[str, Usage] = field(default_factory=dict)
    core_events: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return plain dictionaries and numbers."""
        return asdict(self)


def run(events: int, folder: Path, log: Callable[[str], None]) -> Iterator[Results]:
    """Measure up to a number of events, in `folder`; yields the results so far after each size.

    `log` is called with the name of each step.
    """
    results = Results(events, machine())
    for size in (*(size for size in GROWTH if size < events), events):
        _measure_size(results, size, folder, log)
        yield results
    _measure_peers(results, min(CORE, events), folder, log)
    yield results
    _measure_spark(results, min(SPARK, events), folder, log)
    yield results


def machine() -> dict[str, str]:
    """Return the machine and the versions that the results depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GiB",
        "python": platform.python_version(),
        **{name: version(name) for name in _VERSIONS},
    }


def _measure_size(results: Results, events: int, folder: Path, log: Callable[[str], None]) -> None:
    log(f"{events:,} events: generate")
    data = dataset(events, folder / "data")
    contender, plain_database = Platform(folder / "platform"), folder / "plain" / "plain.duckdb"
    runs = RUNS if events <= LARGEST_OF_SEVERAL_RUNS else 1
    builds: list[tuple[Usage, Built]] = []
    plains: list[Built] = []
    for number in range(runs):
        log(f"{events:,} events: plain script, run {number + 1} of {runs}")
        plains.append(plain(data.history, plain_database))
        log(f"{events:,} events: platform, run {number + 1} of {runs}")
        contender.reset()
        load = contender.load(data.history)
        builds.append((load, contender.build()))
    load, built = min(builds, key=lambda pair: (pair[0] + pair[1].usage).wall)
    best = min(plains, key=lambda one: one.usage.wall)
    needed = contender.needed_for(best.nodes)
    size = Size(
        events=events,
        runs=runs,
        csv_bytes=data.history_bytes,
        load=load,
        build=built.usage,
        nodes=built.nodes,
        seconds_beyond=sum(usage.wall for name, usage in built.nodes.items() if name not in needed),
        database_bytes=contender.database.stat().st_size,
        plain=best.usage,
        plain_steps=best.nodes,
        plain_bytes=plain_database.stat().st_size,
    )
    results.sizes.append(size)
    shutil.rmtree(plain_database.parent)
    if events in SAME_DAY:
        log(f"{events:,} events: the same day")
        same = dataset(SAME_DAY[0], folder / "data").last_day
        size.same_day = contender.load(same) + contender.build().usage
    if events == results.events:
        _measure_rest(results, contender, data, log)
    shutil.rmtree(contender.home)


def _measure_rest(
    results: Results, contender: Platform, data: Dataset, log: Callable[[str], None]
) -> None:
    events = f"{results.events:,} events"
    log(f"{events}: tests")
    tested = contender.test()
    results.test, results.tests = tested.usage, tested.nodes
    log(f"{events}: docs")
    results.docs = contender.document()
    updates = {"the 61st day": data.last_day, "1,000 late events": data.late, "nothing": data.late}
    measured: dict[str, list[Update]] = {name: [] for name in updates}
    contender.save()
    for number in range(RUNS):
        contender.restore()
        for name, files in updates.items():
            log(f"{events}: update, {name}, run {number + 1} of {RUNS}")
            measured[name].append(Update(contender.load(files), contender.build().usage))
    results.updates = {
        name: min(runs, key=lambda update: update.whole.wall) for name, runs in measured.items()
    }
    results.updated_bytes = contender.database.stat().st_size


def _measure_peers(results: Results, events: int, folder: Path, log: Callable[[str], None]) -> None:
    """Measure the core steps in each engine; CommandFailedError if one counts otherwise."""
    log(f"{events:,} events: generate")
    data = dataset(events, folder / "data")
    contender = Platform(folder / "platform")
    results.core_events = events
    for number in range(RUNS):
        log(f"{events:,} events: core steps of the platform, run {number + 1} of {RUNS}")
        ours = contender.core(data.history)
        shutil.rmtree(contender.home)
        _keep_best(results.core, "platform", ours.usage)
        for name in PEERS:
            log(f"{events:,} events: core steps in {name}, run {number + 1} of {RUNS}")
            theirs = peer(name, data.history, folder / "peer")
            if theirs.days != ours.days:
                raise CommandFailedError(f"{name} counts otherwise than the platform")
            _keep_best(results.core, name, theirs.usage)


def _keep_best(usages: dict[str, Usage], name: str, usage: Usage) -> None:
    usages[name] = min(usages.get(name, usage), usage, key=lambda one: one.wall)


def _measure_spark(results: Results, events: int, folder: Path, log: Callable[[str], None]) -> None:
    log(f"{events:,} events: generate")
    data = dataset(events, folder / "data")
    log(f"{events:,} events: platform")
    contender = Platform(folder / "platform")
    contender.reset()
    results.spark_baseline = contender.load(data.history) + contender.build().usage
    shutil.rmtree(contender.home)
    log(f"{events:,} events: PySpark")
    results.spark_events = events
    results.spark = spark(data.history, folder / "spark").usage
    shutil.rmtree(folder / "spark")
