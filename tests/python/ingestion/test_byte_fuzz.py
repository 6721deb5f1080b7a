"""Every line of every mutated file is a bronze row, the header, blank, or part of a refusal.

`pytest tests/python/ingestion/test_byte_fuzz.py --mutations 100000 --timeout 0` tries more files,
different ones each time.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from ingestion import bronze, line_blocks
from ingestion.event_schema import PUBLISHED_COLUMN_NAMES
from ingestion.file_load import FileReport, Status, load_file
from support.mutated_files import TOKEN, Row, Valid, mutated
from support.physical_lines import PhysicalLines, is_blank

FILES_IN_THE_SUITE: Final = 2000
PARTS: Final = 2
LEAST_LOADED_SHARE: Final = 0.4


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
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bronze]:
    # Files of a few lines have many blocks, some of them regular.
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 500)
    monkeypatch.setattr(line_blocks, "PART_BYTES", 100)
    with duckdb.connect(config={"threads": 1}) as connection:
        bronze.create_tables(connection)
        # A sixth of the time, for plans that a few rows do not need.
        connection.execute("pragma disable_optimizer")
        yield Bronze(connection, tmp_path.resolve())


@pytest.mark.slow
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
