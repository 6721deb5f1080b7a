"""The results as a page with tables and plots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.measure import Usage
from benchmarks.phases import MILLION, RUNS, SAME_DAY, Results, Size
from generator.generate import MOST_EVENTS

MIB: Final = 2**20
GIB: Final = 2**30
_DAY: Final = "the 61st day"
# Seconds that an update may take, however long the history is.
_UPDATES: Final = (("1,000 late events", 10), ("nothing", 5))
# Limits of the ratio to the plain script, up to so many events.
_RATIOS: Final = (
    (1 * MILLION, 2.0),
    (4 * MILLION, 1.5),
    (16 * MILLION, 1.15),
    (MOST_EVENTS, 1.05),
)


class Goal(NamedTuple):
    """A limit and the measured value."""

    name: str
    limit: str
    found: str
    is_met: bool


def goals(results: Results) -> list[Goal]:
    """Compare a run with the project's goals, of which most are for 110 million events."""
    size = results.sizes[-1]
    full = size.load + size.build
    found = [
        at_most(
            f"platform / plain script, its tables, {one.events:,} events",
            _its_tables(one) / one.plain.wall,
            next(limit for most, limit in _RATIOS if one.events <= most),
        )
        for one in results.sizes
    ]
    read = size.plain_steps["raw"].wall
    found.append(at_most("load / plain script's read", size.load.wall / read, 1.15))
    if results.test:
        found.append(at_most("all data tests / build", results.test.wall / full.wall, 0.08))
    for name, limit in _UPDATES:
        if name in results.updates:
            seconds = results.updates[name].whole.wall
            found.append(at_most(f"update, {name}, seconds", seconds, limit))
    if _DAY in results.updates:
        share = 100 * results.updates[_DAY].whole.wall / full.wall
        found.append(at_most(f"update, {_DAY}, % of the whole build", share, 4.5))
    same = [one.same_day.wall for one in results.sizes if one.same_day]
    if len(same) == len(SAME_DAY):
        found.append(at_most("the same day on 64 M / on 16 M events", same[1] / same[0], 1.15))
    found.append(at_most("database / CSV", size.database_bytes / size.csv_bytes, 0.7))
    peak = max(usage.peak_memory for usage in (full, results.test or full)) / GIB
    found.append(at_most("peak resident memory, GiB", peak, 8))
    if results.core:
        ratio = _fastest_peer(results).wall / results.core["platform"].wall
        name = f"fastest peer / platform, core steps, {results.core_events:,} events"
        found.append(at_least(name, ratio, 1))
    if results.spark and results.spark_baseline:
        ratio = results.spark.wall / results.spark_baseline.wall
        found.append(at_least(f"PySpark / platform, {results.spark_events:,} events", ratio, 8))
    return found


def _its_tables(size: Size) -> float:
    """Return the platform's seconds for the plain script's tables and all that they need."""
    return (size.load + size.build).wall - size.seconds_beyond


def _fastest_peer(results: Results) -> Usage:
    peers = [usage for name, usage in results.core.items() if name != "platform"]
    return min(peers, key=lambda usage: usage.wall)


def at_most(name: str, found: float, limit: float) -> Goal:
    """Return a goal that is met up to a limit."""
    return Goal(name, f"<= {limit:g}", f"{found:.2f}", found <= limit)


def at_least(name: str, found: float, limit: float) -> Goal:
    """Return a goal that is met from a limit on."""
    return Goal(name, f">= {limit:g}", f"{found:.2f}", found >= limit)


def page(results: Results) -> str:
    """Write the page in Markdown; its plots are in `benchmarks/` beside it."""
    machine = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    parts = [
        "# Benchmarks",
        f"Written by `make bench EVENTS={results.events}`; machine and versions: {machine}. The"
        " history is the first 60 of 61 generated days. Each size is the best of its runs, a"
        " contender's own process each. Seconds are of this machine and this hour; compare ratios.",
        *_goals_section(results),
        *_largest_size_section(results),
        *_updates_section(results),
        *_growth_section(results),
        *_peers_section(results),
        *_spark_section(results),
    ]
    return "\n\n".join(parts) + "\n"


def _goals_section(results: Results) -> list[str]:
    return ["## Goals", goals_table(goals(results))]


def goals_table(found: Iterable[Goal]) -> str:
    """Return the goals as a table in Markdown."""
    rows = [
        [goal.name, goal.limit, goal.found, "met" if goal.is_met else "**missed**"]
        for goal in found
    ]
    return table(["", "goal", "measured", ""], rows)


def _largest_size_section(results: Results) -> list[str]:
    size = results.sizes[-1]
    costs = [
        ("plain script", size.plain),
        ("platform, whole build", size.load + size.build),
        ("- load into bronze", size.load),
        ("- `dbt build` without tests", size.build),
    ]
    costs += [("all data tests", results.test)] if results.test else []
    costs += [("docs", results.docs)] if results.docs else []
    return [
        f"## {size.events:,} events",
        _usages(costs),
        f"CSV files {size.csv_bytes / GIB:.2f} GiB, the platform's database"
        f" {size.database_bytes / GIB:.2f} GiB"
        + (f" ({results.updated_bytes / GIB:.2f} after the updates)" if results.updates else "")
        + f", the plain script's {size.plain_bytes / GIB:.2f} GiB: it keeps no bronze of its own"
        " beside the raw lines, and nothing that only an update needs.",
        "### Each model",
        "![Seconds of each model](benchmarks/models.svg)",
        _usages(_largest(size.nodes)),
        "### Each step of the plain script",
        _usages(_largest(size.plain_steps)),
        "### The slowest data tests",
        _usages(_largest(results.tests)[:12]),
    ]


