"""Types of command-line arguments."""

from __future__ import annotations

import argparse


def positive_integer(text: str) -> int:
    """Return the number; argparse shows the error's text after the option's name."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive integer")
    return int(text)
