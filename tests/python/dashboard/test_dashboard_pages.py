"""What pages say of rows that a shop of the tests does not have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import duckdb
import pytest

from dashboard import drawing, figures, markup
from dashboard.elements import Figure
from dashboard.pages import (
    categories,
    customers,
    funnel,
    overview,
    paths,
    prices,
    products,
    sales,
)
from dashboard.tables import Row, Tables, leading
from project.variables import project_variables


def tables_of(**results: Sequence[Row]) -> Tables:
    """Return tables whose queries, named `page__query`, have these rows."""
    named = {tuple(name.split("__")): list(rows) for name, rows in results.items()}
    return Tables(duckdb.connect(), named)  # type: ignore[arg-type]


def test_the_page_of_customers_names_the_models_behind_its_numbers() -> None:
    segment: dict[str, Any] = {"user_segment": "new", "expected_revenue_90d": 5}
    expected = customers._expected(tables_of(customers__segments=[segment]))
    assert "a model of past orders, mbg/nbd and gamma-gamma" in expected.caution.lower()
    risk = customers._churn(tables_of(customers__churn=[]))
    assert "churn_medium_risk_after_days" in risk.caution
    assert "churn_after_days" in risk.caution


def test_carts_of_a_day_without_its_purchases_are_not_abandoned() -> None:
    days: list[dict[str, Any]] = [
        {
            "event_date": date(2019, 11, day),
            "day_kind": "complete" if bought else "incomplete",
            "is_complete": bool(bought),
            "sessions_with_cart": 100,
            "sessions_with_cart_and_purchase": bought,
            "cart_abandonment_rate": 1 - bought / 100,
        }
        for day, bought in ((1, 48), (2, 0))
    ]
    title = funnel._abandonment(tables_of(funnel__days=days)).title
    assert title == "52.0% of the sessions with a cart buy nothing on complete days"
    title = funnel._abandonment(tables_of(funnel__days=days[1:])).title
    assert title == "Cart abandonment by day"


def test_the_funnel_counts_complete_days_alone() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            """create schema gold_layer;
            create table gold_layer.conversion_funnel as
            select
                category_l1, day_kind = 'complete' as is_complete, 100 as sessions,
                90 as sessions_with_view, 50 as sessions_with_cart,
                50 as sessions_view_then_cart, bought - less as sessions_with_purchase,
                bought as sessions_view_cart_purchase_in_order,
                bought as sessions_with_cart_and_purchase, 0 as sessions_purchase_without_cart
            from (values ('complete', 40), ('incomplete', 0)) as days(day_kind, bought)
            cross join (values ('(all)', 0), ('toys', 0), ('new', 9))
                as categories(category_l1, less)"""
        )
        tables = Tables(connection)
        assert funnel._steps(tables).title == (
            "On complete days, 40.0% of the sessions end with a purchase"
        )
        assert "40 (40.0%)" in text_of(funnel._steps(tables), markup.NARROW)
        assert funnel._categories(tables).title.endswith("toys converts best: 40.0%")
        connection.execute("update gold_layer.conversion_funnel set is_complete = false")
        figure = funnel._steps(Tables(connection))
    assert (figure.title, list(figure.rows)) == ("Sessions by step", [])


def test_recovery_is_compared_where_enough_lines_are_observed() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            """create schema gold_layer;
            create table gold_layer.abandoned_carts as
            select
                category_l1, 1::decimal(18, 2) as cart_price, line <= observed as is_observed,
                case when line <= recovered then true when line <= observed then false end
                    as is_recovered,
                line > observed and line > recovered as is_open
            from (values ('toys', 20, 5), ('shoes', 20, 4), ('new', 19, 19))
                as counts(category_l1, observed, recovered)
            cross join range(1, 41) as lines(line)"""
        )
        figure = funnel._recovery(Tables(connection))
        assert figure.title == "toys is bought later most: 25.0%"
        assert [row["category_l1"] for row in figure.rows] == ["toys", "shoes"]
        connection.execute("delete from gold_layer.abandoned_carts where is_observed")
        assert not funnel._recovery(Tables(connection)).rows


def test_a_title_of_a_part_of_its_rows_says_which() -> None:
    busy = {"category_l1": "toys", "sessions": 100, "conversion_rate": 0.1}
    rare = {"category_l1": "rare", "sessions": 99, "conversion_rate": 0.9}
    less = {**busy, "category_l1": "less", "conversion_rate": 0.05}
    title = funnel._categories(tables_of(funnel__categories=[busy, less, rare])).title
    assert title == "Of categories with 100 sessions and more, toys converts best: 10.0%"
    moves = [{"category_l1": "(none)", "changes": 9}, {"category_l1": "toys", "changes": 5}]
    title = prices._categories(tables_of(prices__categories=moves)).title
    assert title == "Of the named categories, prices move most in toys: 5 changes"
    days: list[dict[str, Any]] = [
        {
            "event_date": date(2019, 11, day),
            "day_kind": kind,
            "is_complete": kind == "complete",
            "sessions": day,
            "session_conversion_rate": day / 100,
        }
        for day, kind in ((1, "complete"), (2, "complete"), (3, "catch_up"))
    ]
    assert [figure.title for figure in overview._sessions_by_day(days)] == [
        "Of the complete days, most sessions on 2 Nov 2019: 2",
        "Of the complete days, conversion was highest on 2 Nov 2019: 2.00%",
    ]


@pytest.mark.parametrize(("buyers", "revenue"), [(9, 5), (10, 0), (10, 5)])
def test_tenths_of_few_buyers_or_of_nothing_claim_nothing(buyers: int, revenue: int) -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema gold_layer")
        connection.execute(
            "create table gold_layer.customer_metrics as"
            f" select user_id, 1 as orders, {revenue} as revenue"
            f" from range({buyers}) as buyers(user_id)"
        )
        figure = customers._tenths(Tables(connection))
    assert len(figure.rows) == buyers
    assert figure.rows[0]["revenue_share"] == (pytest.approx(1 / buyers) if revenue else None)
    claims = (buyers, revenue) == (10, 5)
    assert figure.title.startswith("The best tenth" if claims else "Revenue by tenth")
    assert figure.draw is not None
    assert "nan" not in text_of(figure, markup.NARROW)


def test_loyalty_is_a_share_of_purchases_not_of_buyers() -> None:
    row = {"from_brand": "vivo", "category_l2": "phones", "share_of_from_brand": 0.737}
    title = categories._loyalty(tables_of(categories__loyalty=[row])).title
    assert title == "After vivo, 73.7% of the next purchases in phones are of the brand again"


def test_order_values_say_from_where_their_steps_double() -> None:
    limits = [int(step.rstrip("+")) for step in sales._VALUE_STEPS]
    widths = [high - low for low, high in pairwise(limits)]
    doubles = [
        low
        for low, (width, wider) in zip(limits[1:], pairwise(widths), strict=False)
        if wider == 2 * width
    ]
    assert doubles == limits[2:-1]
    assert sales._STEP_WIDTHS.startswith(f"From {doubles[0]} on, each step is twice as wide")


def test_no_order_is_called_smaller_where_all_have_the_same_value() -> None:
    step, middle = {"step": 3, "orders": 9}, {"median_value": 100, "average_value": 100}
    tables = tables_of(sales__order_values=[step], sales__order_values_median=[middle])
    assert sales._order_values(tables).title == "The median order is 100.00"


def test_without_a_lifetime_value_model_the_page_says_why_it_expects_nothing() -> None:
    segment: dict[str, Any] = {"user_segment": "new", "expected_revenue_90d": None}
    engagement: dict[str, Any] = {"customers": 9, "buyers": 5, "expected_revenue_90d": None}
    repeat = {"observed_buyers": 0, "returned_buyers": 0, "buyers_of_two": 0, "median_days": None}
    tables = tables_of(
        customers__segments=[segment],
        customers__engagement=[engagement],
        customers__repeat_rate=[repeat],
    )
    assert "clv_min_repeat_buyers" in customers._expected(tables).caution
    assert "clv_min_repeat_buyers" in customers._tiles(tables)[-1].change.text
    engagement["expected_revenue_90d"] = segment["expected_revenue_90d"] = 5
    assert "clv_min_repeat_buyers" not in customers._expected(tables).caution
    assert customers._tiles(tables)[-1].change.text == "a model's expectation, not a plan"


def test_shares_of_brands_mark_a_month_with_days_that_are_missing() -> None:
    months = [date(2019, 10, 1), date(2019, 11, 1)]
    figure = categories._brand_shares(
        tables_of(
            categories__brand_shares=[
                {"brand": "vivo", "month": month, "revenue": 5, "revenue_share": 0.5}
                for month in months
            ],
            shop__top_brands=[{"brand": "vivo"}],
            shop__visitors_by_month=[
                {"month": month, "is_whole_month": month.month == 10} for month in months
            ],
        )
    )
    assert [row["name"] for row in figure.rows] == ["Oct 2019", "Nov 2019*"]
    assert figure.title == "vivo has 50.0% of the revenue in Nov 2019*"
    assert "marked *" in figure.caution


@pytest.mark.parametrize("width", [markup.NARROW, markup.WIDTHS["full"]])
def test_both_products_of_a_pair_can_be_read_at_every_width(width: int) -> None:
    pair = {
        "basis": "order",
        "pair_count": 1,
        "lift": 2.0,
        **{"product_a": 1004856, "brand_a": "samsung", "product_b": 5100816, "brand_b": "xiaomi"},
    }
    [order, _] = paths._pairs(tables_of(paths__pairs=[pair]))[0].figures
    drawn = text_of(order, width)
    assert "samsung 1004856\N{NO-BREAK SPACE}+" in drawn
    assert "xiaomi 5100816" in drawn


@pytest.mark.parametrize("width", [markup.NARROW, markup.WIDTHS["half"]])
def test_names_of_bars_are_broken_rather_than_cut(width: int) -> None:
    names = ["electronics / smartphone", "black and decker 100064531", "missing_user_session", "a"]
    rows = [{"name": name, "units": 1} for name in names]
    # What stands for a product, its number, is at the end.
    rows.append({"name": f"{'endless brand ' * 9}100064532", "units": 1})
    chart = figures.ranked_bars(rows, "name", "units", "integer")
    drawn = text_of(Figure("bars", "Bars", "", (), rows, chart), width)
    assert [name for name in names if name.replace(" ", "") not in drawn.replace(" ", "")] == []
    assert "endless" in drawn
    assert drawn.count("\N{HORIZONTAL ELLIPSIS}") == 1
    assert "100064532" in drawn


@pytest.mark.parametrize("width", [markup.NARROW, markup.WIDTHS["full"]])
def test_every_category_of_the_paths_is_named_at_every_width(width: int) -> None:
    names = ["electronics", "appliances", "computers", "furniture", "auto", "apparel"]
    steps = [
        {"from_category_l1": start, "to_category_l1": end, "steps": 1}
        for start in ["(entry)", *names]
        for end in [*names, "(exit)"]
    ]
    [matrix] = paths._steps(tables_of(paths__steps=steps))[0].figures
    # A category is a row and a column.
    drawn = text_of(matrix, width)
    assert [name for name in names if drawn.count(name) != 2] == []
    assert "(exit)" in drawn


def text_of(figure: Figure, width: int) -> str:
    """Return all text that a chart of this width draws; a label without room is transparent."""
    assert figure.draw is not None
    svg = drawing.to_svg(figure.draw(width), figure.title, "chart")
    svg = re.sub(r'<text[^>]* opacity="0"[^>]*>.*?</text>', "", svg)
    return " ".join(re.findall(r">([^<>]+)</t(?:ext|span)>", svg))


def test_pages_name_the_thresholds_that_the_vars_set(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = project_variables() | {
        "price_min_change": 0.025,
        "price_min_hours": 1,
        "pareto_a_share": 0.7,
        "pareto_b_share": 0.9,
    }
    for module in (prices, products):
        monkeypatch.setattr(module, "project_variables", lambda: moved)
    totals = dict.fromkeys(("changes", "cuts", "products", "median_cut", "median_elasticity"), 0)
    names = ("sizes", "weeks", "categories", "elasticities")
    queries: dict[str, list[Row]] = {f"prices__{name}": [] for name in names}
    page = prices.build(tables_of(**queries, prices__totals=[{**totals, "measured": 0}]))
    glance, changes, _ = page.sections
    assert glance.note.startswith("Changes of 2.5% and more between prices that lasted 1 hour;")
    assert "less than 2.5% are not" in changes.figures[0].caution
    caution = products._classes(tables_of(products__classes=[])).caution
    assert "A together has the first 70% of the revenue, B the next 20%, C the rest" in caution


def test_one_is_singular() -> None:
    move = {"category_l1": "toys", "changes": 1}
    title = prices._categories(tables_of(prices__categories=[move])).title
    assert title.endswith("toys: 1 change")
    week = {"week": date(2019, 11, 4), "is_cut": False, "changes": 1}
    weeks = prices._weeks(tables_of(prices__weeks=[week]))
    assert weeks.title == "0 cuts and 1 rise"
    assert weeks.draw is not None
    assert "4 Nov 2019: 1 rise" in str(weeks.draw(markup.NARROW))
    switch = {"from_brand": "vivo", "to_brand": "oppo", "switches": 1}
    title = categories._switches(tables_of(categories__switches=[switch])).title
    assert title == "From vivo to oppo: 1 time"


def test_one_row_alone_and_two_of_the_highest_value_lead_nothing() -> None:
    assert leading([{"day": 1, "sessions": 8}], "sessions") is None
    assert leading([{"day": 1, "sessions": 8}, {"day": 2, "sessions": 8}], "sessions") is None
    days: list[Row] = [
        {"day": 1, "sessions": None},
        {"day": 2, "sessions": -3},
        {"day": 3, "sessions": 0},
    ]
    assert leading(days, "sessions") == days[2]


def test_a_shop_of_one_day_has_no_best_one() -> None:
    score = {"recency_score": 5, "frequency_score": 1, "customers": 1, "revenue": 9, "name": "x"}
    brand = {"brand": "x", "revenue": 9, "units": 1}
    day = {"event_date": date(2019, 10, 1), "is_complete": True, "day_kind": "complete"}
    rates = {"sessions": 8, "session_conversion_rate": 0.125}
    weekday = {"weekday": 2, "hour": 17, "average_revenue": 9, "average_purchases": 1}
    shown = [
        customers._scores(tables_of(customers__scores=[score])),
        overview._brands(tables_of(shop__top_brands=[brand])),
        *overview._sessions_by_day([day | rates]),
        sales._weekdays(tables_of(sales__weekdays=[weekday])),
        *sales._hours(tables_of(sales__hours=[weekday])),
    ]
    assert [figure.title for figure in shown] == [
        "Revenue by recency and frequency",
        "Revenue by brand",
        "Sessions by day",
        "Conversion by day",
        "Revenue by weekday",
        "Purchases by weekday and hour",
    ]
