"""Killed runs, concurrent runs, full disks: the next run ends in the undisturbed state."""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pytest

from ingestion import local_loader
from ingestion.file_load import Status
from support.fork_server import Run
from support.platform_runs import Home, differences

pytestmark = pytest.mark.kills

SEED: Final = 20191001
FILES: Final = 8
KILLED_LOADS: Final = 40
# Each chain: a build is killed, and so are the next two, which should have recovered.
CHAINS: Final = ("update", "full refresh", "first build") * 2
KILLS_IN_A_CHAIN: Final = 3
# The chains, both of updates, that begin with every leftover, and that end among other writers.
WITH_LEFTOVERS: Final = 0
WITH_OTHER_WRITERS: Final = 3

# Every relation that `make run` builds; tests only read.
BUILD: Final = ("build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
# Queries on one database, catalog `{0}`, whose results do not depend on the times of its runs.
SNAPSHOTS: Final = (
    "select user_id, user_segment from {0}.silver_layer.users_snapshot where dbt_valid_to is null",
    "select product_id, current_price, brand, category_id, category_code"
    " from {0}.silver_layer.products_snapshot where dbt_valid_to is null",
)
BRONZE: Final = (
    "select * exclude _ingested_at, dense_rank() over (order by _ingested_at)"
    " from {0}.bronze_layer.events_raw",
    "select * exclude _ingested_at, rank() over (order by _ingested_at)"
    " from {0}.bronze_layer.loaded_files",
)


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight days, out of order; every third file takes the loader's slow path."""
    home = Home(tmp_path_factory.mktemp("generated"))
    folder = home.folder / "landing"
    command = ["generate", "--events", "3000", "--days", str(FILES), "--dirty", "0.005"]
    home.run(*command, "--out", str(folder))
    for number, file in enumerate(sorted(folder.glob("*.csv"))):
        if number % 3 == 0:
            with file.open("a", encoding="utf-8") as lines:
                lines.write("half a line\n")
        file.rename(folder / f"{(number * 5) % FILES:02}.csv")
    return folder


@dataclass(frozen=True)
class Stages:
    """One shop after undisturbed runs: half of the files built, all loaded, all built."""

    landing: Path
    half: Home
    loaded: Home
    built: Home


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory, landing: Path) -> Stages:
    folder = tmp_path_factory.mktemp("stages")
    some = folder / "some"
    some.mkdir()
    for file in sorted(landing.glob("*.csv"))[: FILES // 2]:
        (some / file.name).symlink_to(file)
    home = Home(folder / "home")
    home.run(*load(home, some))
    home.dbt(*BUILD)
    half = copy(home, folder / "half")
    home.run(*load(home, landing))
    loaded = copy(home, folder / "loaded")
    home.dbt(*BUILD)
    return Stages(landing, half, loaded, home)


def load(home: Home, data: Path) -> tuple[str, ...]:
    return "load", "--data", str(data), "--database", str(home.database)


def copy(home: Home, folder: Path) -> Home:
    folder.mkdir(parents=True)
    shutil.copyfile(home.database, folder / home.database.name)
    return Home(folder)


def leftovers(home: Home) -> list[str]:
    """Return relations and files that a finished run never leaves."""
    relations = home.query(
        "select name from (select table_name from duckdb_tables() union all"
        " select view_name from duckdb_views()) as relations (name) where contains(name, '__dbt_')"
    )
    beside = home.folder.glob(f"{home.database.name}?*")
    return [name for (name,) in relations] + [path.name for path in beside]


def differing_queries(left: Home, right: Home, queries: tuple[str, ...]) -> list[str]:
    """Return queries whose rows, or counts of a row, differ between the two databases."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{left.database}' as a (read_only)")
        connection.execute(f"attach '{right.database}' as b (read_only)")
        return [
            query
            for query in queries
            if connection.execute(_DIFFER.format(query.format("a"), query.format("b"))).fetchone()
        ]


# As many rows, and each as often on the other side: then the other side has no more.
_DIFFER: Final = (
    "select 1 where (select count(*) from ({0})) <> (select count(*) from ({1}))"
    " or exists ({0} except all {1})"
)


def test_killed_loads(landing: Path, tmp_path: Path) -> None:
    whole = Home(tmp_path / "whole")
    run = whole.start(*load(whole, landing))
    run.ends()
    seconds = run.seconds
    moments = random.Random(SEED)
    for number in range(KILLED_LOADS):
        moment = moments.uniform(0, 0.95)
        code = 0
        while code != -signal.SIGKILL:
            home = Home(tmp_path / f"home_{number}")
            shutil.rmtree(home.folder, ignore_errors=True)
            run = home.start(*load(home, landing))
            time.sleep(moment * seconds)
            code = run.kill()
            assert code in (0, -signal.SIGKILL)
            if code == 0:
                # The machine is less busy than it was: this kill has to come sooner.
                seconds = min(0.9 * seconds, run.seconds)
        # In this process, which saves a third of the time.
        report = local_loader.load(landing, home.database)
        assert report.count(Status.LOADED, Status.ALREADY_LOADED) == len(report.files)
        assert differing_queries(home, whole, BRONZE) == [], f"kill {number} of seed {SEED}"
        assert leftovers(home) == []
        shutil.rmtree(home.folder)


def test_killed_builds(stages: Stages, tmp_path: Path) -> None:
    """The builds also remove leftovers of any kill, and no other writer disturbs the last one."""
    moments = random.Random(SEED)
    codes, seen = [], []
    for number, kind in enumerate(CHAINS):
        home = copy(stages.loaded, tmp_path / f"home_{number}")
        command = (*BUILD, "--full-refresh") if kind == "full refresh" else BUILD
        if kind == "first build":
            drop_layers(home)
        if number == WITH_LEFTOVERS:
            add_leftovers(home)
        for _ in range(KILLS_IN_A_CHAIN):
            run = home.start_dbt(*command)
            # Counted in relations, a kill hits the work however busy the machine is.
            wait_until_part_is_built(run, moments.uniform(0, 0.9))
            time.sleep(moments.uniform(0, 0.1))
            codes.append(run.kill())
            seen.append(leftovers(home))
        run = home.start_dbt(*command)
        if number == WITH_OTHER_WRITERS:
            expect_no_other_writer(run, home, stages.landing)
        run.ends()
        assert differences(home, stages.built) == {}, f"{kind}, chain {number}, seed {SEED}"
        assert differing_queries(home, stages.built, SNAPSHOTS) == []
        assert leftovers(home) == []
        shutil.rmtree(home.folder)
    print(f"seed {SEED}: {codes.count(-9)} of {len(codes)} builds killed")
    print(f"left by the killed: {[names for names in seen if names]}")
    assert codes.count(-9) >= 15


def wait_until_part_is_built(run: Run, share: float) -> None:
    """Wait until dbt has started this share of its relations."""
    while run.is_running():
        started = re.findall(r"(\d+) of (\d+) START (?!hook)", run.printed())
        if started and int(started[-1][0]) >= share * int(started[-1][1]):
            return
        # A relation takes some hundredths of a second.
        time.sleep(0.01)


def drop_layers(home: Home) -> None:
    with duckdb.connect(str(home.database)) as connection:
        for layer in ("gold", "intermediate", "silver"):
            connection.execute(f"drop schema {layer}_layer cascade")


def add_leftovers(home: Home) -> None:
    """Add all that kills between two statements can leave.

    dbt drops the old table after it commits the new one, and a Python model commits early.
    """
    built = home.tables()
    with duckdb.connect(str(home.database)) as connection:
        for table in built:
            for left in ("__dbt_backup", "__dbt_tmp"):
                connection.execute(f"create table {table}{left} as from {table}")
    assert len(leftovers(home)) == 2 * len(built)


def expect_no_other_writer(run: Run, home: Home, data: Path) -> None:
    """Start every other writer while the run holds the database, and expect an error."""
    with home.held(run):
        for command in (load(home, data), ("run", "--data", str(data))):
            message = home.run(*command, expect=2).stderr
            assert f"{home.database}: another process has this database open; wait until" in message
        output = home.dbt("run", expect=2).stdout
        assert f'Could not set lock on file "{home.database}": Conflicting lock is held' in output


def test_no_other_writer_runs_during_a_load(stages: Stages, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    run = home.start(*load(home, stages.landing))
    expect_no_other_writer(run, home, stages.landing)
    run.ends()
    assert differing_queries(home, stages.loaded, BRONZE) == []


class Disk:
    """A small disk in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def leave_free(self, free: int) -> None:
        """Resize the disk so that this many bytes are free."""
        used = shutil.disk_usage(self.folder).used
        option = f"remount,size={used + free}"
        subprocess.run(["mount", "-o", option, str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200M", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a full disk needs a small disk to fill, and mount is not permitted here")
    yield Disk(folder)
    subprocess.run(["umount", str(folder)], check=True)


def test_load_on_a_full_disk(stages: Stages, disk: Disk) -> None:
    home = copy(stages.half, disk.folder / "home")
    disk.leave_free(100_000)
    message = home.run(*load(home, stages.landing), expect=2).stderr
    assert f"cannot be loaded into {home.database}: " in message
    assert message.endswith("No space left on device; free some space, then run again\n")
    assert differences(home, stages.half) == {}
    files = home.query(
        "select rows, (select count(*) from bronze_layer.events_raw where _source_file = path)"
        " from bronze_layer.loaded_files"
    )
    assert FILES // 2 <= len(files) < FILES
    assert all(rows == found for rows, found in files)
    disk.leave_free(100_000_000)
    home.run(*load(home, stages.landing))
    assert differing_queries(home, stages.loaded, BRONZE) == []
    assert leftovers(home) == []


def test_build_on_a_full_disk(stages: Stages, disk: Disk) -> None:
    home = copy(stages.loaded, disk.folder / "home")
    disk.leave_free(1_000_000)
    # A failed model ends dbt with 1; here the run cannot be recorded either.
    output = home.dbt(*BUILD, expect=2).stdout
    assert "No space left on device" in output
    # Each table is in its old state or in its new one.
    assert not differences(home, stages.half).keys() & differences(home, stages.built).keys()
    assert differing_queries(home, stages.loaded, BRONZE) == []
    disk.leave_free(100_000_000)
    home.dbt(*BUILD)
    assert differences(home, stages.built) == {}
    assert leftovers(home) == []
