"""Asks a workspace for what a deployment of the bundle needs; exit code 1 if it lacks any."""

from __future__ import annotations

import argparse
from typing import Final

from project.output import show
from workspace.client import add_target, connect

HELP: Final = "ask a workspace for each prerequisite of a deployment, and say what is missing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce databricks check`."""
    add_target(parser)


def execute(args: argparse.Namespace) -> int:
    """Check and print; 0 if nothing is missing, 1 if something is.

    Raises UserError if the workspace cannot be asked.
    """
    user = connect().current_user.me().user_name
    show(f"ok       sign-in for {args.target}, as {user}")
    return 0
