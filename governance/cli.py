"""The command line: `python -m governance <command>`. Exit code 2: nothing was checked."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from governance import check
from ingestion.errors import IngestionError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; user errors become one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m governance", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    command = commands.add_parser("check", help=check.HELP, description=check.HELP)
    check.add_arguments(command)
    arguments = parser.parse_args(argv)
    try:
        return check.execute(arguments)
    except IngestionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
