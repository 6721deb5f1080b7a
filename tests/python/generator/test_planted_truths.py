"""The marts find what the generator planted: pairs of products, an elasticity and brand loyalty.

A million events are generated. The models read their purchases and all events of the category in
which prices move, a fourth of them.
"""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from generator.generate import generate
from project.home import TRUTH
from support.platform_runs import Home

pytestmark = pytest.mark.slow

FIRST_DAY = date(2019, 10, 1)
MARTS = ("+price_changes", "+brand_switching", "+product_affinity")
# Longer windows than an analyst would take, and more products: less sampling error.
VARIABLES = {"price_window_days": 20, "price_min_views": 50}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    generate(1_000_000, FIRST_DAY, 61, 42, folder)
    return folder


@pytest.fixture(scope="module")
def truth(files: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files / TRUTH).read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def home(files: Path, truth: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    duckdb.execute(f"""
        copy (
            from read_csv('{files}/events_*.csv', header = true, all_varchar = true)
            where event_type = 'purchase'
                or category_code = '{truth["brand_loyalty"]["category_code"]}'
        ) to '{home.folder}/events.parquet'""")
    home.load(home.folder / "events.parquet")
    home.dbt("run", "--select", *MARTS, "--vars", json.dumps(VARIABLES))
    return home


def pairs_in_orders(home: Home) -> dict[tuple[int, int], int]:
    rows = home.query("""
        select one.product_id, other.product_id, count(distinct session_id)
        from intermediate_layer.order_lines as one
        join intermediate_layer.order_lines as other using (session_id)
        where one.product_id < other.product_id group by all""")
    return {(one, other): count for one, other, count in rows}


def test_planted_pairs_are_bought_together_most(home: Home, truth: dict[str, Any]) -> None:
    counts = pairs_in_orders(home)
    most = sorted(counts, key=lambda pair: -counts[pair])[:3]
    assert sorted(most) == sorted(tuple(pair) for pair in truth["affinity"]["pairs"])
    # No other pair is close.
    assert counts[most[2]] > 3 * sorted(counts.values())[-4]


def test_independent_product_is_bought_with_others_as_often_as_by_chance(
    home: Home, truth: dict[str, Any]
) -> None:
    """With 48 pairs expected the lift has a sampling error of 0.15."""
    product = truth["affinity"]["independent_product"]
    [(together, expected)] = home.query(f"""
        with orders as (
            select distinct session_id, product_id from intermediate_layer.order_lines
        ),
        independent as (select session_id from orders where product_id = {product}),
        popular as (
            select product_id, count(*) as orders from orders where product_id <> {product}
            group by product_id order by orders desc, product_id limit 50
        )
        select
            (select count(*) from orders semi join independent using (session_id)
             semi join popular using (product_id)),
            (select sum(orders) from popular) * (select count(*) from independent)
            / (select count(distinct session_id) from orders)""")
    assert expected > 40
    assert together / expected == pytest.approx(1, abs=0.4)


def test_affinity_finds_the_pairs(home: Home, truth: dict[str, Any]) -> None:
    found = home.query("""
        select product_a, product_b, lift from gold_layer.product_affinity
        where basis = 'order' and pair_count >= 20 order by lift desc""")
    planted = sorted(tuple(pair) for pair in truth["affinity"]["pairs"])
    assert sorted((one, other) for one, other, _ in found[:3]) == planted
    assert all(lift > 20 for *_, lift in found[:3])


def test_price_changes_find_the_elasticity(home: Home, truth: dict[str, Any]) -> None:
    planted = truth["price_elasticity"]
    changes = home.query(f"""
        select product_id, changed_date::varchar, arc_elasticity, units_before + units_after,
            2 * abs(price_after - price_before) / (price_after + price_before)
        from gold_layer.price_changes
        where product_id in ({", ".join(map(str, planted["products"]))})""")
    # Each product has the planted change and no other.
    assert sorted(product for product, *_ in changes) == planted["products"]
    assert {changed for _, changed, *_ in changes} == {planted["changed_date"]}
    # By units, so that the sum has the sampling error of one large product: the change of a rate
    # from n purchases in all has at most that of a fair coin, 2 / sqrt(n).
    units = sum(count for *_, count, _ in changes)
    found = sum(elasticity * count for _, _, elasticity, count, _ in changes) / units
    error = 2 / math.sqrt(units) / float(changes[0][4])
    assert error < 0.2
    assert found == pytest.approx(planted["arc_elasticity"], abs=0.5)


def test_brand_switching_finds_the_loyalty(home: Home, truth: dict[str, Any]) -> None:
    """A loyal buyer has several of the 1,850 pairs: over seeds, the share varies by 0.025."""
    planted = truth["brand_loyalty"]
    one, two = planted["category_code"].split(".")
    [(same, known)] = home.query(f"""
        select sum(switches) filter (is_same_brand), sum(switches)
        from gold_layer.brand_switching
        where category_l1 = '{one}' and category_l2 = '{two}' and is_same_brand is not null""")
    assert known > 1_500
    assert same / known == pytest.approx(planted["probability"], abs=0.05)
