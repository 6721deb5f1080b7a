"""Types of command-line arguments."""

from __future__ import annotations

import argparse


def positive_integer(text: str) -> int:
    """Parse an argument that must be a whole number of 1 or more."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)
