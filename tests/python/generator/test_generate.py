"""The event generator: bytes, files, oddities, malformed lines, errors."""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from generator.generate import add_arguments, execute, generate, generated_files
from generator.malformed import KINDS
from ingestion.event_schema import PUBLISHED_COLUMN_NAMES
from project.errors import UserError

OCTOBER = date(2019, 10, 1)
LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC,(view|cart|purchase),\d+,\d+,[a-z_.]*,[a-z0-9-]*,"
    r"\d+\.\d\d,\d+,([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?"
)

Row = dict[str, str]


def digests(files: list[Path]) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def rows_of(files: list[Path]) -> list[Row]:
    return [row for file in files for row in csv.DictReader(io.StringIO(file.read_text()))]


def data_lines(files: list[Path]) -> list[bytes]:
    return [line for file in files for line in file.read_bytes().split(b"\n")[1:-1]]


@pytest.fixture(scope="module")
def two_months(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return generate(150_000, OCTOBER, 61, 7, tmp_path_factory.mktemp("two_months"), processes=1)


@pytest.fixture(scope="module")
def rows(two_months: list[Path]) -> list[Row]:
    return rows_of(two_months)


@pytest.fixture(scope="module")
def sessions(rows: list[Row]) -> dict[str, list[Row]]:
    grouped = defaultdict(list)
    for row in rows:
        if row["user_session"]:
            grouped[row["user_session"]].append(row)
    return grouped


def at(row: Row) -> datetime:
    return datetime.strptime(row["event_time"], "%Y-%m-%d %H:%M:%S UTC")


@pytest.mark.parametrize(("events", "days"), [(1_000, 61), (1_000, 1), (30_001, 7)])
def test_exactly_the_requested_number_of_rows(tmp_path: Path, events: int, days: int) -> None:
    files = generate(events, OCTOBER, days, 1, tmp_path)
    assert [file.name for file in files] == [
        f"events_{OCTOBER + timedelta(day)}.csv" for day in range(days)
    ]
    assert len(data_lines(files)) == events
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*(file.name for file in files), "generated.json", "generated_truth.json"]
    )


def test_a_day_of_several_windows(tmp_path: Path) -> None:
    files = generate(600_000, date(2020, 2, 29), 1, 1, tmp_path)
    times = [line[:19] for line in data_lines(files)]
    assert len(times) == 600_000
    assert times == sorted(times)


def test_published_format(two_months: list[Path]) -> None:
    for file in two_months:
        header, *lines, end = file.read_text(encoding="ascii").split("\n")
        assert header == ",".join(PUBLISHED_COLUMN_NAMES)
        assert end == ""
        assert all(LINE.fullmatch(line) for line in lines)
        times = [line[:19] for line in lines]
        assert times == sorted(times)
        assert {time[:10] for time in times} == {file.stem.removeprefix("events_")}


def test_compressed_files_hold_the_same_lines(tmp_path: Path) -> None:
    plain = generate(2_000, OCTOBER, 2, 1, tmp_path / "plain")
    first = generate(2_000, OCTOBER, 2, 1, tmp_path / "first", is_gzipped=True)
    second = generate(2_000, OCTOBER, 2, 1, tmp_path / "second", is_gzipped=True)
    assert [file.name for file in first] == [f"{file.name}.gz" for file in plain]
    assert [gzip.decompress(file.read_bytes()) for file in first] == [
        file.read_bytes() for file in plain
    ]
    assert digests(first) == digests(second)
    assert set(generated_files(tmp_path / "first")) > {*first}


def test_a_folder_of_plain_files_gets_no_compressed_ones(tmp_path: Path) -> None:
    before = digests(generate(1_000, OCTOBER, 2, 1, tmp_path))
    with pytest.raises(UserError, match="belongs to a run with other parameters"):
        generate(1_000, OCTOBER, 2, 1, tmp_path, is_gzipped=True)
    assert digests(sorted(tmp_path.glob("events_*"))) == before


def test_same_parameters_same_bytes_for_any_number_of_processes(
    tmp_path: Path, two_months: list[Path]
) -> None:
    again = generate(150_000, OCTOBER, 61, 7, tmp_path / "again", processes=2)
    assert digests(again) == digests(two_months)
    truths = [
        files[0].with_name("generated_truth.json").read_text() for files in (again, two_months)
    ]
    assert truths[0] == truths[1]


