"""Files of events that are valid but for a few bytes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Final

from hypothesis import strategies as st

from ingestion.event_schema import PUBLISHED_COLUMN_NAMES
from support.dirty_files import HEADER, Lines

# In the session id of each event, and nowhere else.
TOKEN: Final = "c6bd7419-2748-4c56-95b4-"

Row = tuple[str | None, ...]

# Of what users' programs write, and of what no program should.
TOKENS: Final = [
    *[b"\r", b"\n", b"\r\n", b"\n\n", b"\r\r\n", b"\n\r", b"\v", b"\f", b"\x1c", b"\x1e"],
    *["\x85".encode(), "\u2028".encode(), "\u2029".encode(), b"\xef\xbb\xbf", b"\0", b"\xff"],
    *[b'"', b'""', b'"\n', b',"', b'",', b",", b",,", b";", b"\t", b" ", b"'", b"\\", b"NaN", b"-"],
    *[b"e", b".0", b"Z", b"T", b"+02:00", HEADER.encode(), HEADER.encode() + b"\n"],
]
TIMES: Final = [*["{} {} UTC"] * 9, "{}T{}Z", "{} {}", "{}T{}.000+00:00"]
BRANDS: Final = ["samsung", "samsung", "samsung", "", '"a, b"', '"say ""hi"""', '"two\nlines"']
HEADERS: Final = [
    *[HEADER] * 5,
    f"{HEADER},note",
    f",{HEADER}",
    ",".join(f'"{name}"' for name in PUBLISHED_COLUMN_NAMES),
    "",
]


@dataclass(frozen=True)
class Valid:
    """A valid file: its content, and by line what it means in bronze."""

    content: bytes
    rows: dict[bytes, Row]


# A draw of each choice would take as long as a load; shrinking is for the mutations.
@cache
def valid_file(number: int) -> Valid:
    choice = random.Random(number).choice
    header, time, end = choice(HEADERS), choice(TIMES), choice(["\n", "\n", "\r\n"])
    lines, rows = Lines(), {}
    written = [header] if header else []
    for position in range(choice([2, 3, 5])):
        brand = choice(BRANDS)
        values = lines.values(brand=brand)
        day, clock, _ = values[0].split(" ")
        event = ",".join([time.format(day, clock), *values[1:]])
        before, after = "7," * header.startswith(","), ",x" * header.endswith("note")
        written.append(before + event + after)
        meaning = brand.strip('"').replace('""', '"') or None
        rows[written[-1].encode()] = (f"{day} {clock}", *values[1:5], meaning, *values[6:])
        if position == 3:
            written.append("")
    mark = choice(["", "", "", "", "\ufeff"])
    return Valid((mark + "".join(line + end for line in written)).encode(), rows)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Valid, bytes]:
    valid = valid_file(draw(st.integers(0, 500)))
    content = valid.content
    for _ in range(draw(st.integers(1, 3))):
        content = mutate(content, draw(st.integers(0, 11)), draw(st.integers(0, 1 << 40)), draw)
    return valid, content


def mutate(content: bytes, kind: int, place: int, draw: st.DrawFn) -> bytes:
    # Hypothesis prefers small numbers, which would all lie in the header.
    place = place * 0x9E3779B97F4A7C15 % (1 << 64)
    at = place % (len(content) + 1)
    until = at + (place >> 32) % 60
    feeds = [n for n, byte in enumerate(content) if byte == ord("\n")]
    feed = feeds[place % len(feeds)] if feeds else at
    lines = content.splitlines(keepends=True)
    chosen = place % len(lines) if lines else 0
    if kind <= 2:
        return content[:at] + draw(st.sampled_from(TOKENS)) + content[at:]
    if kind == 3:
        return content[:at] + draw(st.binary(min_size=1, max_size=3)) + content[at + 1 :]
    if kind == 4:
        return content[:at] + content[until:]
    if kind == 5:
        return content[:at] + content[at:until] + content[at:]
    if kind == 6:
        return content[:feed] + content[feed + 1 :]
    if kind == 7:
        return content[:feed] + draw(st.sampled_from(TOKENS)) + content[feed:]
    if kind == 8:
        return content[at:] if place & 1 else content[:at]
    if kind == 9:
        return b"".join([*lines[:chosen], *lines[chosen : chosen + 1], *lines[chosen:]])
    if kind == 10:
        return b"".join([*lines[chosen:], *lines[:chosen]])
    ends = [b"\r", b"\r\n", b"\n\r", b"\r\r\n", b" \n", b",\n", b"\n\n", "\u2028".encode()]
    return content.replace(b"\n", ends[place % len(ends)])
