"""One landed file of each bad kind, with its expected outcome.

Every data line is a different event, so no line duplicates another, in any file.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from ingestion.event_schema import PUBLISHED_COLUMN_NAMES
from ingestion.file_load import Status

HEADER: Final = ",".join(PUBLISHED_COLUMN_NAMES)


@dataclass(frozen=True)
class DirtyFile:
    """A file's bytes and its expected outcome.

    `lines` are its data lines, counted by hand: its rows in bronze if it is loaded. `rescued` of
    them have `_rescued_data`. `rejected` counts rows by the silver rule that rejects them; the
    other rows are clean events.
    """

    name: str
    content: bytes
    lines: int
    rescued: int = 0
    status: Status = Status.LOADED
    rejected: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows in bronze."""
        return self.lines if self.status is Status.LOADED else 0


class Lines:
    """Makes event lines, all different."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def values(self, **changes: str) -> list[str]:
        """Return the fields of a valid event in published order, with changes."""
        number = next(self._numbers)
        event = {
            "event_time": f"2019-10-{1 + number // 60 % 30:02} 00:{number % 60:02}:00 UTC",
            "event_type": "view",
            "product_id": "1004767",
            "category_id": "2053013555631882655",
            "category_code": "electronics.smartphone",
            "brand": "samsung",
            "price": "254.82",
            "user_id": str(535_871_217 + number),
            "user_session": f"c6bd7419-2748-4c56-95b4-{number:012}",
        }
        return list((event | changes).values())

    def line(self, **changes: str) -> str:
        """Return an event as a line without its line end."""
        return ",".join(self.values(**changes))


def dirty_files() -> list[DirtyFile]:
    """Return files of all kinds, in name order."""
    new = Lines()

    def text(*lines: str, header: str = HEADER, end: str = "\n") -> bytes:
        return "".join(line + end for line in [header, *lines]).encode()

    def good(number: int) -> list[str]:
        return [new.line() for _ in range(number)]

    other_order = list(reversed(PUBLISHED_COLUMN_NAMES))
    without_code = [name for name in PUBLISHED_COLUMN_NAMES if name != "category_code"]
    compressed = gzip.compress(text(*good(400)))
    damaged = bytearray(compressed)
    damaged[len(damaged) // 2] ^= 0xFF
    malformed = "malformed_line"
    files = [
        DirtyFile("empty.csv", b"", 0, status=Status.EMPTY),
        DirtyFile("empty.csv.gz", gzip.compress(b""), 0, status=Status.EMPTY),
        DirtyFile("header_only.csv", text(), 0, status=Status.EMPTY),
        DirtyFile("byte_order_mark.csv", b"\xef\xbb\xbf" + text(*good(3)), 3),
        DirtyFile(
            "byte_order_mark_no_header.csv",
            b"\xef\xbb\xbf" + "\n".join(good(3)).encode(),
            3,
        ),
        DirtyFile("crlf.csv", text(*good(3), end="\r\n"), 3),
        DirtyFile("mixed_line_ends.csv", text(*good(3), end="\r\n") + text(header=new.line()), 4),
        DirtyFile(
            "other_order.csv",
            text(
                *[",".join(reversed(new.values())) for _ in range(3)], header=",".join(other_order)
            ),
            3,
        ),
        DirtyFile("header_case.csv", text(*good(2), header=HEADER.upper().replace(",", " , ")), 2),
        DirtyFile(
            "missing_column.csv",
            text(
                *[",".join(v[:4] + v[5:]) for v in (new.values() for _ in range(3))],
                header=",".join(without_code),
            ),
            3,
        ),
        DirtyFile(
            "additional_column.csv",
            text(
                *[line + extra for line, extra in zip(good(3), [",a", ",", ",b"], strict=True)],
                header=HEADER + ",campaign",
            ),
            3,
            rescued=2,
        ),
        DirtyFile("no_header.csv", "".join(line + "\n" for line in good(3)).encode(), 3),
        DirtyFile("no_final_newline.csv", text(*good(3))[:-1], 3),
        DirtyFile(
            "truncated_last_line.csv",
            text(*good(2)) + new.line()[:60].encode(),
            3,
            rescued=1,
            rejected={malformed: 1},
        ),
        DirtyFile(
            "wrong_number_of_fields.csv",
            text(*good(1), "only,three,fields", new.line() + ",more", new.line() + ","),
            4,
            rescued=3,
            rejected={malformed: 3},
        ),
        DirtyFile(
            "quoted_fields.csv",
            text(
                new.line(brand='"a, b"'),
                new.line(brand='"say ""hi"""'),
                new.line(brand='""'),
            ),
            3,
        ),
        DirtyFile(
            "quoted_line_end.csv",
            text(new.line(), new.line(brand='"two\nlines"'), *good(1)),
            4,
            rescued=2,
            rejected={malformed: 2},
        ),
        DirtyFile("joined.csv", text(*good(2), HEADER, *good(1)), 3),
        DirtyFile(
            "stray_quote.csv",
            text(new.line(), new.line(brand='"open'), *good(3)),
            5,
            rescued=1,
            rejected={malformed: 1},
        ),
        DirtyFile(
            "invalid_utf8.csv",
            text(*good(2)) + new.line(brand="caf~").encode().replace(b"~", b"\xe9") + b"\n",
            3,
            rescued=1,
            rejected={malformed: 1},
        ),
        DirtyFile(
            "nul_byte.csv",
            text(*good(2), new.line(brand="a\0b")),
            3,
            rescued=1,
            rejected={malformed: 1},
        ),
        DirtyFile(
            "beyond_bigint.csv",
            text(new.line(product_id="9223372036854775808"), new.line(user_id="9" * 40), *good(1)),
            3,
            rescued=2,
            rejected={"invalid_product_id": 1, "invalid_user_id": 1},
        ),
        DirtyFile(
            "wrong_types.csv",
            text(
                new.line(product_id="12.7"),
                new.line(event_time="2019-10-01"),
                new.line(price="free"),
                *good(1),
            ),
            4,
            rescued=3,
            rejected={"invalid_product_id": 1, "invalid_event_time": 1, "invalid_price": 1},
        ),
        DirtyFile(
            "special_prices.csv",
            text(*[new.line(price=price) for price in ("nan", "inf", "1e400")], *good(1)),
            4,
            rejected={"invalid_price": 3},
        ),
        DirtyFile("blank_lines.csv", text(new.line(), "", "  \t", new.line(), ""), 2),
        DirtyFile("compressed.csv.gz", gzip.compress(text(*good(3))), 3),
        DirtyFile("corrupt.csv.gz", bytes(damaged), 400, status=Status.REFUSED),
        DirtyFile(
            "truncated.csv.gz", compressed[: len(compressed) // 2], 400, status=Status.REFUSED
        ),
        DirtyFile("not_gzip.csv.gz", text(*good(1)), 1, status=Status.REFUSED),
        DirtyFile(
            "other_instants.csv",
            text(
                new.line(event_time="2019-10-01T00:00:00Z"),
                new.line(event_time="2019-10-01 02:00:00.123456+02:00"),
                new.line(event_time="2019-10-01 00:00:00.5 UTC"),
                new.line(product_id="1004767.0"),
            ),
            4,
        ),
        DirtyFile("no_zone.csv", text(new.line(event_time="2019-10-01 00:00:00")), 1),
        DirtyFile("trailing_commas.csv", text(*[line + "," for line in good(3)]), 3),
        DirtyFile("cr_alone.csv", text(*good(2), end="\r"), 2, status=Status.REFUSED),
        DirtyFile(
            "glued_header.csv", text(*good(1), header=HEADER + new.line()), 2, status=Status.REFUSED
        ),
        DirtyFile("seconds.csv", text(new.line(event_time="1569888000")), 1, status=Status.REFUSED),
        DirtyFile(
            "rounded_ids.csv", text(new.line(category_id="2.05E+18")), 1, status=Status.REFUSED
        ),
        DirtyFile(
            "other_names.csv",
            text(*good(2), header=HEADER.replace("event_time", "timestamp")),
            2,
            status=Status.REFUSED,
        ),
        DirtyFile("binary.csv", bytes(range(256)) * 64, 0, status=Status.REFUSED),
        DirtyFile("utf16.csv", text(*good(2)).decode().encode("utf-16"), 2, status=Status.REFUSED),
        DirtyFile("other_table.csv", b"brand,revenue\nsamsung,1\n", 1, status=Status.REFUSED),
        DirtyFile("column_twice.csv", text(header=HEADER + ",price"), 0, status=Status.REFUSED),
    ]
    return sorted(files, key=lambda file: file.name)


def write_dirty_files(folder: Path) -> dict[Path, DirtyFile]:
    """Write them all into the folder; keys are resolved paths, as in `_source_file`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for file in dirty_files():
        path = (folder / file.name).resolve()
        path.write_bytes(file.content)
        written[path] = file
    return written
