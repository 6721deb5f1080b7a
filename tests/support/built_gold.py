"""A local home with gold of generated events. It is built once, and copied."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

from support.databricks_runs import WITHOUT_TESTS
from support.fork_server import SESSION_FOLDER
from support.platform_runs import Home


def built_gold(folder: Path) -> Home:
    """Return a home in a new folder, with every layer built and the manifest of the build."""
    saved = Path(os.environ[SESSION_FOLDER]) / "built_gold"
    with saved.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not saved.exists():
            home = Home(saved.with_suffix(".unfinished"))
            home.load_generated(events=10_000, days=61)
            home.dbt("build", *WITHOUT_TESTS, "--write-json")
            home.folder.rename(saved)
    home = Home(folder)
    (folder / "target").mkdir(parents=True)
    shutil.copyfile(saved / home.database.name, home.database)
    shutil.copyfile(saved / "target" / "manifest.json", folder / "target" / "manifest.json")
    return home
