"""The two lists of pins: a local run needs the short one only, and both name the same versions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT: Final = Path(__file__).parents[3]
RUNTIME: Final = "requirements.txt"
EVERYTHING: Final = "requirements-dev.txt"
PYTHONS: Final = ("3.11", "3.12", "3.13")

# Python imports this module at each start, so that child processes are held to it as well.
REFUSING: Final = """
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


def declared(*extras: str) -> Iterator[Requirement]:
    project: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    lists = project["project"]["optional-dependencies"]
    for line in [*project["project"]["dependencies"], *(r for e in extras for r in lists[e])]:
        yield Requirement(line)


def test_both_lists_pin_the_same_versions_and_hashes() -> None:
    runtime = blocks(RUNTIME)
    assert runtime
    # Another package may ask for an extra of one that both lists have, as fastmcp of pydantic.
    everything = {re.sub(r"\[\w+]", "", pin): hashes for pin, hashes in blocks(EVERYTHING).items()}
    assert {
        re.sub(r"\[\w+]", "", pin): h for pin, h in runtime.items()
    }.items() <= everything.items()


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(
    ("file", "extras"),
    [(RUNTIME, ("build",)), (EVERYTHING, ("build", "databricks", "bench", "test"))],
)
def test_the_pins_are_what_the_project_declares(
    file: str, extras: tuple[str, ...], python: str
) -> None:
    pinned = versions(file, python)
    for requirement in declared(*extras):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)])


def test_tools_are_in_the_long_list_only() -> None:
    runtime = versions(RUNTIME, "3.11")
    needed = {requirement.name for requirement in declared("build")}
    tools = {r.name for r in declared("databricks", "bench", "test")} - needed
    assert tools
    assert not {canonicalize_name(name) for name in tools} & set(runtime)


def run_without_others(
    home: Path, allowed: set[str], distributions: Mapping[str, list[str]]
) -> subprocess.CompletedProcess[str]:
    """Run the platform where only the named distributions can be imported."""
    # dbt looks for plugins in every package that is called dbt_..., MetricFlow's among them.
    refused = {
        module
        for module, owners in distributions.items()
        if not {canonicalize_name(owner) for owner in owners} & allowed
        and module != "dbt_metricflow"
    }
    home.mkdir()
    (home / "sitecustomize.py").write_text(REFUSING.format(refused=refused), "utf-8")
    return subprocess.run(
        [str(Path(sys.executable).with_name("ecommerce")), "run", "--events", "2000"],
        cwd=CHECKOUT,
        env=os.environ | {"ECOMMERCE_HOME": str(home), "PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_local_run_needs_the_short_list_only(tmp_path: Path) -> None:
    allowed = {"ecommerce-analytics-platform", *versions(RUNTIME, "3.11")}
    distributions = packages_distributions()
    result = run_without_others(tmp_path / "all", allowed, distributions)
    assert result.returncode == 0, result.stdout + result.stderr
    result = run_without_others(tmp_path / "less", allowed - {"scipy"}, distributions)
    assert result.returncode != 0
    assert "scipy is not in requirements.txt" in result.stdout + result.stderr
