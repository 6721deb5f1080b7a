"""The command that writes the dashboard of a database, and serves it."""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import Final

from export.gold import opened
from project.arguments import whole_number
from project.home import (
    claim,
    dashboard_path,
    database_path,
    dictionary_path,
    home,
    locked,
    wasm_path,
)
from project.output import show

HELP: Final = "write the dashboard, a static site of the shop's figures, and serve it"
_PORT: Final = 8642


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `dashboard`."""
    parser.add_argument(
        "--sql",
        action="store_true",
        help="add the SQL page, now and in later runs: fetches DuckDB for the browser by npm, once",
    )
    parser.add_argument(
        "--serve", action="store_true", help="serve the site on this machine until Ctrl-C"
    )
    parser.add_argument(
        "--port",
        type=whole_number(1, 65535),
        default=_PORT,
        help="port of --serve (%(default)s)",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Write the site from the tables as they are; UserError where there is none or no place."""
    # The libraries of charts, which other commands must not load.
    from dashboard import serve, site, wasm

    with opened(database_path()) as connection:
        claim(home())
        with locked(home()):
            if arguments.sql:
                wasm.fetch(wasm_path())
            pages = site.build(connection, dashboard_path(), dictionary_path(), wasm_path())
    show(f"wrote {len(pages)} pages: {pages[0]}")
    if arguments.serve:
        with serve.server(dashboard_path(), arguments.port) as server:
            show(f"serving http://127.0.0.1:{arguments.port}/ until Ctrl-C", flush=True)
            with suppress(KeyboardInterrupt):
                server.serve_forever()
    return 0
