"""Counts the physical lines of a landed file by what became of them, without the reader's help.

The count knows bytes, line feeds and the rows in bronze, and nothing of quotes, headers or types.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class PhysicalLines:
    """The lines of a file, in order, without line feeds."""

    lines: tuple[bytes, ...]

    @classmethod
    def of(cls, content: bytes) -> PhysicalLines:
        """Split at each line feed; what follows the last one counts if there is anything."""
        content = content[len(_MARK) :] if content[: len(_MARK)] == _MARK else content
        parts = content.split(b"\n")
        return cls(tuple(parts if parts[-1] else parts[:-1]))

    @property
    def filled(self) -> int:
        """How many lines hold more than blanks."""
        return sum(1 for line in self.lines if not is_blank(line))

    def repetitions(self, header: bytes) -> int:
        """How many lines are the header, but for a byte-order mark and a CR at the end."""
        plain = header.removesuffix(b"\r")
        forms = {mark + plain + end for mark in (b"", _MARK) for end in (b"", b"\r")}
        return sum(line in forms for line in self.lines)

    def unaccounted(self, rows: Sequence[object], headers: int) -> int:
        """Return how many filled lines are neither a header nor a row; 0 if all is well."""
        return self.filled - headers - len(rows)


def is_blank(line: bytes) -> bool:
    """Whether a line is nothing but blanks: space, tab, CR, VT, FF."""
    return all(byte in (0x20, 0x09, 0x0D, 0x0B, 0x0C) for byte in line)
