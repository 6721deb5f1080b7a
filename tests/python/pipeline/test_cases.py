"""Files as people bring them: dirty ones, and those of ../shared/cases, in one run."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest

from ecommerce import cli
from ingestion.file_load import WITHOUT_ZONE, Status
from project.home import CHECKOUT
from support.dirty_files import dirty_files, write_dirty_files
from support.platform_runs import Home

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Case:
    """What becomes of the rows of a case; without any, its files are refused."""

    bronze: int = 0
    clean: int = 0
    quarantined: int = 0
    set_aside: int = 0
    """Rows with a value in `_rescued_data`."""
    says: str = ""
    """Part of what is said of the file."""


CASES: Final = {
    "f01_pandas_index": Case(20, 20, set_aside=20),
    "f02_unnamed0": Case(20, 20, set_aside=20),
    "f04_offset_time": Case(20, 20),
    "f05_no_zone": Case(20, 20, says=WITHOUT_ZONE),
    "f06_iso_z": Case(20, 20),
    "f07_epoch": Case(says="event_time cannot be used, such as `1569888000`"),
    "f09_semicolon": Case(says="separated by `;`"),
    "f13_utf16": Case(says="UTF-16"),
    "f16_trailing_comma_rows": Case(20, 20),
    "f18_sci_category": Case(says="category_id cannot be used, such as `2.05301E+18`"),
    "f20_null_words_text": Case(20, 20),
    "f21_null_words_session": Case(20, 13, quarantined=7),
    "f22_comma_price": Case(says="price cannot be used, such as `"),
    "f27_excel_time": Case(says="event_time cannot be used, such as `10/"),
    "f33_gz_named_csv": Case(says="a gzip file, not text"),
    "f35_zip_only": Case(20, 20),
    "f36_one_csv_one_zip": Case(40, 40),
    "h01_cr_only": Case(says="its lines end in CR alone"),
    "h04_header_joined_first_row": Case(says="the header and an event are one line"),
    "h16_gz_with_cr": Case(says="its lines end in CR alone"),
    "h18_event_col_aliases": Case(says="event_time is missing; `timestamp` looks like it"),
    "h19_missing_event_type": Case(says="event_type is missing"),
}
OF_DIRTY: Final = "_source_file like '%/dirty/%'"
REFUSED: Final = [name for name, case in CASES.items() if not case.bronze]


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str]:
    """A run on all of them, and what it printed; the cases are left out where they are absent."""
    home = Home(tmp_path_factory.mktemp("cases"))
    landing, cases = home.folder / "files", CHECKOUT.parent / "shared" / "cases"
    write_dirty_files(landing / "dirty")
    if cases.is_dir():
        shutil.copytree(cases, landing / "cases")
    return home, home.run("run", "--data", str(landing)).stdout


def test_every_case_is_in_the_table(cases: Path) -> None:
    assert {path.name for path in cases.iterdir() if path.is_dir()} == set(CASES)


def test_every_line_of_every_dirty_file_is_accounted_for(together: tuple[Home, str]) -> None:
    home, _ = together
    rows = home.query(
        "select parse_filename(_source_file), count(*) from bronze_layer.events_raw"
        f" where {OF_DIRTY} group by 1"
    )
    assert dict(rows) == {file.name: file.rows for file in dirty_files() if file.rows}
    quarantined = home.query(
        "select parse_filename(_source_file), rejection_reason, count(*)"
        f" from silver_layer.events_quarantined where {OF_DIRTY} group by all"
    )
    assert {(file, reason): number for file, reason, number in quarantined} == {
        (file.name, reason): number
        for file in dirty_files()
        for reason, number in file.rejected.items()
    }
    clean = home.query(
        "select parse_filename(_source_file), count(*) from silver_layer.events_cleaned"
        f" where {OF_DIRTY} group by 1"
    )
    assert dict(clean) == {
        file.name: file.rows - sum(file.rejected.values())
        for file in dirty_files()
        if file.rows > sum(file.rejected.values())
    }


def test_the_summary_names_dirty_files_and_reasons(together: tuple[Home, str]) -> None:
    _, output = together
    for file in dirty_files():
        if file.rejected or file.status is not Status.LOADED:
            assert file.name in output
        for reason in file.rejected:
            assert reason in output


@pytest.mark.usefixtures("cases")
@pytest.mark.parametrize("name", CASES)
def test_a_case_has_its_right_value(name: str, together: tuple[Home, str]) -> None:
    home, output = together
    counts = [
        home.query(f"select count(*) from {table} where _source_file like '%/{name}/%'{condition}")
        for table, condition in (
            ("bronze_layer.events_raw", ""),
            ("silver_layer.events_cleaned", ""),
            ("silver_layer.events_quarantined", ""),
            ("bronze_layer.events_raw", " and _rescued_data is not null"),
        )
    ]
    case = CASES[name]
    assert counts == [[(n,)] for n in (case.bronze, case.clean, case.quarantined, case.set_aside)]
    said = "".join(line for line in output.splitlines() if f"/{name}/" in line)
    assert case.says in said
    assert ("refused" in said) is (name in REFUSED)


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_case_alone_ends_with_an_error(
    name: str,
    cases: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ECOMMERCE_HOME", str(tmp_path / "home"))
    assert cli.main(["load", "--data", str(cases / name)]) == 2
    output, errors = capfd.readouterr()
    assert errors.startswith("error: ")
    assert CASES[name].says in output + errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", ["f04_offset_time", "f05_no_zone", "f06_iso_z"])
def test_instants_are_those_that_the_file_has(
    name: str, cases: Path, together: tuple[Home, str]
) -> None:
    with (cases / name / "2019-Oct.csv").open(encoding="utf-8") as file:
        written = [row["event_time"][:19].replace("T", " ") for row in csv.DictReader(file)]
    found = together[0].query(
        "select event_time from silver_layer.events_cleaned"
        f" where _source_file like '%/{name}/%' order by 1"
    )
    assert [time for (time,) in found] == sorted(map(datetime.fromisoformat, written))


@pytest.mark.usefixtures("cases")
def test_words_for_missing_values_are_null(together: tuple[Home, str]) -> None:
    home, _ = together
    assert home.query(
        "select array_agg(distinct category_code order by category_code)"
        " filter (category_code is not null),"
        " array_agg(distinct brand order by brand) filter (brand is not null), count(brand)"
        " from silver_layer.events_cleaned where _source_file like '%/f20_null_words_text/%'"
    ) == [
        (
            ["appliances.kitchen.washer", "electronics.smartphone"],
            ["apple", "samsung", "xiaomi"],
            7,
        )
    ]
    assert home.query(
        "select rejection_reason, count(*) from silver_layer.events_quarantined"
        " where _source_file like '%/f21_null_words_session/%' group by all"
    ) == [("missing_user_session", 7)]
