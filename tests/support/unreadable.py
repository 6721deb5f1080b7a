"""A folder that the system refuses to list."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


def make_unreadable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create the folder, and fail to list it until the test ends: root could list any other."""
    folder.mkdir()
    scandir = os.scandir

    def refuse(listed: str) -> Any:
        if Path(listed) == folder:
            raise PermissionError(13, "Permission denied", listed)
        return scandir(listed)

    monkeypatch.setattr(os, "scandir", refuse)
