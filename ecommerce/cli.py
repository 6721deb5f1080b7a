"""Run, load, measure and check the platform. Exit code 2 means bad input or bad state."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from project.arguments import Parser
from project.database import explained
from project.errors import UserError
from project.home import database_path
from project.output import guarded
from project.settings import check_settings
from project.variables import project_variables

# Each module has HELP, add_arguments and execute, and none needs an extra to be imported. That is
# done where errors are caught: a module may read dbt_project.yml then.
_COMMANDS: Final = {
    "run": "pipeline.run",
    "load": "ingestion.local_loader",
    "generate": "generator.generate",
    "upload": "ingestion.upload",
    "trigger": "workspace.trigger",
    "verify-published": "pipeline.verify_published",
    "dashboard": "dashboard.command",
    "export": "export.command",
    "erase": "erasure.command",
    "mcp": "assistant.command",
    "bench": "benchmarks.command",
    "dictionary": "dictionary.command",
    "clean": "pipeline.clean",
    "governance check": "governance.check",
    "databricks check": "workspace.check",
    "databricks probe": "workspace.probe",
}

# What a first word with further commands is about.
_GROUPS: Final = {
    "governance": "check a workspace against the access policy",
    "databricks": "ask a workspace what a deployment needs to know",
}


def build_parser(first: str | None = None) -> argparse.ArgumentParser:
    """Build the parser with every command; each module declares its own arguments.

    With the `first` word of a command only that one can be parsed: importing all takes as long as
    loading a small file.
    """
    parser = Parser(prog="ecommerce", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    groups: dict[str, Any] = {}
    for name, module in _COMMANDS.items():
        group, _, within = name.partition(" ")
        if first not in (None, group):
            if group not in commands.choices:
                commands.add_parser(group)
        elif within:
            if group not in groups:
                text = _GROUPS[group]
                parent = commands.add_parser(group, help=text, description=text)
                groups[group] = parent.add_subparsers(required=True, metavar="command")
            _add(groups[group], within, module)
        else:
            _add(commands, name, module)
    return parser


def _add(commands: Any, name: str, module_name: str) -> None:
    module = import_module(module_name)
    command = commands.add_parser(name, help=module.HELP, description=module.HELP)
    module.add_arguments(command)
    command.set_defaults(execute=module.execute, refuse=command.error)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; user errors become lines on stderr."""
    return guarded(lambda: _execute(argv))


def _require_working_directory() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise UserError("the current folder does not exist any more; change to another") from error


def _execute(argv: Sequence[str] | None) -> int:
    try:
        _require_working_directory()
        words = sys.argv[1:] if argv is None else argv
        is_known = words and words[0] in {name.split()[0] for name in _COMMANDS}
        arguments, unknown = build_parser(words[0] if is_known else None).parse_known_args(words)
        if unknown:
            # The parser of all commands would point to a help without the command's arguments.
            arguments.refuse(f"unrecognized arguments: {' '.join(unknown)}")
        check_settings(os.environ)
        # Every command refuses wrong vars, whether it needs them or not.
        project_variables()
        # Commands say more; this is for what they do not foresee.
        with explained(database_path()):
            return int(arguments.execute(arguments))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space" if is_full else "make it accessible or choose another place"
        raise UserError(f"{place}{error.strerror or error}; {remedy}, then run again") from error
    except MemoryError as error:
        raise UserError("out of memory; leave more memory free, then run again") from error