def test_one_file_is_no_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(["--events", "1000", "--days", "1", "--out", str(tmp_path)])
    assert execute(args) == 0
    assert capsys.readouterr().out == f"1,000 events in 1 file written: {tmp_path.resolve()}\n"


def test_another_seed_gives_other_events(tmp_path: Path) -> None:
    one = generate(2_000, OCTOBER, 2, 1, tmp_path / "one")
    two = generate(2_000, OCTOBER, 2, 2, tmp_path / "two")
    assert not set(data_lines(one)) & set(data_lines(two))


def test_second_run_does_not_touch_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(["--events", "1000", "--days", "3", "--out", str(tmp_path)])
    assert execute(args) == 0
    assert "1,000 events in 3 files written: " in capsys.readouterr().out
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert execute(args) == 0
    assert "already there" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_lost_file_is_written_again(tmp_path: Path) -> None:
    files = generate(3_000, OCTOBER, 3, 1, tmp_path)
    before = digests(files)
    files[1].unlink()
    generate(3_000, OCTOBER, 3, 1, tmp_path)
    assert digests(files) == before


def test_killed_run_leaves_whole_files_and_can_be_continued(
    tmp_path: Path, two_months: list[Path]
) -> None:
    out = tmp_path / "killed"
    code = (
        "from datetime import date; from pathlib import Path;"
        "from generator.generate import generate;"
        f"generate(150_000, date(2019, 10, 1), 61, 7, Path({str(out)!r}), processes=1)"
    )
    child = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 20
    while not list(out.glob("events_*.csv")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    present = sorted(out.glob("*.csv"))
    assert 0 < len(present) < 61
    assert not (out / "generated.json").exists()
    expected = digests(two_months)
    assert digests(present).items() <= expected.items()
    with pytest.raises(UserError, match="other parameters"):
        generate(150_000, OCTOBER, 61, 8, out)
    assert digests(generate(150_000, OCTOBER, 61, 7, out)) == expected
    assert (out / "generated.json").exists()


@pytest.mark.parametrize(
    ("events", "days", "seed", "dirty", "message"),
    [
        (999, 1, 1, 0.0, "999 events"),
        (411_709_737, 61, 1, 0.0, "411,709,737 events"),
        (1_000, 0, 1, 0.0, "0 days"),
        (1_000, 1, -1, 0.0, "seed -1"),
        (1_000, 1, 1, -0.1, "share of -0.1"),
        (1_000, 1, 1, 1.1, "share of 1.1"),
        (1_000, 1, 1, float("nan"), "share of nan"),
    ],
)
def test_parameters_out_of_range(
    tmp_path: Path, events: int, days: int, seed: int, dirty: float, message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        generate(events, OCTOBER, days, seed, tmp_path / "out", dirty)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    files = generate(1_000, OCTOBER, 2, 1, tmp_path)
    before = digests(files)
    with pytest.raises(UserError, match=r"choose another --out or remove"):
        generate(1_001, OCTOBER, 2, 1, tmp_path)
    assert digests(files) == before


def test_the_caller_can_name_its_own_remedy(tmp_path: Path) -> None:
    generate(1_000, OCTOBER, 2, 1, tmp_path)
    with pytest.raises(UserError, match=r"burn the house$"):
        generate(1_001, OCTOBER, 2, 1, tmp_path, remedy="burn the house")


def test_files_of_unknown_origin_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "events_2019-10-01.csv").write_text("mine")
    with pytest.raises(UserError, match=r"events_2019-10-01\.csv is not from a known run"):
        generate(1_000, OCTOBER, 2, 1, tmp_path)
    assert (tmp_path / "events_2019-10-01.csv").read_text() == "mine"


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UserError, match="cannot write to"):
        generate(1_000, OCTOBER, 2, 1, tmp_path / "out")


def test_a_broken_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "generated.json").write_text("{")
    with pytest.raises(UserError, match=r"generated\.json"):
        generate(1_000, OCTOBER, 2, 1, tmp_path)


def test_manifest_has_the_parameters(tmp_path: Path) -> None:
    generate(1_000, OCTOBER, 2, 5, tmp_path, 0.25)
    assert json.loads((tmp_path / "generated.json").read_text()) == {
        "events": 1_000,
        "first_day": "2019-10-01",
        "days": 2,
        "seed": 5,
        "dirty_share": 0.25,
    }


