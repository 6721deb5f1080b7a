"""Killed runs, runs side by side and full disks: the next run ends where an undisturbed one does."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pytest
from forked_runs import Forks, Run, forks
from platform_runs import Home, differences

SEED: Final = 20191001
KILLED_LOADS: Final = 30
# Each chain of builds: one is killed, and so is the next one, which should make good for it.
CHAINS: Final = 12
KILLED_BUILDS_PER_CHAIN: Final = 2

# Every relation that a run of `make run` builds; its tests only read.
BUILD: Final = ("build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
# What a snapshot holds beside the times of runs, and the whole of the ledger but for such a time.
CONTENTS: Final = (
    "select user_id, user_segment from silver_layer.users_snapshot where dbt_valid_to is null",
    "select product_id, current_price, brand, category_id, category_code"
    " from silver_layer.products_snapshot where dbt_valid_to is null",
)
BRONZE: Final = (
    "select * exclude _ingested_at, dense_rank() over (order by _ingested_at)"
    " from bronze_layer.events_raw",
    "select * exclude _ingested_at, rank() over (order by _ingested_at)"
    " from bronze_layer.loaded_files",
)


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    with forks(tmp_path_factory.mktemp("forks")) as started:
        yield started


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve days, late ones last; every third file takes the loader's slow path."""
    home = Home(tmp_path_factory.mktemp("generated"))
    folder = home.folder / "landing"
    command = ["generate", "--events", "60000", "--days", "12", "--dirty", "0.002"]
    home.run(*command, "--out", str(folder))
    for number, file in enumerate(sorted(folder.glob("*.csv"))):
        if number % 3 == 0:
            with file.open("a", encoding="utf-8") as lines:
                lines.write("half a line\n")
        file.rename(folder / f"{(number * 5) % 12:02}.csv")
    return folder


@dataclass(frozen=True)
class Stages:
    """One shop before and after undisturbed runs: half of the files built, all loaded, all built."""

    half: Home
    loaded: Home
    built: Home


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory, fork: Forks, landing: Path) -> Stages:
    folder = tmp_path_factory.mktemp("stages")
    some = folder / "some"
    some.mkdir()
    for file in sorted(landing.glob("*.csv"))[:6]:
        (some / file.name).symlink_to(file)
    home = Home(folder / "home")
    succeed(fork.ingestion(home, *load(home, some)))
    succeed(fork.dbt(home, *BUILD))
    half = copy(home, folder / "half")
    succeed(fork.ingestion(home, *load(home, landing)))
    loaded = copy(home, folder / "loaded")
    succeed(fork.dbt(home, *BUILD))
    return Stages(half, loaded, home)


def load(home: Home, data: Path) -> tuple[str, ...]:
    return "load", "--data", str(data), "--database", str(home.database)


def copy(home: Home, folder: Path) -> Home:
    folder.mkdir(parents=True)
    shutil.copyfile(home.database, folder / home.database.name)
    return Home(folder)


def succeed(run: Run) -> float:
    """Wait for a run, which must succeed; its seconds."""
    code, output = run.ends()
    assert code == 0, output[-6000:]
    return run.seconds


def leftovers(home: Home) -> list[str]:
    """Relations and files that no finished run leaves."""
    relations = home.query(
        "select table_name from information_schema.tables where table_name like '%\\_\\_dbt\\_%'"
        " escape '\\'"
    )
    beside = home.folder.glob(f"{home.database.name}?*")
    return [name for (name,) in relations] + [path.name for path in beside]


def unlike(left: Home, right: Home, queries: tuple[str, ...]) -> list[str]:
    """Queries that give other rows, or other numbers of a row, in the two databases."""
    return [sql for sql in queries if sorted_rows(left, sql) != sorted_rows(right, sql)]


def sorted_rows(home: Home, sql: str) -> list[str]:
    return sorted(map(repr, home.query(sql)))


def test_killed_loads(fork: Forks, landing: Path, tmp_path: Path) -> None:
    whole = Home(tmp_path / "whole")
    seconds = succeed(fork.ingestion(whole, *load(whole, landing)))
    moments = random.Random(SEED)
    codes, loaded = [], []
    for number in range(KILLED_LOADS):
        home = Home(tmp_path / f"home_{number}")
        run = fork.ingestion(home, *load(home, landing))
        time.sleep(moments.uniform(0, seconds))
        codes.append(run.kill())
        succeed(fork.ingestion(home, *load(home, landing)))
        assert unlike(home, whole, BRONZE) == [], f"kill {number} of seed {SEED}"
        assert leftovers(home) == []
        # How far the killed run came: its files are older than those of the second run.
        shutil.rmtree(home.folder)
    print(f"seed {SEED}: {codes.count(-9)} of {KILLED_LOADS} loads of {seconds:.2f} s killed")
    assert codes.count(-9) > KILLED_LOADS / 2


def test_killed_builds(fork: Forks, stages: Stages, tmp_path: Path) -> None:
    seconds = succeed(fork.dbt(copy(stages.loaded, tmp_path / "whole"), *BUILD))
    moments = random.Random(SEED)
    codes, seen = [], []
    for number in range(CHAINS):
        home = copy(stages.loaded, tmp_path / f"home_{number}")
        how = [(), ("--full-refresh",)][number % 3 == 1]
        if number % 3 == 2:
            drop_layers(home)
        for _ in range(KILLED_BUILDS_PER_CHAIN):
            run = fork.dbt(home, *BUILD, *how)
            time.sleep(moments.uniform(0, seconds))
            codes.append(run.kill())
            seen.append(leftovers(home))
        succeed(fork.dbt(home, *BUILD, *how))
        assert differences(home, stages.built) == {}, f"chain {number} of seed {SEED}"
        assert unlike(home, stages.built, CONTENTS) == []
        assert leftovers(home) == []
        shutil.rmtree(home.folder)
    print(f"seed {SEED}: {codes.count(-9)} of {len(codes)} builds of {seconds:.1f} s killed")
    print(f"left by the killed: {[names for names in seen if names]}")
    assert codes.count(-9) > len(codes) / 2


def drop_layers(home: Home) -> None:
    with duckdb.connect(str(home.database)) as connection:
        for layer in ("gold", "silver"):
            connection.execute(f"drop schema {layer}_layer cascade")
