"""Counts the physical lines of a landed file by what became of them, without the reader's help.

The count knows bytes, line feeds and the rows in bronze, and nothing of quotes, headers or types.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
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

    def unaccounted(self, rows: Iterable[Sequence[str | None]], headers: int) -> int:
        """Return how many filled lines are neither the header nor in a row; 0 if all is well.

        A row has the texts of its columns and its `_rescued_data` last. It is made of one physical
        line, and of one more for each line feed within its values.
        """
        in_rows = 0
        for *texts, rescued in rows:
            set_aside = json.loads(rescued).values() if rescued else ()
            for value in (*texts, *set_aside):
                # The line after each feed is part of the row; a blank one is no filled line.
                following = (value or "").encode().split(b"\n")[1:]
                in_rows += sum(1 for part in following[:-1] if not is_blank(part))
                in_rows += bool(following)
            in_rows += 1
        return self.filled - headers - in_rows


def is_blank(line: bytes) -> bool:
    """Whether a line is nothing but blanks: space, tab, CR, VT, FF."""
    return all(byte in (0x20, 0x09, 0x0D, 0x0B, 0x0C) for byte in line)