def test_truth_names_products_of_the_files_and_goes_with_them(
    two_months: list[Path], rows: list[Row]
) -> None:
    folder = two_months[0].parent
    truth = json.loads((folder / "generated_truth.json").read_text())
    assert truth.keys() == {"affinity", "brand_loyalty", "price_elasticity"}
    planted = {str(product) for product in truth["price_elasticity"]["products"]}
    changed = truth["price_elasticity"]["changed_date"]
    prices: dict[tuple[str, bool], set[str]] = defaultdict(set)
    for row in rows:
        if row["product_id"] in planted:
            prices[row["product_id"], row["event_time"][:10] >= changed].add(row["price"])
    # Each has one price before and one after.
    assert len(prices) == 2 * len(planted)
    assert {len(seen) for seen in prices.values()} == {1}
    assert folder / "generated_truth.json" in generated_files(folder)


def test_small_and_short_runs_say_what_they_have_no_room_for(tmp_path: Path) -> None:
    generate(1_000, OCTOBER, 2, 1, tmp_path / "small")
    assert json.loads((tmp_path / "small" / "generated_truth.json").read_text()) == {}
    generate(20_000, OCTOBER, 20, 1, tmp_path / "short")
    short = json.loads((tmp_path / "short" / "generated_truth.json").read_text())
    assert short.keys() == {"affinity", "brand_loyalty"}


def test_duplicates_are_in_one_file_and_mostly_carts(two_months: list[Path]) -> None:
    copies: Counter[str] = Counter()
    for file in two_months:
        counted = Counter(file.read_text().splitlines())
        copies.update({line: n for line, n in counted.items() if n > 1})
    assert max(copies.values()) > 2
    carts = sum(",cart," in line for line in copies)
    assert carts > 0.7 * len(copies)


def test_null_sessions_are_carts(rows: list[Row]) -> None:
    missing = [row for row in rows if not row["user_session"]]
    assert missing
    assert {row["event_type"] for row in missing} == {"cart"}


def test_some_sessions_are_shared_by_users_with_close_ids(sessions: dict[str, list[Row]]) -> None:
    users = [sorted({int(row["user_id"]) for row in events}) for events in sessions.values()]
    shared = [ids for ids in users if len(ids) > 1]
    assert shared
    assert all(ids[-1] - ids[0] <= 10 for ids in shared)


def test_some_session_ids_recur_on_another_day(sessions: dict[str, list[Row]]) -> None:
    spans = [at(events[-1]) - at(events[0]) for events in sessions.values()]
    returning = sum(span > timedelta(hours=12) for span in spans)
    assert 0.2 < returning / (7_642 * 150_000 / 109_950_743) <= 1


def test_zero_prices_are_never_bought(rows: list[Row]) -> None:
    kinds = Counter(row["event_type"] for row in rows if row["price"] == "0.00")
    assert kinds["view"] > 0
    assert kinds["purchase"] == 0


def test_outage_on_the_first_morning(rows: list[Row]) -> None:
    minutes = Counter(
        time.hour * 60 + time.minute for time in map(at, rows) if time.date() == OCTOBER
    )
    before = sum(minutes[m] for m in range(20)) / 20
    outage = sum(minutes[m] for m in range(20, 130)) / 110
    after = sum(minutes[m] for m in range(130, 150)) / 20
    assert outage < 0.1 * min(before, after)


def test_a_day_with_carts_and_no_purchase(rows: list[Row]) -> None:
    kinds = Counter(row["event_type"] for row in rows if row["event_time"][:10] == "2019-11-15")
    assert kinds["cart"] > 100
    assert kinds["purchase"] == 0


def test_brand_appears_on_some_products(rows: list[Row]) -> None:
    brands: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if [row["brand"]] != brands[row["product_id"]][-1:]:
            brands[row["product_id"]].append(row["brand"])
    changing = [seen for seen in brands.values() if len(seen) > 1]
    assert changing
    assert all(seen[0] == "" and len(seen) == 2 for seen in changing)


