"""Errors that a user can act on."""

from __future__ import annotations


class IngestionError(Exception):
    """Bad input or a bad state; the message names the place and the remedy. Exit code 2."""
