"""What is learned of a landed text without reading all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion import landing_files
from ingestion.csv_records import LineTooLongError
from ingestion.landing_files import profile, require_short_lines, sample_pieces

LONGEST = 64


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 799, 800, 801, 1700, 6400, 6401, 9999])
def test_pieces_are_those_of_a_whole_pass(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing_files, "_BLOCK_BYTES", 100)
    monkeypatch.setattr(landing_files, "_PIECE_BYTES", 30)
    path = tmp_path / "a.csv"
    path.write_bytes("".join(f"{number}\n" for number in range(size)).encode()[:size])
    pieces = sample_pieces(path)
    assert tuple(pieces) == profile(path).pieces
    assert any(pieces) or size < 100


def lines(*lengths: int) -> bytes:
    """Lines of these lengths, line ends included; the last one has none."""
    return b"".join(b"x" * (length - 1) + b"\n" for length in lengths)[:-1]


@pytest.mark.parametrize(
    ("content", "is_refused"),
    [
        (b"", False),
        (b"x" * LONGEST, False),
        (b"x" * (LONGEST + 1), True),
        (lines(LONGEST, LONGEST, 1), False),
        (lines(LONGEST + 1, 1), True),
        (lines(*[5] * 99, LONGEST, *[7] * 99), False),
        (lines(*[5] * 99, LONGEST + 1, *[7] * 99), True),
        (lines(*[LONGEST] * 20), False),
        (lines(*[LONGEST] * 20, LONGEST + 2), True),
        (lines(1, 1, LONGEST, 2, LONGEST, 3 * LONGEST), True),
        (b"\r" * 1000, True),
        (b"\n" * 1000, False),
    ],
)
def test_a_long_line_is_found_wherever_it_is(
    content: bytes, is_refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing_files, "MAX_LINE_BYTES", LONGEST)
    path = tmp_path / "a.csv"
    for before in range(2 * LONGEST):
        path.write_bytes(b"y\n" * before + content)
        if is_refused:
            with pytest.raises(LineTooLongError):
                require_short_lines(path)
        else:
            require_short_lines(path)
