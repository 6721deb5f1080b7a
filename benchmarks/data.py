"""Generated click streams for the benchmark, kept for the next run."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measure import measure
from project.home import CHECKOUT

LATE_EVENTS: Final = 1_000
_LATE_SEED: Final = 7  # not the generator's default, so that no late event is a copy


@dataclass(frozen=True)
class Dataset:
    """Files of 61 days: the first 60, the last one, and late events of all days."""

    history: Path
    last_day: Path
    late: Path

    @property
    def history_bytes(self) -> int:
        """Size of the files of the first 60 days."""
        return sum(path.stat().st_size for path in self.history.glob("*.csv"))


def dataset(events: int, folder: Path) -> Dataset:
    """Return the files of a size; generate them unless an earlier run did."""
    place = folder / str(events)
    files = Dataset(place / "history", place / "last_day", place / "late")
    if place.is_dir():
        return files
    # Rename the folder when it is complete, so that a size is never partial.
    unfinished = folder / f"{events}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    days = _generate(events, unfinished / "history")
    (unfinished / "last_day").mkdir()
    days[-1].rename(unfinished / "last_day" / days[-1].name)
    late = _generate(LATE_EVENTS, unfinished / "late_days", "--seed", str(_LATE_SEED))
    (unfinished / "late").mkdir()
    header, *_ = late[0].read_text("utf-8").splitlines()
    lines = [line for path in late for line in path.read_text("utf-8").splitlines()[1:]]
    (unfinished / "late" / "late.csv").write_text("\n".join([header, *lines, ""]), "utf-8")
    shutil.rmtree(unfinished / "late_days")
    unfinished.rename(place)
    return files


def days_of_files(events: int, days: int, folder: Path) -> list[Path]:
    """Generate compressed files of so many days; return them in order of date."""
    shutil.rmtree(folder, ignore_errors=True)
    return _generate(events, folder, "--days", str(days), "--gzip")


def _generate(events: int, out: Path, *options: str) -> list[Path]:
    out.mkdir(parents=True)
    command = ("-m", "ecommerce", "generate", "--events", str(events), "--out", str(out), *options)
    measure([sys.executable, *command], CHECKOUT)
    return sorted(out.glob("events_*"))
