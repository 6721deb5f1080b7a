"""Writes the queries of the alerts, compiled by dbt, as variables of the bundle.

`make alerts` calls it. The bundle takes the text of a query and no file with variables in it, so
that a query with its thresholds has to stand in the bundle. A test compares the two.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from project.home import CHECKOUT
from project.output import guarded, show
from workspace.offline_dbt import run_offline

FILE: Final = CHECKOUT / "resources" / "alert_queries.yml"
_TARGET: Final = "dev"
_CATALOG: Final = f"`ecommerce_analytics_{_TARGET}`"
_HEAD: Final = """\
# Written by `make alerts` from analyses/alerts and the vars of dbt_project.yml: change those.
variables:
"""


def compiled_queries(target_folder: Path) -> dict[str, str]:
    """Return the compiled text of each alert's query by its name, from dbt's target folder."""
    folder = target_folder / "compiled" / "ecommerce_analytics" / "analyses" / "alerts"
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sql"))}


def to_bundle(queries: Mapping[str, str]) -> str:
    """Return the queries as a file of the bundle, with the target's catalog in them."""
    parts = [_HEAD]
    for name, query in queries.items():
        lines = query.strip().replace(_CATALOG, "`${var.catalog}`").splitlines()
        text = "".join(f"      {line.rstrip()}".rstrip() + "\n" for line in lines)
        parts.append(
            f"  alert_{name}:\n    description: Query of the alert {name}.\n    default: |\n{text}"
        )
    return "".join(parts)


def main() -> int:
    """Compile the queries and write the file; return the exit code."""
    with TemporaryDirectory() as name:
        run_offline(
            *(_TARGET, Path(name), "compile", "--select", "path:analyses/alerts"),
            *("--no-populate-cache", "--no-introspect"),
        )
        queries = compiled_queries(Path(name))
    FILE.write_text(to_bundle(queries), encoding="utf-8")
    show(f"{FILE.relative_to(CHECKOUT)}: {len(queries)} queries")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
