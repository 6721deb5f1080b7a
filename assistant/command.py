"""Serves gold to an assistant by the Model Context Protocol, on stdin and stdout."""

from __future__ import annotations

import argparse
from typing import Final

from assistant.gold_copy import refreshed
from assistant.query import Limits
from project.arguments import number, whole_number
from project.errors import require_extra

HELP: Final = "serve gold, to read only, to an assistant by the Model Context Protocol (stdio)"

_MIB: Final = 2**20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `ecommerce mcp`: the limits of each query."""
    parser.add_argument(
        "--max-rows",
        type=whole_number(1, 100_000),
        default=1_000,
        metavar="N",
        help="rows that a query returns; more are cut (%(default)s)",
    )
    parser.add_argument(
        "--max-seconds",
        type=number(0.1, 3_600),
        default=30,
        metavar="S",
        help="seconds after which a query is ended (%(default)s)",
    )
    parser.add_argument(
        "--max-memory-mib",
        type=whole_number(64, 1_048_576),
        default=1_024,
        metavar="N",
        help="memory of a query's tables and sums, in MiB (%(default)s)",
    )


def execute(args: argparse.Namespace) -> int:
    """Serve until the client closes stdin; returns 0.

    Raises UserError if there is no gold to serve.
    """
    require_extra("mcp", "fastmcp")
    refreshed()
    # Importing it takes a second, which other commands need not wait for.
    from assistant.server import build

    limits = Limits(args.max_rows, args.max_seconds, args.max_memory_mib * _MIB)
    build(limits).run(transport="stdio", show_banner=False, log_level="ERROR")
    return 0
