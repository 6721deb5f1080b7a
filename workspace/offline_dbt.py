"""dbt for a target on Databricks without asking its workspace anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from project.errors import UserError
from project.home import CHECKOUT
from project.targets import CATALOG_VARIABLE

# profiles.yml requires an address, and dbt opens no connection to it.
_NO_WORKSPACE: Final = {
    "DATABRICKS_HOST": "https://localhost",
    "DATABRICKS_HTTP_PATH": "/sql/1.0/warehouses/none",
    "DATABRICKS_TOKEN": "none",
    "DATABRICKS_AUTH_TYPE": "",
    "DATABRICKS_CLIENT_ID": "",
}


def run_offline(target: str, folder: Path, *arguments: str, catalog: str | None = None) -> None:
    """Run `dbt <arguments>` for a target; its manifest and compiled files go to `folder`.

    `catalog` takes the place of the target's own; that of the environment does not count.

    Raises UserError with dbt's own message if it fails.
    """
    folders = ("--target-path", str(folder), "--log-path", str(folder))
    code = "import sys; from dbt.cli.main import cli; cli(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, "-q", *arguments, "--target", target, *folders],
        env=os.environ | _NO_WORKSPACE | {CATALOG_VARIABLE: catalog or ""},
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        command = " ".join(("dbt", *arguments))
        raise UserError(f"`{command}` failed: {done.stdout.strip()}; correct the project")
