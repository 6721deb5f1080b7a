"""Exports gold in one of several formats, and checks exports.

The tables are written to a folder beside the target, which is renamed when all are there. An
interrupted export continues with the tables that it has, if the database is still the same.
"""

from __future__ import annotations

import argparse
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import duckdb

from export import folder
from export.figures import Figures, differences, measure
from export.folder import MANIFEST, STATE, Content, resolved, written_beside
from export.formats import EXTRA, FORMATS, Place
from export.gold import Table, opened, tables
from project.arguments import nonempty_path
from project.database import explained
from project.errors import UserError, reason, require_extra
from project.home import database_path, home
from project.output import show

HELP: Final = "write the tables of gold as files that other tools read, or check such files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce export`."""
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--format", choices=FORMATS, help="format to write")
    action.add_argument(
        "--check",
        type=nonempty_path,
        metavar="DIR",
        help="read an export back, and compare rows and sums with its manifest",
    )
    parser.add_argument(
        "--to",
        type=nonempty_path,
        metavar="DIR",
        help="folder to write: new, empty, or an export to replace (exports/<format> of the home)",
    )
    parser.add_argument(
        "--with-personal",
        action="store_true",
        help="export personal columns too, such as the ids of users",
    )


def execute(args: argparse.Namespace) -> int:
    """Export or check, and print the outcome for each table; returns 0.

    Raises UserError where nothing can be exported, and if an export differs from its manifest.
    """
    if args.check is None:
        target = args.to or home() / "exports" / args.format
        export(args.format, target, with_personal=args.with_personal)
    elif args.to or args.with_personal:
        raise UserError("--to and --with-personal belong to --format; leave them out of --check")
    else:
        check(args.check)
    return 0


def export(format_name: str, target: Path, *, with_personal: bool = False) -> None:
    """Export gold to the target folder, and print a line for each table.

    Raises UserError if there is no gold, or the target is neither new nor empty nor an export.
    """
    target, form, database = resolved(target), FORMATS[format_name], database_path()
    require_extra(EXTRA, *form.modules)
    with opened(database) as connection, written_beside(target) as written:
        status, place = database.stat(), Place(written, target)
        content: Content = {
            "format": format_name,
            "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "with_personal": with_personal,
            "tables": {},
        }
        # An export continues only one of the same origin; the tables of Iceberg have its paths.
        origin = [with_personal, str(target), status.st_size, status.st_mtime_ns]
        content["tables"] = _complete(place, format_name, origin)
        for table in tables(connection, with_personal=with_personal):
            state = "there already"
            if table.name not in content["tables"]:
                state = "exported"
                folder.write(written / STATE, content | {"origin": origin})
                with explained(database, f"{target}: {table.name} cannot be exported"):
                    form.write(connection, table, place)
                figures = measure(connection, table.source, table.columns)
                content["tables"][table.name] = {**figures, "left_out": list(table.left_out)}
            show(_line(state, table, content["tables"][table.name]["rows"]))
        folder.write(written / MANIFEST, content)
        (written / STATE).unlink(missing_ok=True)
    show(f"{len(content['tables'])} tables as {format_name}: {target}")


def _line(state: str, table: Table, rows: int) -> str:
    without = f", without {', '.join(table.left_out)}" if table.left_out else ""
    return f"{state}  {table.name}: {rows:,} rows{without}"


def _complete(place: Place, format_name: str, origin: list[object]) -> dict[str, Figures]:
    """Return the tables that an interrupted export of the same origin has completed.

    What is of another origin is removed.
    """
    left = folder.read(place.folder / STATE)
    if left and left["format"] == format_name and left.get("origin") == origin:
        return {
            name: figures
            for name, figures in left["tables"].items()
            if not _faults(place, format_name, name, figures)
        }
    for path in place.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return {}


def check(target: Path) -> None:
    """Read an export back, compare it with its manifest, and print a line for each table.

    Raises UserError if there is no export, a table cannot be read, or one differs.
    """
    target = resolved(target)
    content = folder.read(target / MANIFEST)
    if content is None or content.get("format") not in FORMATS:
        raise UserError(f"{target}: has no {MANIFEST} of an export; pass the folder of one")
    require_extra(EXTRA, *FORMATS[content["format"]].modules)
    different = 0
    for name, figures in content["tables"].items():
        faults = _faults(Place(target, target), content["format"], name, figures)
        different += bool(faults)
        show(f"{'differs' if faults else 'matches'}  {name}: {figures['rows']:,} rows", *faults)
    if different:
        raise UserError(
            f"{target}: {different} of {len(content['tables'])} tables differ from {MANIFEST}, as"
            " above; export again"
        )
    show(f"{len(content['tables'])} tables match {MANIFEST}: {target}")


def _faults(place: Place, format_name: str, name: str, figures: Figures) -> list[str]:
    """Return how an exported table differs from its figures."""
    columns = {column: known["type"] for column, known in figures["columns"].items()}
    with duckdb.connect() as connection:
        try:
            relation = FORMATS[format_name].read(connection, name, columns, place)
            return [
                f"  {fault}"
                for fault in differences(figures, measure(connection, relation, columns))
            ]
        # Each reader has errors of its own, of files that are missing or damaged.
        except Exception as error:
            return [f"  cannot be read: {reason(error)}"]
