"""What a run with nothing to build compares with the last one."""

from __future__ import annotations

import subprocess
import sys

from pipeline import last_run
from project.home import CHECKOUT
from project.variables import PROJECT_FILE
from project.yml import read_yml


def test_all_that_a_run_is_made_of_is_compared() -> None:
    compared = {path.relative_to(CHECKOUT).parts[0] for path in last_run._files()}
    read_by_dbt = {
        folder
        for key, folders in read_yml(PROJECT_FILE).items()
        if key.endswith("-paths")
        for folder in folders
    }
    program = "import sys, pipeline.run, dashboard.site; print(*sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout
    imported = {name.partition(".")[0] for name in printed.split()}
    ours = {name for name in imported if (CHECKOUT / name / "__init__.py").exists()}
    assert ours >= {"pipeline", "dashboard", "project"}
    assert compared >= read_by_dbt | ours
