"""Run, load, measure and check the platform. Exit code 2 means bad input or bad state."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Final

import benchmarks.command
import generator.generate
import governance.check
import ingestion.local_loader
import ingestion.upload
import pipeline.clean
import pipeline.run
import pipeline.verify_published
import workspace.trigger
from project.errors import INTERRUPTED, UserError

# Each module has HELP, add_arguments and execute, and none needs an extra to be imported.
_COMMANDS: Final = {
    "run": pipeline.run,
    "load": ingestion.local_loader,
    "generate": generator.generate,
    "upload": ingestion.upload,
    "trigger": workspace.trigger,
    "verify-published": pipeline.verify_published,
    "bench": benchmarks.command,
    "clean": pipeline.clean,
}


def build_parser() -> argparse.ArgumentParser:
    """Build the parser with every command; each module declares its own arguments."""
    parser = argparse.ArgumentParser(prog="ecommerce", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name, module in _COMMANDS.items():
        _add(commands, name, module)
    text = "check a workspace against the access policy"
    checks = commands.add_parser("governance", help=text, description=text)
    _add(checks.add_subparsers(required=True, metavar="command"), "check", governance.check)
    return parser


def _add(commands: Any, name: str, module: Any) -> None:
    command = commands.add_parser(name, help=module.HELP, description=module.HELP)
    module.add_arguments(command)
    command.set_defaults(execute=module.execute)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; user errors become one line on stderr."""
    arguments = build_parser().parse_args(argv)
    try:
        return int(arguments.execute(arguments))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run again to continue", file=sys.stderr)
        return INTERRUPTED
