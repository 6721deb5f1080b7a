"""Where a local run keeps what it makes: `ECOMMERCE_HOME`, by default `.local` in the checkout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parent.parent
CATALOG: Final = "ecommerce_analytics_local"


def home() -> Path:
    """Return the absolute folder of the local run; it may not exist yet."""
    return Path(os.environ.get("ECOMMERCE_HOME") or CHECKOUT / ".local").resolve()


def database_path() -> Path:
    """Return the DuckDB file whose name is the catalog's name."""
    return home() / f"{CATALOG}.duckdb"


def landing_path() -> Path:
    """Return the folder where generated files land."""
    return home() / "landing"


def docs_path() -> Path:
    """Return the folder of the static dbt docs site."""
    return home() / "docs"
