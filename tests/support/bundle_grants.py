"""Applies the bundle's grants to a loopback warehouse, as a deployment would."""

from __future__ import annotations

from project.home import CHECKOUT
from warehouse.server import Warehouse
from workspace.bundle import Config, deployed, read_bundle

_NAMES = {
    "catalogs": ("name",),
    "schemas": ("catalog_name", "name"),
    "volumes": ("catalog_name", "schema_name", "name"),
}


def grant_bundle(warehouse: Warehouse, target: str = "dev", config: Config | None = None) -> None:
    """Create the target's missing schemas and volumes, and apply the declared grants.

    `config` defaults to the real bundle.
    """
    resources = deployed(config or read_bundle(CHECKOUT), target)["resources"]
    for kind, parts in _NAMES.items():
        word = kind.removesuffix("s")
        for resource in resources[kind].values():
            name = ".".join(resource[part] for part in parts)
            if kind != "catalogs":
                warehouse.execute(f"create {word} if not exists {name}")
            for entry in resource["grants"]:
                privileges = ", ".join(p.replace("_", " ") for p in entry["privileges"])
                warehouse.execute(f"grant {privileges} on {word} {name} to `{entry['principal']}`")
