"""Gold as Iceberg tables in a catalog of SQLite, below one folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from export.gold import SCHEMA

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog.sql import SqlCatalog

CATALOG: Final = "catalog.db"


def write(rows: pa.Table, name: str, comment: str, folder: Path, target: Path) -> None:
    """Write a table below `folder`, with the paths that it has once that is renamed to `target`.

    Iceberg keeps absolute paths. A table that is there already is replaced.
    """
    catalog = _open(folder, target)
    try:
        catalog.create_namespace_if_not_exists(SCHEMA)
        if catalog.table_exists((SCHEMA, name)):
            catalog.drop_table((SCHEMA, name))
        shutil.rmtree(folder / SCHEMA / name, ignore_errors=True)
        location = f"file://{target / SCHEMA / name}"
        table = catalog.create_table(
            (SCHEMA, name), rows.schema, location, properties={"comment": comment}
        )
        table.append(rows)
    finally:
        catalog.close()


def read(name: str, folder: Path, target: Path) -> pa.Table:
    """Return the rows of a table that was written by `write`."""
    catalog = _open(folder, target)
    try:
        return catalog.load_table((SCHEMA, name)).scan().to_arrow()
    finally:
        catalog.close()


def _open(folder: Path, target: Path) -> SqlCatalog:
    # An extra, which only this format needs.
    from pyiceberg.catalog.sql import SqlCatalog

    from export.iceberg_io import FOLDER, TARGET, FolderIO

    implementation: Any = f"{FolderIO.__module__}.{FolderIO.__qualname__}"
    return SqlCatalog(
        "gold",
        uri=f"sqlite:///{folder / CATALOG}",
        warehouse=f"file://{target}",
        **{"py-io-impl": implementation, FOLDER: str(folder), TARGET: str(target)},
    )
