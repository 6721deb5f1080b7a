"""Erases a user from the home of a local run: tables, landed files, copies, and the file itself."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import duckdb

from erasure import landed_files, statements
from erasure.landed_files import Cut
from erasure.statements import DUCKDB, Rows, Table
from export.folder import MANIFEST, STATE
from ingestion import bronze
from ingestion.contents import content_hash
from ingestion.formats import NotReadableError
from ingestion.landing_files import Identity
from ingestion.local_loader import connect
from project.database import STORAGE_VERSION, explained, literal
from project.errors import UserError
from project.home import MARKER, database_path, home, landing_path
from project.output import show

# The loader refuses to go on where its books and bronze differ. A file may be left without a row.
_COUNT_AGAIN: Final = f"""
    update {bronze.LEDGER} set rows = left_over.rows, rows_with_rescued_data = left_over.rescued
    from (
        select path, count(_source_file) as rows, count(_rescued_data) as rescued
        from {bronze.LEDGER}
        left join {bronze.EVENTS} on path = _source_file
        group by path
    ) as left_over
    where loaded_files.path = left_over.path and loaded_files.rows <> left_over.rows
"""


def erase(user: int, *, dry_run: bool, unreadable_lines: bool) -> int:
    """Erase the user and rebuild every table; 1 if a test fails on what is rebuilt.

    A dry run prints what would be deleted. Raises UserError for a user without a row, unless an
    erasure has begun that may be this one; and for one with the number in unreadable lines only,
    unless `unreadable_lines` says that they are the user's.
    """
    database = _require_database()
    with connect(database) as connection:
        [catalog] = connection.execute("select current_database()").fetchall()[0]
        query = connection.cursor().sql

        def rows(statement: str) -> Rows:
            return [*query(statement).fetchall()]

        found = statements.tables(rows, catalog, DUCKDB)
        counts = statements.counts(rows, catalog, found, user, DUCKDB)
        is_built = statements.is_built(found)
        has_rows = any(counts.values())
        # Rows go before the copies and the rebuild, so a user without one may not be done.
        if not has_rows and (dry_run or not is_built or not statements.has_begun(rows, catalog)):
            raise UserError(
                f"user {user}: no row in any of the {len(found)} tables of {database} that have"
                " users; correct --user"
            )
        landed = statements.landed_rows(rows, catalog, user, DUCKDB)
        if has_rows and not unreadable_lines:
            statements.require_readable(rows, catalog, counts, landed, user)
        _show_plan(counts, landed)
        loaded = {str(path) for (path,) in rows(f"select path from {bronze.LEDGER}")}
        _require_own(landed, loaded)
        if dry_run:
            show("dry run: nothing was changed")
            return 0
        cuts = _rewrite(landed, user)
        _delete(connection, catalog, counts, user, cuts, is_built=is_built)
        for copy in _copies():
            shutil.rmtree(copy) if copy.is_dir() else copy.unlink()
        if any(statements.counts(rows, catalog, found, user, DUCKDB).values()):
            raise UserError(f"user {user}: rows are left in {database}; run again")
        succeeded = not is_built or _rebuild(connection)
    vacuum()
    show(f"user {user}: {'erased' if has_rows else 'no row was left; the erasure has ended'}")
    return 0 if succeeded else 1


def _require_database() -> Path:
    database = database_path()
    if not database.exists():
        raise UserError(f"{database}: no database; set ECOMMERCE_HOME to the home of a run")
    return database


def _show_plan(counts: Mapping[Table, int], landed: Mapping[str, int]) -> None:
    for table, number in counts.items():
        show(f"{number:>12,} rows   {table.name}")
    for file, paths in landed_files.by_stored_file(map(Path, landed)).items():
        for path in paths:
            gone = "" if file.exists() else " (gone)"
            show(f"{landed[str(path)]:>12,} lines  {path}{gone}")
    for copy in _copies():
        show(f"{'all':>12} of     {copy}")


def _require_own(landed: Iterable[str], loaded: Container[str]) -> None:
    """Raise UserError for landed files that a copied or moved home does not have where it is."""
    for file in landed_files.by_stored_file(map(Path, landed)):
        if file.exists():
            marked = (folder for folder in file.parents if (folder / MARKER).exists())
            owner = next(marked, home()).resolve()
            if owner != home():
                raise UserError(
                    f"{file}: is in another home, {owner}, which can have the user too; erase the"
                    " user there, then copy that home again, or remove this one: nothing was"
                    " changed"
                )
            continue
        for moved in _landing_places(file):
            [stored] = landed_files.by_stored_file([moved])
            # One that was loaded is known by its own path.
            if stored.exists() and str(moved) not in loaded:
                raise UserError(
                    f"{file}: was loaded from there, and is {moved} now, which a load takes for"
                    " another file; move it back, or the whole home if that was moved, then run"
                    " again: nothing was changed"
                )


def _landing_places(file: Path) -> Iterator[Path]:
    """Yield where a file that is gone would be in the home's landing folder."""
    landing = landing_path()
    yield landing / file.name
    for folder in file.parents:
        if folder.name == landing.name:
            yield landing / file.relative_to(folder)


