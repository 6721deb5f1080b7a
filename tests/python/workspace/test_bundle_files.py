"""The bundle's files, resolved for one target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from project.errors import UserError
from workspace.bundle import deployed, read_bundle


def test_a_target_sets_its_variables_and_adds_its_grants(tmp_path: Path) -> None:
    (tmp_path / "databricks.yml").write_text(
        """
        bundle: {name: shop}
        include: [resources/*.yml]
        variables:
          catalog: {default: "${bundle.name}_${bundle.target}"}
        targets:
          dev: {variables: {catalog: "mine_${bundle.target}"}}
          prod: {}
        """
    )
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "one.yml").write_text(
        """
        resources:
          catalogs: {c: {name: "${var.catalog}", grants: [{principal: a, privileges: [BROWSE]}]}}
        targets:
          prod:
            resources: {catalogs: {c: {grants: [{principal: b, privileges: [BROWSE]}]}}}
        """
    )
    to_a, to_b = ({"principal": name, "privileges": ["BROWSE"]} for name in "ab")

    def catalog(target: str) -> Any:
        return deployed(read_bundle(tmp_path), target)["resources"]["catalogs"]["c"]

    assert catalog("dev") == {"name": "mine_dev", "grants": [to_a]}
    assert catalog("prod") == {"name": "shop_prod", "grants": [to_a, to_b]}


def test_a_folder_without_a_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"databricks\.yml: not a readable file of the bundle"):
        read_bundle(tmp_path)
