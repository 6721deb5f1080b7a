"""Reads yml files, the one format of all definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def read_yml(path: Path) -> Any:
    """Return what a yml file says, by libyaml: in a sixth of the time of `yaml.safe_load`.

    Raises OSError, UnicodeDecodeError and yaml.YAMLError.
    """
    return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
