"""Every line of every mutated file is a bronze row, the header, blank, or part of a refusal.

`pytest tests/python/ingestion/test_byte_fuzz.py --mutations 100000 --timeout 0` tries more files,
different ones each time.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from ingestion import bronze
from ingestion.event_schema import PUBLISHED_COLUMN_NAMES
from ingestion.file_load import FileReport, Status, load_file
from support.dirty_files import HEADER, Lines
from support.physical_lines import PhysicalLines, is_blank

FILES_IN_THE_SUITE: Final = 2000
PARTS: Final = 2
LEAST_LOADED_SHARE: Final = 0.4
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


@dataclass
class Bronze:
    """A bronze layer that files are loaded into, each under a name of its own."""

    connection: duckdb.DuckDBPyConnection
    folder: Path
    outcomes: Counter[Status] = field(default_factory=Counter)

    def load(self, content: bytes, *, tolerant: bool) -> tuple[FileReport, list[Row]]:
        path = self.folder / f"{self.outcomes.total()}.csv"
        path.write_bytes(content)
        report = load_file(self.connection, path, tolerant=tolerant)
        path.unlink()
        self.outcomes[report.status] += 1
        columns = ", ".join(f"{name}::varchar" for name in PUBLISHED_COLUMN_NAMES)
        sql = f"select {columns}, _rescued_data from {bronze.EVENTS} where _source_file = ?"
        return report, self.connection.execute(sql, [str(path)]).fetchall()

    def in_ledger(self) -> int:
        [(files,)] = self.connection.execute(f"select count(*) from {bronze.LEDGER}").fetchall()
        return int(files)


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Bronze]:
    with duckdb.connect(config={"threads": 1}) as connection:
        bronze.create_tables(connection)
        # A sixth of the time, for plans that a few rows do not need.
        connection.execute("pragma disable_optimizer")
        yield Bronze(connection, tmp_path.resolve())


@pytest.mark.parametrize("part", range(PARTS))
def test_no_line_is_lost(loaded: Bronze, request: pytest.FixtureRequest, part: int) -> None:
    wanted = request.config.getoption("--mutations")

    # The suite tries the same files each time; a longer run tries new ones.
    @seed(part if wanted is None else random.getrandbits(64))
    @settings(
        max_examples=(wanted or FILES_IN_THE_SUITE) // PARTS,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(mutated(), st.booleans())
    def check(file: tuple[Valid, bytes], tolerant: bool) -> None:
        valid, content = file
        note(repr(content))
        report, rows = loaded.load(content, tolerant=tolerant)
        note(repr(report))
        assert len(rows) == report.rows
        physical = PhysicalLines.of(content)
        first = next((line for line in physical.lines if not is_blank(line)), b"")
        headers = physical.repetitions(first) if b"event_time" in first else 0
        if report.status is not Status.LOADED:
            assert rows == []
            assert report.message.isprintable() and report.message
            if report.status is Status.EMPTY:
                assert physical.filled == headers
            return
        assert rows, "nothing is loaded and empty"
        assert physical.unaccounted(rows, headers) == 0
        if headers:
            assert TOKEN.encode() not in first
        assert content.count(TOKEN.encode()) == sum(occurrences(rows))
        begins_as_before = content.startswith(valid.content.partition(b"\n")[0])
        if begins_as_before and b'"' not in content:
            untouched = Counter(
                valid.rows[line]
                for line in (whole.removesuffix(b"\r") for whole in physical.lines)
                if line in valid.rows
            )
            assert not untouched - Counter(row[:-1] for row in rows), "a good line reads wrong"

    check()
    assert loaded.in_ledger() == loaded.outcomes[Status.LOADED]
    assert loaded.outcomes[Status.LOADED] > LEAST_LOADED_SHARE * loaded.outcomes.total()


def occurrences(rows: Sequence[Row]) -> Iterator[int]:
    for row in rows:
        yield sum((text or "").count(TOKEN) for text in row)


@pytest.mark.parametrize(
    ("content", "rows", "unaccounted"),
    [
        (b"h\na\n\nb", 2, 0),
        (b"h\r\na\r\nb\r\n", 1, 1),
        (b'h\n"a\n\nb"\nc\n', 3, 0),
        (b"h\na\nh\r\n\xef\xbb\xbfh", 1, 0),
        (b"h\na\nhh\n", 1, 1),
        (b"h\na\n", 2, -1),
    ],
)
def test_the_counter_itself(content: bytes, rows: int, unaccounted: int) -> None:
    physical = PhysicalLines.of(content)
    headers = physical.repetitions(physical.lines[0])
    assert physical.unaccounted([()] * rows, headers) == unaccounted
