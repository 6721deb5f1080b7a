"""Blocks of regular lines are split in bulk, and mean the same as line by line."""

from __future__ import annotations

import io

import pytest

from ingestion import line_blocks
from ingestion.csv_records import BYTE_ORDER_MARK, MAX_LINE_BYTES, Batch, LineTooLongError, Width
from ingestion.line_blocks import read_blocks

WIDTH = Width(3, 3, is_ragged=False)
HEADERS = frozenset([b"a,b,c", b"a,b,c\n", b"a,b,c\r\n", BYTE_ORDER_MARK + b"a,b,c\n"])


def read(content: bytes, width: Width = WIDTH) -> Batch:
    whole = Batch()
    for batch in read_blocks(io.BufferedReader(io.BytesIO(content)), width, 10, HEADERS):
        whole.add(batch)
    return whole


def split(batch: Batch) -> list[list[str]]:
    return [fields for array in batch.split for fields in array.to_pylist()]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_one_bad_line_sends_few_others_to_the_slow_way(
    end: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 10_000)
    monkeypatch.setattr(line_blocks, "PART_BYTES", 100)
    lines = [b"%d,\xc3\xa9%d," % (number, number) for number in range(5_000)]
    lines[2_500] = b"only two,fields"
    batch = read(end.join([b"a,b,c", *lines, b""]))
    assert batch.malformed == ["only two,fields"]
    expected = [[str(n), f"\xe9{n}", ""] for n in range(5_000) if n != 2_500]
    slow = [text.split(",") for text in batch.plain]
    assert sorted(split(batch) + slow) == sorted(expected)
    assert len(slow) < 20


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize(
    ("odd", "plain", "quoted", "malformed"),
    [
        (b"x,y,z\r", ["x,y,z"], [], []),
        (b"x,y,z\r\r", ["x,y,z\r"], [], []),
        (b"x,y\r,z", ["x,y\r,z"], [], []),
        (b'x,"y,",z', [], [["x", "y,", "z"]], []),
        (b"x,y\0,z", [], [], ["x,y\\x00,z"]),
        (b"x,\xff,z", [], [], ["x,\\xff,z"]),
        (b"x,y\np,q,r,s", [], [], ["x,y", "p,q,r,s"]),
        (b"x,y\n\np,q,r", ["p,q,r"], [], ["x,y"]),
        (b"p,q,r,s,t", [], [], ["p,q,r,s,t"]),
        (b"p,q,r,s,t,u", [], [], ["p,q,r,s,t,u"]),
        (b"p\nq\nr", [], [], ["p", "q", "r"]),
        (b"a,b,c\r", [], [], []),
        (BYTE_ORDER_MARK + b"a,b,c", [], [], []),
        (BYTE_ORDER_MARK + b"x,y,z", ["\ufeffx,y,z"], [], []),
        (b" \t", [], [], []),
        (b"", [], [], []),
    ],
)
def test_odd_lines_between_regular_ones(
    odd: bytes, plain: list[str], quoted: list[list[str]], malformed: list[str], end: bytes
) -> None:
    batch = read(b"a,b,c\n1,2,3\n" + odd + b"\n4,5,6" + end)
    found = [text.split(",") for text in batch.plain] + split(batch)
    assert sorted(found) == sorted(
        [["1", "2", "3"], ["4", "5", "6"], *(text.split(",") for text in plain)]
    )
    assert (batch.quoted, batch.malformed) == (quoted, malformed)


def test_a_ragged_file_keeps_its_missing_fields() -> None:
    batch = read(b"a,b,c\n1,2\n1,2,3\n1,2,3,\n", Width(3, 2, is_ragged=True))
    assert sorted(batch.plain) == ["1,2,", "1,2,3", "1,2,3"]


@pytest.mark.parametrize("before", [1, line_blocks.BLOCK_BYTES, 2 * line_blocks.BLOCK_BYTES])
def test_an_endless_line_is_refused_wherever_it_begins(before: int) -> None:
    content = b"1,2,3\n" * (before // 6) + b"1,2," + b"z" * MAX_LINE_BYTES
    with pytest.raises(LineTooLongError):
        read(content)
    with pytest.raises(LineTooLongError):
        read(content + b"\n1,2,3\n")
