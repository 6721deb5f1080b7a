"""The size of all that is published: October 2019 to April 2020, in compressed files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.contenders import Platform
from benchmarks.data import days_of_files
from benchmarks.measure import Usage
from benchmarks.report import GIB, Goal, at_most, goals_table, size_of, table
from generator.generate import MOST_EVENTS
from project.errors import UserError

DAYS: Final = 213
# The largest size of the other benchmark, by which those above it are judged.
SIZES: Final = (110_000_000, 220_000_000)
# Bytes of an event: in a compressed file (measured at 1 million), in the database (at 16 million),
# and an allowance for what DuckDB writes aside while it builds the largest table.
_BYTES: Final = {"files": 41, "database": 102, "spill": 60}


@dataclass(frozen=True)
class Months:
    """One number of events: its files, its whole build, and one more day."""

    events: int
    days: int
    file_bytes: int
    database_bytes: int
    whole: Usage
    day: Usage


def required_bytes(events: int) -> int:
    """Return the disk space that a number of events needs."""
    return events * sum(_BYTES.values())


def check_disk(events: int, folder: Path) -> None:
    """Raise UserError unless the disk of a folder takes so many events."""
    free = shutil.disk_usage(folder).free
    needed = required_bytes(events)
    if needed > free:
        most = free // required_bytes(1_000_000)
        raise UserError(
            f"{events:,} events need {needed / GIB:.0f} GiB of disk, and {folder} has"
            f" {free / GIB:.0f} GiB: choose another --work, or --events {most * 1_000_000}"
        )


def run(events: int, folder: Path, log: Callable[[str], None]) -> list[Months]:
    """Measure the sizes up to a number of events in `folder`, and write `seven_months.json` there.

    Each has as many events a day as the seven months have. Raises UserError where the disk is too
    small.
    """
    folder.mkdir(parents=True, exist_ok=True)
    check_disk(events, folder)
    measured = []
    for size in (*(size for size in SIZES if size < events), events):
        measured.append(_measure(size, folder, log))
        found = [asdict(months) for months in measured]
        (folder / "seven_months.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return measured


def _measure(events: int, folder: Path, log: Callable[[str], None]) -> Months:
    days = max(2, round(DAYS * events / MOST_EVENTS))
    log(f"{events:,} events in {days} days: generate")
    files = days_of_files(events, days, folder / "months")
    history, last_day = files[:-1], files[-1]
    platform = Platform(folder / "platform")
    platform.reset()
    aside = last_day.rename(folder / last_day.name)
    log(f"{events:,} events: whole build")
    load = platform.load(history[0].parent)
    whole = load + platform.build().usage
    database_bytes = platform.database.stat().st_size
    log(f"{events:,} events: one more day")
    day = platform.load(aside) + platform.build().usage
    found = Months(
        events, days, sum(path.stat().st_size for path in history), database_bytes, whole, day
    )
    # Both of the next size may not fit beside them.
    aside.unlink()
    shutil.rmtree(platform.home)
    shutil.rmtree(folder / "months")
    return found


def goals(measured: list[Months]) -> list[Goal]:
    """Compare the largest size with the limits, and with the smallest."""
    first, last = measured[0], measured[-1]
    each = (last.whole.wall / last.events) / (first.whole.wall / first.events)
    return [
        at_most("peak memory, GiB", last.whole.peak_memory / GIB, 10),
        at_most(f"seconds an event / at {first.events:,}", each, 1.15),
        at_most(f"a day / at {first.events:,}", last.day.wall / first.day.wall, 1.5),
    ]


def page(measured: list[Months], machine: dict[str, str]) -> str:
    """Write the page in Markdown."""
    of_machine = ", ".join(f"{name} {value}" for name, value in machine.items())
    head = ["events", "days", "files", "database", "seconds", "a million", "peak memory", "a day"]
    rows = [
        [
            f"{one.events:,}",
            str(one.days),
            size_of(one.file_bytes),
            size_of(one.database_bytes),
            f"{one.whole.wall:.0f}",
            f"{1_000_000 * one.whole.wall / one.events:.2f}",
            size_of(one.whole.peak_memory),
            f"{one.day.wall:.1f}",
        ]
        for one in measured
    ]
    parts = [
        "# Seven months",
        f"Written by `ecommerce bench --seven-months --events {measured[-1].events}`; machine and"
        f" versions: {of_machine}. Compressed files with as many events a day as October 2019 to"
        " April 2020 have; all days but the last are built at once, then the last is added.",
        goals_table(goals(measured)),
        table(head, rows),
    ]
    return "\n\n".join(parts) + "\n"
