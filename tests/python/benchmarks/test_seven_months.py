"""The benchmark of seven months: its disk, its figures, its page."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import seven_months
from benchmarks.contenders import Built, Platform
from benchmarks.measure import Usage
from benchmarks.seven_months import Months, check_disk, page, required_bytes
from project.errors import UserError

pytestmark = pytest.mark.benchmarks

SECOND = Usage(1.0, 1.0, 2**30, 1, 1)
QUARTER = Months(100_000_000, 52, 2**32, 2**33, replace(SECOND, wall=400), SECOND)


def test_a_disk_that_is_too_small_is_named_with_the_size_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = required_bytes(5_500_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    check_disk(5_500_000, tmp_path)
    with pytest.raises(UserError, match=r"6,000,000 events need .*, or --events 5000000$"):
        check_disk(6_000_000, tmp_path)


def test_each_size_is_built_and_then_gets_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[list[str]] = []

    def load(self: Platform, data: Path) -> Usage:
        self.database.write_bytes(b"database")
        paths = [data] if data.is_file() else sorted(data.glob("*.gz"))
        loaded.append([path.name for path in paths])
        return replace(SECOND, wall=2)

    monkeypatch.setattr(seven_months, "SIZES", (10_000, 20_000))
    monkeypatch.setattr(seven_months, "DAYS", 61)
    monkeypatch.setattr(seven_months, "MOST_EVENTS", 305_000)
    monkeypatch.setattr(Platform, "load", load)
    monkeypatch.setattr(Platform, "build", lambda _: Built(SECOND, {}))
    measured = seven_months.run(20_000, tmp_path / "bench", lambda _: None)
    assert loaded == [
        ["events_2019-10-01.csv.gz"], ["events_2019-10-02.csv.gz"],
        [f"events_2019-10-0{day}.csv.gz" for day in (1, 2, 3)], ["events_2019-10-04.csv.gz"],
    ]  # fmt: skip
    assert [(one.events, one.days, one.whole.wall, one.day.wall) for one in measured] == [
        (10_000, 2, 3, 3), (20_000, 4, 3, 3),
    ]  # fmt: skip
    # What an hour's measurement found is there, its gigabytes are not.
    assert [path.name for path in (tmp_path / "bench").iterdir()] == ["seven_months.json"]


def test_goals_are_met_up_to_their_limits() -> None:
    last = replace(
        QUARTER, events=400_000_000,
        whole=replace(SECOND, wall=4 * 400 * 1.15, peak_memory=10 * 2**30),
        day=replace(SECOND, wall=1.5),
    )  # fmt: skip
    assert page([QUARTER, last], {}).count("| met |") == 3
    worse = replace(last, whole=replace(last.whole, wall=2_000, peak_memory=11 * 2**30))
    text = page([QUARTER, worse], {"cores": "2"})
    assert "| seconds an event / at 100,000,000 | <= 1.15 | 1.25 | **missed** |" in text
    assert "| peak memory, GiB | <= 10 | 11.00 | **missed** |" in text
    assert "| 400,000,000 | 52 | 4.00 GiB | 8.00 GiB | 2000 | 5.00 | 11.00 GiB | 1.5 |" in text