def _updates_section(results: Results) -> list[str]:
    rows = [
        [
            name,
            f"{update.load.wall:.1f}",
            f"{update.build.wall:.1f}",
            f"{update.whole.wall:.1f}",
            size_of(update.whole.peak_memory),
        ]
        for name, update in results.updates.items()
    ]
    return [
        "## Updates",
        f"The best of {RUNS} runs, each from the database of the whole build: first the 61st day,"
        " then the late events, then nothing.",
        table(["after 60 days", "load", "build", "both", "peak memory"], rows),
    ]


def _growth_section(results: Results) -> list[str]:
    head = ["events", "runs", "platform", "plain script", "ratio", "its tables",
            "peak memory", "database / CSV", "the same day added"]  # fmt: skip
    return [
        "## Growth",
        "![Seconds and memory by number of events](benchmarks/growth.svg)",
        table(head, [_growth(size) for size in results.sizes]),
        "`its tables` is the ratio without the nodes that none of the plain script's tables needs.",
    ]


def _peers_section(results: Results) -> list[str]:
    if not results.core:
        return []
    return [
        f"## Core steps at {results.core_events:,} events",
        _usages(sorted(results.core.items(), key=lambda part: part[1].wall)),
        "Load, exact deduplication, sessions and a table by day, with the same figures from each."
        " The peers check nothing: they read what the generator writes, keep no raw rows beside the"
        " events, reject no row and can only start again. The platform proves that each line was"
        " read, keeps the rejected ones with their reasons, and what an update needs.",
    ]


def _spark_section(results: Results) -> list[str]:
    if not (results.spark and results.spark_baseline):
        return []
    return [
        f"## PySpark at {results.spark_events:,} events",
        _usages([("local PySpark", results.spark), ("platform", results.spark_baseline)]),
        "The same models as compiled for Databricks, in one local session with both cores;"
        " peak memory is of the Python process alone, not of the JVM beside it.",
    ]


def _growth(size: Size) -> list[str]:
    full = size.load + size.build
    return [
        f"{size.events:,}",
        str(size.runs),
        f"{full.wall:.1f}",
        f"{size.plain.wall:.1f}",
        f"{full.wall / size.plain.wall:.2f}",
        f"{_its_tables(size) / size.plain.wall:.2f}",
        size_of(full.peak_memory),
        f"{size.database_bytes / size.csv_bytes:.2f}",
        f"{size.same_day.wall:.1f}" if size.same_day else "",
    ]


def _largest(parts: dict[str, Usage]) -> list[tuple[str, Usage]]:
    """Return the parts by time, without those below 0.5 % of the longest."""
    named = sorted(parts.items(), key=lambda part: -part[1].wall)
    return [(name, usage) for name, usage in named if usage.wall > named[0][1].wall / 200]


def _usages(rows: Iterable[tuple[str, Usage]]) -> str:
    return table(
        ["", "seconds", "processor seconds", "peak memory", "read", "written"],
        [
            [
                name,
                f"{usage.wall:.1f}",
                f"{usage.cpu:.1f}",
                size_of(usage.peak_memory),
                size_of(usage.read),
                size_of(usage.written),
            ]
            for name, usage in rows
        ],
    )


def size_of(number: int) -> str:
    """Return a number of bytes as text."""
    return f"{number / GIB:.2f} GiB" if number >= GIB / 10 else f"{number / MIB:.1f} MiB"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    rule = "|".join([":---"] + ["---:"] * (len(head) - 1))
    lines = [" | ".join(head), rule, *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" if line != rule else f"|{line}|" for line in lines)


def plots(results: Results, folder: Path) -> None:
    """Write `growth.svg` and `models.svg`, with the same bytes for the same results."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 9}):
        for name, figure in (("growth", _growth_plot(results)), ("models", _models_plot(results))):
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")


def _growth_plot(results: Results) -> Figure:
    figure = Figure(figsize=(9, 3.4))
    time, memory = figure.subplots(1, 2)
    events = [size.events / MILLION for size in results.sizes]
    full = [size.load + size.build for size in results.sizes]
    plain = [size.plain for size in results.sizes]
    for label, usages in (("platform", full), ("plain script", plain)):
        time.plot(events, [usage.wall for usage in usages], marker="o", label=label)
        memory.plot(events, [usage.peak_memory / GIB for usage in usages], marker="o", label=label)
    for axes, unit in ((time, "seconds"), (memory, "peak memory, GiB")):
        axes.set_xscale("log")
        axes.set_xticks(events, [f"{number:g}" for number in events])
        axes.minorticks_off()
        axes.set_xlabel("million events")
        axes.set_ylabel(unit)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(frameon=False)
    time.set_yscale("log")
    memory.set_ylim(bottom=0)
    return figure


def _models_plot(results: Results) -> Figure:
    parts = _largest(results.sizes[-1].nodes)[::-1]
    figure = Figure(figsize=(9, 0.5 + 0.26 * len(parts)))
    axes = figure.subplots()
    bars = axes.barh([name for name, _ in parts], [usage.wall for _, usage in parts])
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.set_xlabel(f"seconds at {results.events:,} events")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
