"""Erases a user from a catalog of a workspace, through a SQL warehouse and the Files API."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from erasure import landed_files, statements
from erasure.statements import SPARK, Rows
from ingestion.formats import NotReadableError
from ingestion.judged_files import BOOKS, read_books, write_books
from ingestion.landing_files import Identity
from project.errors import UserError, reason
from project.home import CHECKOUT
from project.output import show
from project.targets import catalog_of_target
from project.variables import project_variables
from workspace import client
from workspace.bundle import deployed, read_bundle
from workspace.statements import Warehouse

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

RETENTION_DAYS: Final = 7
"""Days that Delta keeps files of earlier versions by default, which time travel reads."""
# A file in an archive has the path of the archive before its own.
_ARCHIVE: Final = re.compile(r"(.+?[.]zip)/.+", re.IGNORECASE)
# What Databricks calls a missing catalog, schema, table or function.
_NOT_BUILT: Final = (
    "NO_SUCH_CATALOG_EXCEPTION",
    "SCHEMA_NOT_FOUND",
    "TABLE_OR_VIEW_NOT_FOUND",
    "UNRESOLVED_ROUTINE",
)
# Auto Loader may name files by the scheme of the file system.
_SCHEME: Final = "dbfs:"


@dataclass(frozen=True)
class Place:
    """A catalog, and how to reach it."""

    client: WorkspaceClient
    warehouse_id: str
    catalog: str
    target: str

    def query(self, statement: str) -> Rows:
        """Run a statement, wait for its end, and return its rows; UserError if it fails."""
        # A purge of a large table may take hours.
        result = Warehouse(self.client, self.warehouse_id, wait_seconds=inf).run(statement)
        if result.error:
            remedy = (
                f"deploy and build target {self.target}, or correct --target"
                if result.error_class in _NOT_BUILT
                else "sign in as the pipeline's principal or as a member of"
                " ecommerce_platform_admins, then run again"
            )
            raise UserError(f"{self.catalog}: {reason(result.error)}; {remedy}")
        return [*result.rows]


def connected(target: str, warehouse_id: str | None) -> Place:
    """Sign in to the workspace of a target; UserError if that is not possible."""
    warehouse_id = warehouse_id or client.warehouse_id()
    return Place(client.connect(), warehouse_id, catalog_of_target(target), target)


def erase(place: Place, user: int, *, dry_run: bool, unreadable_lines: bool) -> int:
    """Erase the user from files and tables, and let no build succeed before a full refresh.

    A dry run prints what would be deleted. Raises UserError for a caller from whom policies hide
    users; for a user without a row, unless an erasure has begun that may be this one; and for one
    with the number in unreadable lines only, unless `unreadable_lines` says that they are theirs.
    """
    _require_sees_users(place)
    found = statements.tables(place.query, place.catalog, SPARK)
    counts = statements.counts(place.query, place.catalog, found, user, SPARK)
    is_built = statements.is_built(found)
    # Rows go before what the files still hold of them, so a user without one may not be done.
    is_repeated = is_built and statements.has_begun(place.query, place.catalog)
    has_rows = any(counts.values())
    if not has_rows and (dry_run or not is_repeated):
        raise UserError(
            f"user {user}: no row in any of the {len(found)} tables of {place.catalog} that have"
            " users; correct --user or --target"
        )
    landed = statements.landed_rows(place.query, place.catalog, user, SPARK)
    if has_rows and not unreadable_lines:
        statements.require_readable(place.query, place.catalog, counts, landed, user)
    for table, number in counts.items():
        show(f"{number:>12,} rows   {table.name}")
    for path, number in landed.items():
        show(f"{number:>12,} lines  {path}")
    if dry_run:
        show("dry run: nothing was changed")
        return 0
    if landed:
        _keep_books(place, _rewrite(place, landed, user))
    if is_built:
        place.query(statements.require_rebuild(place.catalog))
    for table, number in counts.items():
        if number:
            place.query(statements.delete(place.catalog, table, user, SPARK))
        if table.is_plain and (number or is_repeated):
            # Deletion vectors only mark the rows: this writes their files without them.
            place.query(f"reorg table {place.catalog}.{table.address} apply (purge)")
    if any(statements.counts(place.query, place.catalog, found, user, SPARK).values()):
        raise UserError(f"user {user}: rows were written meanwhile; pause the jobs, then run again")
    done = "deleted from every table" if has_rows else "no row was left; files are rewritten"
    show(
        f"user {user}: {done}; next:",
        f"  dbt build --target {place.target} --full-refresh   (no other build succeeds before)",
        f"  ecommerce erase --vacuum --target {place.target}   (in {RETENTION_DAYS} days)",
    )
    return 0


def _require_sees_users(place: Place) -> None:
    """Ask the policy functions themselves: what they hide would not be found, nor deleted."""
    silver = f"{place.catalog}.silver_layer"
    seen = [f"{silver}.mask_user_id(1) is not null", f"{silver}.mask_personal_text('a') = 'a'"]
    seen += [f"{silver}.sees_segment('{s}')" for s in project_variables()["user_segments"]]
    [[sees_all]] = place.query(f"select coalesce({' and '.join(seen)}, false)")
    if str(sees_all).lower() != "true":
        raise UserError(
            f"{place.catalog}: policies hide users from you, so rows would be left; sign in as the"
            " pipeline's principal or as a member of ecommerce_platform_admins"
        )


def _rewrite(place: Place, landed: Mapping[str, int], user: int) -> dict[str, int]:
    """Replace the landed files in the volume and return their sizes; one that is gone is named."""
    sizes: dict[str, int] = {}
    stored: dict[str, list[str]] = {}
    for source_file in landed:
        path = source_file.removeprefix(_SCHEME)
        archive = _ARCHIVE.fullmatch(path)
        stored.setdefault(archive[1] if archive else path, []).append(path)
    for remote, paths in stored.items():
        with TemporaryDirectory() as folder:
            file = Path(folder) / Path(remote).name
            if not _download(place, remote, file):
                show(f"gone: {remote}")
                continue
            inside = [Path(str(file) + path.removeprefix(remote)) for path in paths]
            try:
                landed_files.rewrite(file, inside, user)
            except NotReadableError as error:
                raise UserError(
                    f"{remote}: cannot be rewritten: {error}; no table was changed"
                ) from error
            with _translated(remote), file.open("rb") as content:
                # In one thread: a read error would leave the SDK's parallel upload hanging.
                place.client.files.upload(remote, content, overwrite=True, use_parallel=False)
            sizes |= {path: Identity.of(at).size for path, at in zip(paths, inside, strict=True)}
    return sizes


def _keep_books(place: Place, sizes: Mapping[str, int]) -> None:
    """Note the sizes in the loader's books, by which it would find the files changed."""
    bundle = deployed(read_bundle(CHECKOUT), place.target, {"var.catalog": place.catalog})
    job = bundle["resources"]["jobs"]["bronze_ingestion_job"]
    [checkpoint] = [p["default"] for p in job["parameters"] if p["name"] == "checkpoint"]
    remote = f"{checkpoint}/{BOOKS}"
    with TemporaryDirectory() as folder:
        if not _download(place, remote, Path(folder) / BOOKS):
            return
        books = read_books(Path(folder))
        books |= {
            path: replace(books[path], size=size) for path, size in sizes.items() if path in books
        }
        write_books(Path(folder), books)
        with _translated(remote), (Path(folder) / BOOKS).open("rb") as content:
            place.client.files.upload(remote, content, overwrite=True, use_parallel=False)


def _download(place: Place, remote: str, file: Path) -> bool:
    """Copy a file of a volume to this machine; False if there is no such file."""
    from databricks.sdk.errors import NotFound

    with _translated(remote):
        try:
            source = place.client.files.download(remote).contents
        except NotFound:
            return False
        with file.open("wb") as target:
            shutil.copyfileobj(cast(BinaryIO, source), target)
    return True


def _translated(remote: str) -> AbstractContextManager[None]:
    return client.translate_errors(
        remote,
        forbidden="ask an owner of the volume for READ VOLUME and WRITE VOLUME on it",
        missing="restore it, then run again",
    )


def vacuum(place: Place) -> int:
    """Delete the files of earlier versions, which hold deleted rows, once they are old enough."""
    for table in statements.tables(place.query, place.catalog, SPARK):
        if table.is_plain:
            place.query(f"vacuum {place.catalog}.{table.address}")
            show(f"vacuumed  {table.name}")
    return 0
