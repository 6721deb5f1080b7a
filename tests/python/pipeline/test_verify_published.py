"""`verify-published` on a miniature of the two files, with figures counted by hand."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from project.home import CHECKOUT
from support.platform_runs import Home

pytestmark = pytest.mark.slow

HEADER = (
    "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
)
OCTOBER = [
    "2019-10-01 00:00:00 UTC,view,1,11,kids.toys,acme,10.00,101,s1",
    "2019-10-01 00:01:00 UTC,cart,1,11,kids.toys,acme,10.00,101,s1",
    "2019-10-01 00:01:00 UTC,cart,1,11,kids.toys,acme,10.00,101,s1",
    "2019-10-01 00:02:00 UTC,purchase,1,11,kids.toys,acme,10.00,101,s1",
    "2019-10-31 23:59:59 UTC,view,2,12,,,0.00,102,s2",
]
NOVEMBER = [
    "2019-11-01 00:00:00 UTC,purchase,2,12,,,7.25,102,s2",
    "2019-11-02 00:00:00 UTC,view,3,13,auto,bolt,99.99,101,s3",
    "2019-11-03 00:00:00 UTC,cart,3,13,auto,bolt,99.99,103,",
]
# Month, figure, category, number: counted from the rows above. Session s2 spans both months.
COUNTED = """\
2019-10,rows,,5
2019-10,views,,2
2019-10,carts,,2
2019-10,purchases,,1
2019-10,revenue,,10.00
2019-10,users,,2
2019-10,sessions,,2
2019-10,sessions_with_view,,2
2019-10,sessions_with_purchase,,1
2019-10,buyers,,1
2019-10,duplicates,,1
2019-10,null_sessions,,0
2019-10,null_brands,,1
2019-10,null_category_codes,,1
2019-10,zero_price_rows,,1
2019-10,category_events,kids,4
2019-10,category_carts,kids,2
2019-10,category_revenue,kids,10.00
2019-10,category_revenue,(none),0
2019-11,rows,,3
2019-11,purchases_of_2019_11_15,,0
2019-11,null_sessions,,1
2019-11,sessions,,2
2019-11,duplicates,,0
2019-11,category_revenue,(none),7.25
2019-11,category_purchases,medicine,0
all,rows,,8
all,cart_removals,,0
all,revenue,,17.25
all,users,,3
all,products,,3
all,buyers,,2
all,sessions,,3
all,sessions_with_cart,,1
all,sessions_with_purchase,,2
all,sessions_with_purchase_without_cart,,1
all,brands,,2
all,category_ids,,3
all,category_codes,,2
all,duplicates,,1
all,zero_price_purchases,,0
all,highest_price,,99.99
all,category_ids_of_several_codes,,0
"""


def write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join([HEADER, *lines, ""]), encoding="utf-8")


def published(path: Path, counted: str = COUNTED) -> str:
    lines = [f"{line},by hand" for line in counted.splitlines()]
    path.write_text(
        "\n".join(["month,figure,category,expected,source", *lines, ""]), encoding="utf-8"
    )
    return str(path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("published"))
    files = home.folder / "files"
    files.mkdir()
    write(files / "2019-Oct.csv", OCTOBER)
    write(files / "2019-Nov.csv", NOVEMBER)
    home.load(files)
    home.dbt("run", "--select", "+events_quarantined")
    return home


def test_every_figure_is_found(built: Home, tmp_path: Path) -> None:
    result = built.run("verify-published", "--expected", published(tmp_path / "seed.csv"))
    assert "43 of 43 figures as published" in result.stdout


@pytest.mark.parametrize(
    ("was", "planted", "line"),
    [
        ("all,revenue,,17.25", "all,revenue,,17.26", ["17.26", "17.25", "-0.01", "by", "hand"]),
        ("all,sessions,,3", "all,sessions,,4", ["4.00", "3.00", "-1.00", "by", "hand"]),
        ("category_purchases,medicine,0", "category_purchases,medicine,2",
         ["medicine", "2.00", "0.00", "-2.00", "by", "hand"]),
    ],
)  # fmt: skip
def test_a_difference_is_reported_and_fails(
    built: Home, tmp_path: Path, was: str, planted: str, line: list[str]
) -> None:
    assert was in COUNTED
    seed = published(tmp_path / "seed.csv", COUNTED.replace(was, planted))
    result = built.run("verify-published", "--expected", seed, expect=1)
    [reported] = [text.split() for text in result.stdout.splitlines() if text.endswith("by hand")]
    assert reported[-len(line) :] == line
    assert "42 of 43 figures as published" in result.stdout


def test_real_seed_names_only_figures_that_are_computed(built: Home) -> None:
    result = built.run("verify-published", expect=1)
    names = {line.split()[1] for line in result.stdout.splitlines()[1:-2]}
    assert {"rows", "revenue", "sessions_with_cart", "category_revenue"} <= names
    assert names <= {line.split(",")[1] for line in COUNTED.splitlines()}


def test_real_seed_gives_every_figure_once_with_its_source() -> None:
    text = (CHECKOUT / "seeds" / "published_figures.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    keys = [(row["month"], row["figure"], row["category"]) for row in rows]
    assert len(set(keys)) == len(keys)
    assert {month for month, *_ in keys} == {"2019-10", "2019-11", "all"}
    assert all(row["source"] and Decimal(row["expected"]) >= 0 for row in rows)
    # Parts of a published total must add up to it.
    number = {key: Decimal(row["expected"]) for key, row in zip(keys, rows, strict=True)}
    for month in ("2019-10", "2019-11"):
        for figure, total in (("category_events", "rows"), ("category_revenue", "revenue")):
            parts = sum(n for (m, f, _), n in number.items() if (m, f) == (month, figure))
            assert parts == number[month, total, ""]


def test_seed_is_a_table_only_if_requested(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.dbt("seed", "--vars", "published_figures: true")
    published = "select expected from silver_layer.published_figures"
    [(rows,)] = home.query(f"{published} where month = 'all' and figure = 'rows'")
    assert rows == Decimal("109950743.00")


def test_a_single_month_is_compared_by_itself(tmp_path: Path) -> None:
    home = Home(tmp_path)
    files = tmp_path / "2019-Oct.csv"
    write(files, OCTOBER)
    home.load(files)
    home.dbt("run", "--select", "+events_quarantined")
    result = home.run("verify-published", "--expected", published(tmp_path / "seed.csv"))
    assert "19 of 19 figures as published" in result.stdout


def test_other_files_have_no_published_figures(tmp_path: Path) -> None:
    home = Home(tmp_path)
    result = home.run("verify-published", expect=2)
    assert "nothing is built; first run: make run DATA=folder" in result.stderr
    write(tmp_path / "sample.csv", OCTOBER)
    home.load(tmp_path / "sample.csv")
    result = home.run("verify-published", expect=2)
    assert "silver is not built" in result.stderr
    home.dbt("run", "--select", "+source_files")
    result = home.run("verify-published", expect=2)
    assert "has no row from 2019-Oct.csv or 2019-Nov.csv" in result.stderr
