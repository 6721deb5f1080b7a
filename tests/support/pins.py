"""The lists of pins, and processes that can import only what a list has."""

from __future__ import annotations

import re
from collections.abc import Set
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from project.home import CHECKOUT

RUNTIME: Final = "requirements.txt"
_PLATFORM: Final = "ecommerce-analytics-platform"

# Python imports this module at each start, so that child processes are held to it as well.
_REFUSING: Final = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in {refused!r}:
            raise ModuleNotFoundError(f"{{name}} is not in requirements.txt", name=name)

sys.meta_path.insert(0, Refuse())
"""


def blocks(file: str) -> dict[str, str]:
    """Each pin with its environment marker, and its hashes as the file gives them."""
    text = (CHECKOUT / file).read_text("utf-8")
    found = re.findall(
        r"^([^\s-].*?) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.M
    )
    assert "".join(f"{pin} \\\n{hashes}" for pin, hashes in found) == text
    return dict(found)


def versions(file: str, python: str) -> dict[str, str]:
    """Version of each package that CPython of that version installs."""
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    pins = [Requirement(pin) for pin in blocks(file)]
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in pins
        if pin.marker is None or pin.marker.evaluate(here)
    }


def with_only(allowed: Set[str], folder: Path) -> dict[str, str]:
    """Return variables for a process that can import only the platform and these distributions."""
    # dbt looks for plugins in every package that is called dbt_..., MetricFlow's among them.
    refused = {
        module
        for module, owners in packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & {_PLATFORM, *allowed}
        and module != "dbt_metricflow"
    }
    (folder / "sitecustomize.py").write_text(_REFUSING.format(refused=refused), "utf-8")
    return {"PYTHONPATH": str(folder)}
