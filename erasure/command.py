"""Erases a user, locally or on Databricks; a dry run counts only."""

from __future__ import annotations

import argparse
from typing import Final

from project.arguments import whole_number
from project.errors import UserError
from project.targets import databricks_targets
from workspace.client import add_warehouse

HELP: Final = "remove a user from every table, from history, and from the landed files"

LOCAL: Final = "local"
_LARGEST_ID: Final = 2**63 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce erase`."""
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument(
        "--user", type=whole_number(1, _LARGEST_ID), metavar="ID", help="the user to erase"
    )
    action.add_argument(
        "--vacuum",
        action="store_true",
        help="remove what deleted rows have left in the files of tables; on Databricks a week after"
        " the erasure, when time travel has ended",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the user's rows by table and lines by file, and change nothing",
    )
    parser.add_argument(
        "--unreadable-lines",
        action="store_true",
        help="erase lines that hold the number though no row has the user: you have checked that"
        " they are the user's",
    )
    parser.add_argument(
        "--target",
        choices=(LOCAL, *databricks_targets()),
        default=LOCAL,
        help="environment (default: %(default)s)",
    )
    add_warehouse(parser)


def execute(args: argparse.Namespace) -> int:
    """Erase, count or vacuum; returns 0, or 1 if a test fails on what is rebuilt.

    Raises UserError for a user without a row, and where something cannot be read or changed.
    """
    options = {"dry_run": args.dry_run, "unreadable_lines": args.unreadable_lines}
    for name, is_given in options.items():
        if args.vacuum and is_given:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} belongs to --user; leave it out of --vacuum")
    if args.target == LOCAL:
        from erasure import local

        return local.vacuum() if args.vacuum else local.erase(args.user, **options)
    from erasure import databricks

    place = databricks.connected(args.target, args.warehouse_id)
    if args.vacuum:
        return databricks.vacuum(place)
    return databricks.erase(place, args.user, **options)
