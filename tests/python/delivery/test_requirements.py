"""The two lists of pins: a local run needs the short one only, and both name the same versions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from project.home import CHECKOUT
from support.pins import RUNTIME, blocks, versions, with_only

EVERYTHING: Final = "requirements-dev.txt"
PYTHONS: Final = ("3.11", "3.12", "3.13")


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


@pytest.mark.slow
def test_a_run_without_one_of_the_short_list_fails(tmp_path: Path) -> None:
    """That the whole list is enough is what test_run.py has."""
    allowed = set(versions(RUNTIME, "3.11")) - {"tqdm"}
    result = subprocess.run(
        [str(Path(sys.executable).with_name("ecommerce")), "run", "--events", "2000"],
        cwd=CHECKOUT,
        env=os.environ | {"ECOMMERCE_HOME": str(tmp_path)} | with_only(allowed, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode != 0
    assert "tqdm is not in requirements.txt" in result.stdout + result.stderr
