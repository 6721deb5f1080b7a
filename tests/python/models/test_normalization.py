"""Text has one spelling on every engine, whatever characters are in it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import duckdb
import pyarrow as pa
import pytest

from ingestion.event_schema import COLUMNS
from project.variables import project_variables
from support.auto_loader_runs import require_java
from support.databricks_runs import DatabricksHome, running_warehouse
from support.event_batches import line, write
from support.platform_runs import Home
from support.spark_runs import Compiled, SparkTarget, compiled, jvm_spark

pytestmark = [pytest.mark.warehouse, pytest.mark.spark]

# Every block with a letter that has a case or with a blank; the others have neither. All of the
# first two planes take ten times as long, and were tried once.
BLOCKS: Final = (
    *((0x1, 0x3200), (0xA640, 0xAC00), (0xF900, 0x10000), (0x10400, 0x10600), (0x10C80, 0x10E00)),
    *((0x118A0, 0x118E0), (0x16E40, 0x16F00), (0x1E900, 0x1E960)),
)
CODES: Final = [code for first, end in BLOCKS for code in range(first, end)]
STAGED: Final = (
    "select event_type, category_code, brand, user_session, raw_user_session, _rescued_data,"
    " rejection_reasons from silver_layer.events_staged"
)
NOTHING: Final = (
    "NaN",
    " nan ",
    "NULL",
    "\\N",
    "\ufeffnone\u3000",
    "#N/A",
    "Undefined",
    "<NA>",
    *("-", "--", "\u2013", "\u2014", " ? "),
    *("#N/A N/A", "#NA", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "pd.NA", "NA_character_"),
    *("#SPILL!", "#CALC!", "#FIELD!", "#GETTING_DATA", "#ERROR!"),
    *("__HIVE_DEFAULT_PARTITION__", "(not set)", "(none)"),
    *("-nan(ind)", "NA_integer_", "pd.NaT", "np.nan", "<NaN>", "(NA)", "[nan]", "\\\\N", "$null$"),
    *("DBNull", "(missing)", "#BLOCKED!", "#NV", "#WERT!"),
    *("-NaN", "nil", "NA", "n/a", "NaT", "(null)", "[NULL]", "<null>", "#NULL!", "#VALUE!"),
    *("#REF!", "#NAME?", "#DIV/0!", "#NUM!", "(not provided)", "(unknown)", "(blank)", "(empty)"),
    *("(nil)", "<nil>", "<none>", "n.a.", "N.A", "#UNKNOWN!", "NaN(ind)", "NA_real_", "<NaT>"),
    *("(nan)", "(N/A)", "[NA]", "[None]", "[]", "{}", "<empty>", "<missing>", "#BUSY!"),
    *("#CONNECT!", "#PYTHON!", "#N/D", "#BEZUG!", "#VALEUR!"),
    "00000000-0000-0000-0000-000000000000",
)
FILLERS: Final = ("\u115f", "\u1160", "\u3164", "\uffa0")
RESCUED: Final = {
    '{"note": "\\"price\\": \\"free\\", \\"user_id\\": 1"}': "",
    '{"note": {"user_id": "x"}, "User_id": "x", "user_id ": "x"}': "",
    '{"_file_path": "/Volumes/a.csv"}': "",
    '{"note": "x", "user_id": "a \\u0000 \\ud83d\\ude00"}': "invalid_user_id",
}


@dataclass(frozen=True)
class Staged:
    """The staged rows of both engines, and what Spark needs to stage them too."""

    duckdb: list[dict[str, Any]]
    warehouse: list[dict[str, Any]]
    bronze: pa.Table
    model: Compiled


def bronze_rows() -> pa.Table:
    """Return a row for each character, at the ends and within, each word and each rescued text."""
    at = datetime(2019, 10, 1, 10)
    event = {column.name: None for column in COLUMNS} | {
        "event_time": at,
        "event_type": "view",
        "product_id": 1,
        "category_id": 1,
        "price": 1.0,
        "user_id": 1,
        "user_session": "s",
        "_source_file": "characters.csv",
        "_ingested_at": at,
    }
    rows = []
    for code in CODES:
        text = chr(code)
        rows.append(
            event | {"category_code": f"A{text}", "brand": f"{text}B{text}A", "user_session": text}
        )
    rows += [event | {"brand": word, "user_session": word} for word in NOTHING]
    rows += [event | {"_rescued_data": text} for text in RESCUED]
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staged]:
    folder = tmp_path_factory.mktemp("staged")
    home = Home(folder / "local")
    write(folder / "one.csv", [line("2019-10-01 10:00:00")])
    home.load(folder / "one.csv")
    rows = bronze_rows()
    with duckdb.connect(str(home.database)) as connection:
        connection.register("characters", rows)
        connection.execute("delete from bronze_layer.events_raw")
        connection.execute("insert into bronze_layer.events_raw by name from characters")
    home.dbt("run", "--select", "+events_staged")
    with duckdb.connect(str(home.database)) as connection:
        local = connection.sql(STAGED).to_arrow_table().to_pylist()
    with running_warehouse() as warehouse:
        dev = DatabricksHome(folder / "dev", warehouse)
        dev.land(home)
        dev.dbt("run", "--select", "+events_staged", "--write-json")
        [model] = [n for n in compiled(folder / "dev" / "target") if n.name == "events_staged"]
        yield Staged(local, dev.query(STAGED).to_pylist(), rows, model)


def test_each_word_for_nothing_is_tried() -> None:
    tried = {word.strip(" \ufeff\u3000").lower() for word in NOTHING}
    assert tried == set(project_variables()["null_words"])


def by_text(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return sorted(tuple(map(str, row.values())) for row in rows)


def test_the_warehouse_reads_every_character_like_duckdb(staged: Staged) -> None:
    assert len(staged.duckdb) == len(CODES) + len(NOTHING) + len(RESCUED)
    assert by_text(staged.warehouse) == by_text(staged.duckdb)


def test_spark_reads_every_character_like_duckdb(
    staged: Staged, tmp_path_factory: pytest.TempPathFactory
) -> None:
    require_java()
    with jvm_spark(tmp_path_factory.mktemp("jvm")) as session:
        target = SparkTarget(session)
        target.store("events_raw", staged.bronze)
        target.build(staged.model)
        assert by_text(target.query(STAGED).to_pylist()) == by_text(staged.duckdb)


def test_white_space_and_what_prints_nothing_is_trimmed_and_nothing_else(staged: Staged) -> None:
    trimmed = {
        row["raw_user_session"]
        for row in staged.duckdb
        if row["user_session"] is None and len(row["raw_user_session"]) == 1
    }
    assert {chr(code) for code in CODES if chr(code).isspace()} <= trimmed
    assert set("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u202a\u2066\u180e") <= trimmed
    visible = {text for text in trimmed if unicodedata.category(text)[0] in "LNPS"}
    # Words for a missing value, the blank of braille, and fillers of Hangul.
    assert visible == {"-", "?", "\u2013", "\u2014", "\u2800", *FILLERS}


def test_lower_case_is_that_of_each_letter_by_itself(staged: Staged) -> None:
    brands = {row["raw_user_session"]: row["brand"] for row in staged.duckdb if row["brand"]}
    for code in CODES:
        text = chr(code)
        lower = {"\u0130": "i", "\u03c2": "\u03c3"}.get(text, text.lower())
        if unicodedata.category(text)[0] == "L" and text not in FILLERS:
            assert brands[text] == f"{lower}b{lower}a", hex(code)


def test_words_for_a_missing_value_are_null(staged: Staged) -> None:
    found = [row for row in staged.duckdb if row["raw_user_session"] in NOTHING]
    assert {row["user_session"] for row in found} == {None}
    assert len(found) >= len(NOTHING)


def test_only_the_name_of_an_event_column_rejects(staged: Staged) -> None:
    found = {
        row["_rescued_data"]: row["rejection_reasons"]
        for row in staged.duckdb
        if row["_rescued_data"]
    }
    assert found == RESCUED
