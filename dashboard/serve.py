"""Serves the site on this machine alone."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from project.errors import UserError

_HOST: Final = "127.0.0.1"


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder, to a browser on this machine."""

    def send_head(self) -> object:  # type: ignore[override]
        """Refuse names of other hosts, by which a page elsewhere could read this one."""
        # A browser leaves out the port of 80.
        name = self.headers.get("Host", "").partition(":")[0]
        if name not in (_HOST, "localhost"):
            self.send_error(403)
            return None
        try:
            return super().send_head()
        except ValueError:
            # No file can have the name, as one with a null character.
            self.send_error(404)
            return None

    def end_headers(self) -> None:
        """Have the browser ask each time: the next run replaces the pages."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


def server(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of a folder on 127.0.0.1, not started; port 0 takes a free one.

    Raises UserError if the port is taken.
    """
    try:
        return ThreadingHTTPServer((_HOST, port), partial(_Handler, directory=str(folder)))
    except OSError as error:
        raise UserError(
            f"port {port} cannot be used: {error.strerror}; give another by --port"
        ) from error
