"""Compares the live governance of a workspace with the declared one; exit code 1 means drift."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from typing import Final, Literal

from governance import declared
from governance.live import Catalog
from governance.state import OWNED, Kind, State
from project.arguments import nonempty_path, nonempty_text
from project.home import CHECKOUT
from project.output import show
from project.targets import CATALOG_VARIABLE, catalog_of_target
from workspace.bundle import catalog_of, deployed, read_bundle
from workspace.client import add_target, add_warehouse, connect, warehouse_id

HELP: Final = "compare a workspace's grants, masks, filters, tags, policies with the declared ones"


@dataclass(frozen=True)
class Finding:
    """One difference; `declared` and `live` are the values, None if there is none."""

    difference: Literal["missing", "additional", "different"]
    kind: Kind
    place: str
    name: str
    declared: str | None
    live: str | None

    def __str__(self) -> str:
        what = " ".join(filter(None, (self.kind, self.name)))
        line = f"{self.difference:<10}  {what} on {self.place}"
        if self.kind == "grant":
            return line
        values = [f"declared {self.declared}"] * (self.declared is not None)
        values += [f"live {self.live}"] * (self.live is not None)
        return f"{line}: {', '.join(values)}"


def drift(wanted: State, live: State) -> list[Finding]:
    """Return all differences by kind, place and name, except for grants to an owner."""
    findings = []
    for item in sorted({*wanted, *live}):
        expected, found = wanted.get(item), live.get(item)
        if found in (expected, OWNED):
            continue
        difference: Literal["missing", "additional", "different"] = (
            "missing" if found is None else "additional" if expected is None else "different"
        )
        findings.append(Finding(difference, item.kind, item.place, item.name, expected, found))
    return findings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce governance check`."""
    add_target(parser)
    parser.add_argument(
        "--catalog",
        type=nonempty_text,
        help=f"catalog to check (default: ${CATALOG_VARIABLE}, else the target's)",
    )
    parser.add_argument(
        "--manifest",
        type=nonempty_path,
        default=CHECKOUT / "target" / "manifest.json",
        help="dbt's manifest for that target (default: target/manifest.json)",
    )
    add_warehouse(parser)
    parser.add_argument("--output", choices=("text", "json"), default="text")


def execute(args: argparse.Namespace) -> int:
    """Check and print; 0 if everything is as declared, 1 if not.

    Raises UserError if a side of the comparison cannot be read.
    """
    given = {"var.catalog": args.catalog or catalog_of_target(args.target)}
    bundle = deployed(read_bundle(CHECKOUT), args.target, given)
    expected = declared.declared(declared.read_manifest(args.manifest, args.target), bundle)
    catalog = catalog_of(bundle)
    findings = drift(
        expected, Catalog(connect(), args.warehouse_id or warehouse_id(), catalog).state()
    )
    if args.output == "json":
        report = {
            "catalog": catalog,
            "declared": len(expected),
            "findings": [asdict(finding) for finding in findings],
        }
        show(*json.dumps(report, indent=2).splitlines())
    else:
        show(*findings, f"{catalog}: {len(expected)} declared, {len(findings)} different")
    return 1 if findings else 0
