"""A deployed and built target dev. It is built once in a session of tests, and copied."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from governance.access_policy import load
from support.bundle_grants import grant_bundle
from support.databricks_runs import WITHOUT_TESTS, DatabricksHome, running_warehouse
from support.event_batches import line, write
from support.fork_server import SESSION_FOLDER
from support.platform_runs import Home
from warehouse.server import Warehouse

DEPLOYER: Final = "deployer"
# One user of each segment as of 2019-11-30, with the orders and days that its rule needs.
EVENTS: Final = (
    *(
        line(f"2019-11-{day} 10:00:00", "purchase", user=1, session="vip", price="999.00")
        for day in (21, 23, 25, 27)
    ),
    *(
        line(f"2019-11-{day} 11:00:00", "purchase", user=2, session="loyal", price="5.00")
        for day in (21, 23, 25)
    ),
    # Seen long enough to have a purchase frequency.
    line("2019-10-20 10:00:00", "view", user=1, session="vip"),
    line("2019-11-10 12:00:00", "purchase", user=3, session="regular", price="5.00"),
    line("2019-11-29 13:00:00", "purchase", user=4, session="new", price="5.00"),
    *(
        line(f"2019-10-{day} 14:00:00", "purchase", user=5, session="at_risk", price="5.00")
        for day in ("03", "05")
    ),
    line("2019-10-03 14:30:00", "purchase", user=9, session="lapsed", price="5.00"),
    line("2019-11-30 15:00:00", "view", user=6, session="prospect"),
    line("2019-11-30 15:01:00", "view", user=6, session="prospect", code="apparel.shoes"),
    line("2019-11-30 15:02:00", "cart", user=6, session="prospect", code="apparel.shoes"),
    line("not a time", user=7, session="s7"),
    line("2019-11-30 16:00:00", "view", user=8, session="  "),
)


@dataclass(frozen=True)
class Platform:
    """The same rows on both engines; `dev` is built, with a manifest, and `home` has bronze."""

    home: Home
    dev: DatabricksHome

    def load(self, files: Path) -> str:
        """Load more files locally, and land their rows in the warehouse.

        Return a condition that is true for these rows of bronze.
        """
        [(newest,)] = self.home.query("select max(_ingested_at) from bronze_layer.events_raw")
        self.home.load(files)
        is_new = f"_ingested_at > '{newest}'"
        self.dev.land(self.home, is_new)
        return is_new


@contextmanager
def built_platform(folder: Path) -> Iterator[Platform]:
    """Start a warehouse with the grants of the bundle, and with all tables, owned by the pipeline.

    Its principals are the personas of the access policy and the owner of the catalog, `DEPLOYER`.
    """
    personas = {name: persona.groups for name, persona in load().personas.items()}
    saved = Path(os.environ[SESSION_FOLDER]) / "built_platform"
    with saved.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not saved.exists():
            with running_warehouse(personas, DEPLOYER) as warehouse:
                _build(saved.with_suffix(".unfinished"), warehouse)
            saved.with_suffix(".unfinished").rename(saved)
    for part in ("local", "dev"):
        shutil.copytree(saved / part, folder / part)
    with running_warehouse(personas, DEPLOYER) as warehouse:
        warehouse.restore(saved / "warehouse")
        yield Platform(Home(folder / "local"), DatabricksHome(folder / "dev", warehouse))


def _build(folder: Path, warehouse: Warehouse) -> None:
    home, dev = Home(folder / "local"), DatabricksHome(folder / "dev", warehouse)
    write(folder / "files" / "events.csv", EVENTS)
    home.load(folder / "files")
    grant_bundle(warehouse)
    dev.land(home)
    dev.dbt("build", *WITHOUT_TESTS, "--write-json")
    warehouse.save(folder / "warehouse")
