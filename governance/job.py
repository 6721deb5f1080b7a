"""The job that compares the live governance with the declared one, as the owner of the catalog.

The bundle runs this file as a script. What is declared is read from the deployed files, so that the
job needs no build before it. Exit code 1 means drift.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":
    # Python adds a script's folder to the path, not its parent; not every runner sets __file__.
    sys.path[:0] = [word.removeprefix("--code=") for word in sys.argv if word.startswith("--code=")]

from governance import check
from project.arguments import Parser
from project.output import guarded
from workspace.offline_dbt import run_offline


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the job's parameters: those of `ecommerce governance check`, and more."""
    parser = Parser(prog="job.py", description=__doc__)
    parser.add_argument(
        "--code", metavar="FOLDER", help="folder of the packages, which the script cannot know"
    )
    parser.add_argument(
        "--policies", required=True, help="var of dbt: what the jobs build, table or attribute"
    )
    check.add_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the project for the target, check the workspace and return the exit code."""
    return guarded(lambda: _execute(argv))


def _execute(argv: Sequence[str] | None) -> int:
    arguments = build_parser().parse_args(argv)
    with TemporaryDirectory() as name:
        # By default dbt would declare masks of tables where the jobs make policies by tags.
        variables = f"{{policies: {arguments.policies}}}"
        run_offline(
            arguments.target, Path(name), "parse", "--vars", variables, catalog=arguments.catalog
        )
        arguments.manifest = Path(name, "manifest.json")
        return check.execute(arguments)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