def test_prices_change_a_little(rows: list[Row]) -> None:
    prices: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        prices[row["product_id"]].append(float(row["price"]))
    moving = [seen for seen in prices.values() if len(set(seen)) > 1]
    assert 0.2 < len(moving) / len(prices) < 0.6
    assert all(max(seen) <= 2 * min(seen) for seen in moving)


def test_a_crawler_session_walks_through_the_products(
    sessions: dict[str, list[Row]],
) -> None:
    assert any(
        len(events) >= 100 and len({row["product_id"] for row in events}) == len(events)
        for events in sessions.values()
    )


def test_session_ids_are_uuids_of_mostly_version_4(sessions: dict[str, list[Row]]) -> None:
    versions = Counter(str(UUID(session))[14] for session in sessions)
    assert 0.985 < versions["4"] / len(sessions) < 0.999


def test_category_id_determines_the_code(rows: list[Row]) -> None:
    codes = defaultdict(set)
    for row in rows:
        codes[row["category_id"]].add(row["category_code"])
    assert all(len(code) == 1 for code in codes.values())
    assert sum(code == {""} for code in codes.values()) > 50


def test_ids_of_new_users_increase_over_time(rows: list[Row]) -> None:
    highest: dict[str, int] = defaultdict(int)
    for row in rows:
        day = row["event_time"][:10]
        highest[day] = max(highest[day], int(row["user_id"]))
    weekly = list(highest.values())[::7]
    assert weekly == sorted(weekly)
    assert min(int(row["user_id"]) for row in rows) >= 306_441_847


# What a line of each kind looks like: written from the list of kinds, not from the code.
TRACES = {
    "too_few_fields": rb"^[^,\n]*(,[^,\n]*){4}$",
    "too_many_fields": rb",extra,fields$",
    "text_product_id": rb",unknown,",
    "decimal_user_id": rb",\d+\.\d+,\d+\.\d,",
    "product_id_beyond_bigint": rb",92233720368547758080,",
    "zero_product_id": rb"^[^,]*,[a-z]+,0,",
    "negative_user_id": rb",-\d+,[0-9a-f-]{36}$",
    "nan_price": rb",nan,\d",
    "infinite_price": rb",inf,\d",
    "overflowing_price": rb",1e400,\d",
    "negative_price": rb",-\d+\.\d\d,\d+,",
    "text_price": rb",free,\d",
    "zero_price_purchase": rb",purchase,.*,0\.00,\d",
    "impossible_time": rb"^2019-13-",
    "other_time_format": rb"^\d\d/\d\d/\d{4}",
    "time_long_ago": rb"^1970-",
    "time_far_ahead": rb"^2999-",
    "unknown_event_type": rb",teleport,",
    "empty_event_time": rb"^,",
    "empty_event_type": rb"UTC,,",
    "empty_product_id": rb"(view|cart|purchase),,",
    "empty_category_id": rb"(view|cart|purchase),\d+,,",
    "empty_price": rb",,\d{9},[0-9a-f-]{36}$",
    "empty_user_id": rb",\d+\.\d\d,,",
    "empty_user_session": rb",\d{9},$",
    "invalid_utf8": rb"\xe9\xff",
    "stray_quote": rb',"[a-z]+,',
    "quoted_comma": rb',"[a-z]+, [a-z]+",',
    "quoted_newline": rb',"[a-z]+$',
    "upper_case_and_padded": rb" (VIEW|CART|PURCHASE) ",
    "garbage": rb"not an event",
}


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return generate(20_000, OCTOBER, 5, 3, tmp_path_factory.mktemp("dirty"), 0.1)


def test_every_kind_has_a_pattern() -> None:
    assert KINDS.keys() == TRACES.keys()


@pytest.mark.parametrize("kind", TRACES)
def test_every_kind_of_malformed_line_appears(dirty: list[Path], kind: str) -> None:
    assert any(re.search(TRACES[kind], line) for line in data_lines(dirty))


def test_malformed_lines_replace_good_ones(tmp_path: Path, dirty: list[Path]) -> None:
    clean = Counter(data_lines(generate(20_000, OCTOBER, 5, 3, tmp_path)))
    found = Counter(data_lines(dirty))
    kept = (clean & found).total()
    assert 1 - kept / 20_000 == pytest.approx(0.1, rel=0.1)
    broken_in_two = sum(n for line, n in found.items() if re.search(TRACES["quoted_newline"], line))
    assert found.total() - broken_in_two == 20_000
