"""Errors that a user can correct, and exit codes."""

from __future__ import annotations

from importlib import import_module
from typing import Final

# What shells report for a command that Ctrl-C ended: 128 + SIGINT.
INTERRUPTED: Final = 130


class UserError(Exception):
    """An error that the user can correct; its lines name place and remedy. Exit code 2.

    A line break belongs between two lines: inside one it is taken for part of a name.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def reason(error: BaseException | str) -> str:
    """Return an error, or its text, as one line, to be part of a message."""
    return " ".join(str(error).split())


def require_extra(name: str, *modules: str) -> None:
    """Raise UserError unless the modules, which an extra of pyproject.toml installs, exist."""
    try:
        for module in modules:
            import_module(module)
    except ImportError as error:
        raise UserError(
            f"this command needs the extra `{name}` ({error}); install it:"
            f" .venv/bin/python -m pip install --no-build-isolation --editable '.[{name}]'"
        ) from error
