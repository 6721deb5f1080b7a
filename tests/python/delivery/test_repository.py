"""What GitHub reads of the repository itself: valid forms, owners and updates that exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from project.home import CHECKOUT

GITHUB: Final = CHECKOUT / ".github"
FORMS: Final = sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
SCHEMAS: Final = {
    GITHUB / "dependabot.yml": "dependabot",
    GITHUB / "ISSUE_TEMPLATE" / "config.yml": "github-issue-config",
    **dict.fromkeys(FORMS, "github-issue-forms"),
}


def linted(*command: str) -> subprocess.CompletedProcess[str]:
    tool = str(Path(sys.executable).with_name(command[0]))
    return subprocess.run([tool, *command[1:]], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("path", "schema"), SCHEMAS.items(), ids=lambda value: Path(value).name)
def test_github_accepts_the_file(path: Path, schema: str) -> None:
    result = linted("check-jsonschema", "--builtin-schema", f"vendor.{schema}", str(path))
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_form_without_labels_for_its_fields_is_found(tmp_path: Path) -> None:
    broken = tmp_path / "bug.yml"
    text = (GITHUB / "ISSUE_TEMPLATE" / "bug.yml").read_text("utf-8")
    broken.write_text(text.replace("      label: Steps\n", ""), "utf-8")
    result = linted(
        "check-jsonschema", "--builtin-schema", "vendor.github-issue-forms", str(broken)
    )
    assert result.returncode != 0
    assert "label" in result.stdout


def test_updates_reach_every_kind_of_pin() -> None:
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text("utf-8"))["updates"]
    assert {update["package-ecosystem"] for update in updates} == {
        "pip",
        "github-actions",
        "pre-commit",
    }
    [pip] = [update for update in updates if update["package-ecosystem"] == "pip"]
    pinned = {path.parent for path in CHECKOUT.glob("requirements*.txt")}
    pinned |= {path.parent for path in (CHECKOUT / "tests").rglob("requirements*.txt")}
    assert {CHECKOUT / folder.lstrip("/") for folder in pip["directories"]} == pinned
    assert all(update["cooldown"]["default-days"] >= 7 for update in updates)


def test_every_rule_of_the_owners_matches_a_file() -> None:
    lines = (GITHUB / "CODEOWNERS").read_text("utf-8").splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    assert rules[0][0] == "*"
    for pattern, *owners in rules[1:]:
        assert (CHECKOUT / pattern.lstrip("/")).exists(), pattern
        assert owners, pattern


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # typos:off
        ("Whoever reads this gets the colour.\n", ["`Whoever`", "`colour` should be `color`"]),
        ("def told(catalogue): ...\n", ["`told`", "`catalogue` should be `catalog`"]),
        # typos:on
        ("The color stands for a segment.\n", []),
    ],
)
def test_the_spelling_is_linted(tmp_path: Path, text: str, found: list[str]) -> None:
    (tmp_path / "page.md").write_text(text, "utf-8")
    config = str(CHECKOUT / ".typos.toml")
    result = linted("typos", "--config", config, "--format", "brief", str(tmp_path / "page.md"))
    assert (result.returncode == 0) == (not found)
    assert len(result.stdout.splitlines()) == len(found)
    assert all(finding in result.stdout for finding in found)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"status": {"state": "SUCCEEDED"}}, 0),
        ({"status": {"state": "FAILED", "error": {"message": "no CREATE CATALOG"}}}, 5),
        # The answer after wait_timeout.
        ({"status": {"state": "PENDING"}}, 5),
        ({}, 5),
    ],
)
def test_the_readme_stops_at_a_statement_that_failed(answer: dict[str, Any], code: int) -> None:
    """The API answers 200 to a statement that fails, so the CLI succeeds."""
    [program] = re.findall(r"\| jq -e '(.+)'\n", (CHECKOUT / "README.md").read_text("utf-8"))
    result = subprocess.run(
        ["jq", "-e", program], input=json.dumps(answer), capture_output=True, text=True, check=False
    )
    assert result.returncode == code
    assert answer.get("status", {}).get("error", {}).get("message", "") in result.stderr