def _copies() -> list[Path]:
    """Return the copies of gold that other commands have made in the home."""
    described = [path for name in (MANIFEST, STATE) for path in home().glob(f"exports/*/{name}")]
    # Pages stay where no new ones can be written, and a killed process has left some aside.
    gold = [*home().glob("assistant/gold.*"), *home().glob("*dashboard*/sql/gold.duckdb")]
    return sorted({*(path.parent for path in described), *gold})


def _rewrite(landed: Mapping[str, int], user: int) -> dict[Path, Cut]:
    """Rewrite the landed files that still exist, and return what each has lost."""
    stored = landed_files.by_stored_file(map(Path, landed))
    landed_files.require_writable(stored)
    cuts: dict[Path, Cut] = {}
    for file, paths in stored.items():
        if not file.exists():
            continue
        try:
            cuts |= landed_files.rewrite(file, paths, user)
        except (OSError, NotReadableError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"{file}: cannot be rewritten: {reason}; remove the cause, then run again: no table"
                " was changed"
            ) from error
    return cuts


def _delete(
    connection: duckdb.DuckDBPyConnection,
    catalog: str,
    counts: Mapping[Table, int],
    user: int,
    cuts: Mapping[Path, Cut],
    *,
    is_built: bool,
) -> None:
    """Delete the user's rows in one transaction, with the loader's record of the files."""
    with explained(database_path()):
        connection.begin()
        for table in counts:
            connection.execute(statements.delete(catalog, table, user, DUCKDB))
        connection.execute(_COUNT_AGAIN)
        for path, cut in cuts.items():
            _record(connection, path, cut)
        if is_built:
            connection.execute(statements.require_rebuild(catalog))
        connection.commit()


def _record(connection: duckdb.DuckDBPyConnection, path: Path, cut: Cut) -> None:
    """Let the loader know a rewritten file, if it has as many records as bronze has rows of it.

    Any other was changed after it was loaded, which the loader goes on reporting.
    """
    identity = Identity.of(path)
    connection.execute(
        f"update {bronze.LEDGER} set size = ?, modified_ns = ?, content_hash = ?"
        " where path = ? and rows = ?",
        [identity.size, identity.modified_ns, content_hash(path), str(path), cut.kept],
    )


def _rebuild(connection: duckdb.DuckDBPyConnection) -> bool:
    # dbt takes two seconds to import, which a dry run need not pay.
    from pipeline.run import rebuild

    # dbt writes the command line, which has the user's id, into its log and its artifacts.
    del sys.argv[1:]
    return rebuild(connection)


def vacuum() -> int:
    """Copy the database into a new file: DuckDB leaves deleted rows in the old one."""
    database = _require_database()
    written = database.with_name(f".{database.name}.vacuumed")
    with ExitStack() as cleanup:
        for part in (written, written.with_name(f"{written.name}.wal")):
            # A process that was killed has left one; a full disk must not keep half a copy.
            part.unlink(missing_ok=True)
            cleanup.callback(part.unlink, missing_ok=True)
        cleanup.enter_context(explained(database))
        connection = cleanup.enter_context(duckdb.connect())
        connection.execute(f"attach {literal(database)} as old")
        connection.execute("checkpoint old")
        connection.execute(
            f"attach {literal(written)} as new (storage_version '{STORAGE_VERSION}')"
        )
        connection.execute("copy from database old to new")
        connection.execute("detach new")
        # Under the lock on the old file, so that no other process is writing to it.
        written.replace(database)
    show(f"rewritten: {database}")
    return 0
