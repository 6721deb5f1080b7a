"""A run of dbt that asks no workspace anything reports what dbt says."""

from __future__ import annotations

from pathlib import Path

import pytest

from project.errors import UserError
from workspace.offline_dbt import run_offline


def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    said = r"^`dbt parse` failed: .*does not have a target named 'nowhere'.*; correct the project$"
    with pytest.raises(UserError, match=f"(?s){said}"):
        run_offline("nowhere", tmp_path, "parse")
