"""The command line: `python -m ingestion <command>`. Exit code 2 means bad input or bad state."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from ingestion import (
    clean,
    generator,
    local_loader,
    run,
    trigger,
    upload,
    verify_published,
)
from ingestion.errors import IngestionError

# What shells report for a command that Ctrl-C ended: 128 + SIGINT.
_INTERRUPTED: Final = 130


def build_parser() -> argparse.ArgumentParser:
    """Build the parser with every subcommand; each module declares its own arguments."""
    parser = argparse.ArgumentParser(prog="python -m ingestion", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, module in (
        ("generate", generator),
        ("load", local_loader),
        ("run", run),
        ("clean", clean),
        ("verify-published", verify_published),
        ("upload", upload),
        ("trigger", trigger),
    ):
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(execute=module.execute)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; user errors become one line on stderr."""
    arguments = build_parser().parse_args(argv)
    try:
        return int(arguments.execute(arguments))
    except IngestionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run again to go on", file=sys.stderr)
        return _INTERRUPTED
