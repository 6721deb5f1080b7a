"""Types of command-line arguments, and a parser whose errors are one line."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviated options and prints one line for an error."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and the message."""
        self.exit(2, f"error: {message}; see: {self.prog} --help\n")


def nonempty_text(value: str) -> str:
    """Parse an argument that must not be empty."""
    if not value.strip():
        raise argparse.ArgumentTypeError("is empty; give a value, or leave the option out")
    return value


def nonempty_path(value: str) -> Path:
    """Parse a path: an empty one, which would mean the working directory, is refused."""
    return Path(nonempty_text(value))


def data_path(value: str) -> Path:
    """Parse the path of data to read, which is on this machine."""
    if re.match("[A-Za-z][A-Za-z0-9+.-]*://", value.strip()):
        raise argparse.ArgumentTypeError(
            f"{value!r} is an address, not a path; download it first, and pass the file"
        )
    return nonempty_path(value)


def whole_number(smallest: int, largest: int | None = None) -> Callable[[str], int]:
    """Return a parser of whole numbers within limits, both included."""

    def parse(value: str) -> int:
        is_number = value.isascii() and value.isdecimal() and len(value) < 20
        if not is_number or not smallest <= int(value) <= (largest or int(value)):
            limits = f"of {smallest:,} or more" if largest is None else _between(smallest, largest)
            raise argparse.ArgumentTypeError(f"{value!r} is not a whole number {limits}")
        return int(value)

    return parse


positive_integer: Final = whole_number(1)


def number(smallest: float, largest: float) -> Callable[[str], float]:
    """Return a parser of numbers within limits, both included."""

    def parse(value: str) -> float:
        try:
            found = float(value)
        except ValueError:
            found = math.nan
        if not smallest <= found <= largest:
            raise argparse.ArgumentTypeError(
                f"{value!r} is not a number {_between(smallest, largest)}"
            )
        return found

    return parse


def calendar_day(value: str) -> date:
    """Parse a date."""
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{value!r} is not a date, yyyy-mm-dd") from error


def _between(smallest: float, largest: float) -> str:
    return f"from {smallest:,} to {largest:,}"
