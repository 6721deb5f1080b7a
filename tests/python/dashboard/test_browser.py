"""Every page in a real browser: its numbers are those of SQL on silver, and people can use it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Browser, BrowserContext, Page, Request

from support import built_shops
from support.browser import running_browser
from support.built_shops import HOSTILE, Shop

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

WIDE, NARROW = 1280, 390
READ: Final = """() => {
  const raw = (cell) => cell.dataset.raw ?? cell.textContent.replaceAll("\\u2212", "-");
  const figures = {};
  for (const figure of document.querySelectorAll("figure")) {
    figures[figure.id] = {
      title: figure.querySelector("h3").textContent,
      columns: [...figure.querySelectorAll("thead th")].map((cell) => cell.textContent),
      rows: [...figure.querySelectorAll("tbody tr")].map((row) => [...row.cells].map(raw)),
      texts: [...figure.querySelectorAll("tbody tr")].map(
        (row) => [...row.cells].map((cell) => cell.textContent)),
      marks: [...(figure.querySelector("svg.chart")?.querySelectorAll(
        "[role=graphics-symbol][aria-label]") ?? [])].filter(
        (mark) => !["axis", "header", "title"].includes(
          mark.getAttribute("aria-roledescription"))).map(
        (mark) => mark.getAttribute("aria-label")),
    };
  }
  const tiles = {};
  for (const section of document.querySelectorAll("section")) {
    for (const tile of section.querySelectorAll(".tile")) {
      tiles[section.querySelector("h2").textContent + ": " + tile.querySelector("dt").textContent] =
        [tile.querySelector("data").value, tile.querySelector("data").textContent,
         tile.querySelector(".change").textContent];
    }
  }
  return {tiles, figures, text: document.body.innerText,
          overflow: document.documentElement.scrollWidth - innerWidth};
}"""
# Columns that hold or name a person.
PERSONAL: Final = ("user_id", "session_id", "user_session")

# Of the events alone: what a tile must show.
AS_OF: Final = "(select max(event_date) from silver_layer.events_cleaned)"
BOUGHT: Final = "from silver_layer.events_cleaned where event_type = 'purchase'"
RECENT: Final = f"event_date > {AS_OF} - 28"
STARTS: Final = (
    "(select session_id, min(event_date) as event_date, max(event_type = 'purchase') as is_bought,"
    " min(event_date) filter (where event_type = 'purchase') as order_date,"
    " max(event_type = 'cart') as is_carted"
    " from silver_layer.events_cleaned group by session_id)"
)
LEFT: Final = (
    "(select session_id, product_id,"
    " arg_max(price, event_time) filter (where event_type = 'cart') as price"
    " from silver_layer.events_cleaned group by 1, 2"
    " having max(event_type = 'cart') and not max(event_type = 'purchase'))"
)
TILES: Final = {
    "index/The last 28 days: Revenue": f"select sum(price) {BOUGHT} and {RECENT}",
    "index/The last 28 days: Orders": f"select count(*) from {STARTS}"
    f" where order_date > {AS_OF} - 28",
    "index/The last 28 days: Average order value": (
        f"select (select sum(price) {BOUGHT} and {RECENT})"
        f" / (select count(*) from {STARTS} where order_date > {AS_OF} - 28)"
    ),
    "index/The last 28 days: Sessions": f"select count(*) from {STARTS} where {RECENT}",
    "index/The last 28 days: Conversion of sessions": (
        f"select avg(cast(is_bought as integer)) from {STARTS} where {RECENT}"
    ),
    "index/The last 28 days: Buyers": f"select count(distinct user_id) {BOUGHT} and {RECENT}",
    "index/All 61 days: Revenue": f"select sum(price) {BOUGHT}",
    "index/All 61 days: Orders": f"select count(distinct session_id) {BOUGHT}",
    "index/All 61 days: Buyers": f"select count(distinct user_id) {BOUGHT}",
    "index/All 61 days: Sessions": f"select count(*) from {STARTS}",
    "index/All 61 days: Complete days": (
        "select count(*) from gold_layer.daily_sales_summary where day_kind = 'complete'"
    ),
    "sales/Month: Nov 2019: Revenue": f"select sum(price) {BOUGHT} and month(event_date) = 11",
    "sales/Month: Nov 2019: Orders": f"select count(*) from {STARTS} where month(order_date) = 11",
    "sales/Month: Nov 2019: Units": f"select count(*) {BOUGHT} and month(event_date) = 11",
    "sales/Month: Nov 2019: Average order value": (
        f"select (select sum(price) {BOUGHT} and month(event_date) = 11)"
        f" / (select count(*) from {STARTS} where month(order_date) = 11)"
    ),
    "sales/Month: Nov 2019: New buyers": (
        f"select count(*) from (select min(event_date) as day {BOUGHT} group by user_id)"
        " where month(day) = 11"
    ),
    "customers/At a glance: Users": (
        "select count(distinct user_id) from silver_layer.events_cleaned"
    ),
    "customers/At a glance: Buyers": f"select count(distinct user_id) {BOUGHT}",
    "customers/At a glance: Repeat within 30 days": f"""
        with orders as (
            select user_id, min(event_date) as day {BOUGHT} group by user_id, session_id
        ), firsts as (
            select user_id, list_sort(list(day))[1] as one, list_sort(list(day))[2] as two
            from orders group by user_id
        )
        select avg(case when two - one <= 30 then 1 else 0 end) from firsts
        where one <= {AS_OF} - 30""",
    "customers/At a glance: Median days to the second order": f"""
        with orders as (
            select user_id, min(event_date) as day {BOUGHT} group by user_id, session_id
        )
        select median(days) from (
            select list_sort(list(day))[2] - list_sort(list(day))[1] as days
            from orders group by user_id having count(*) > 1
        )""",
    "customers/At a glance: Expected revenue, 90 days": (
        "select sum(expected_revenue_90d) from intermediate_layer.customer_lifetime_value"
    ),
    "products/At a glance: Products": (
        "select count(distinct product_id) from silver_layer.events_cleaned"
    ),
    "products/At a glance: Sold at least once": f"select count(distinct product_id) {BOUGHT}",
    "products/At a glance: Viewed, never sold": f"""
        select count(distinct product_id) from silver_layer.events_cleaned
        where event_type = 'view' and product_id not in (select product_id {BOUGHT})""",
    "funnel/Abandoned carts: Abandoned lines": f"select count(*) from {LEFT}",
    "funnel/Abandoned carts: Their value": f"select sum(price) from {LEFT}",
    "funnel/Abandoned carts: Bought later": (
        "select avg(case when recovered_at is not null then 1 else 0 end)"
        " from gold_layer.abandoned_carts where not is_open"
    ),
    "funnel/Abandoned carts: Still open": (
        "select coalesce(sum(cart_price), 0) from gold_layer.abandoned_carts where is_open"
    ),
    "prices/At a glance: Price changes": "select count(*) from gold_layer.price_changes",
    "prices/At a glance: Products": (
        "select count(*) from (select 1 from gold_layer.price_changes group by product_id)"
    ),
    "prices/At a glance: Cuts among changes": (
        "select avg(case when price_after < price_before then 1 else 0 end)"
        " from gold_layer.price_changes"
    ),
    "prices/At a glance: Median cut": (
        "select median(price_after / price_before - 1) from gold_layer.price_changes"
        " where price_after < price_before"
    ),
    "prices/At a glance: Median elasticity": (
        "select median(arc_elasticity) from gold_layer.price_changes"
    ),
    "trust/At a glance: Newest event": f"select {AS_OF}",
    "trust/At a glance: Newest file loaded": (
        "select max(_ingested_at) from bronze_layer.events_raw"
    ),
    "trust/At a glance: Files": (
        "select count(distinct _source_file) from bronze_layer.events_raw"
    ),
    "trust/At a glance: Clean events": "select count(*) from silver_layer.events_cleaned",
    "trust/At a glance: Rows that break a rule": (
        "select count(*) from silver_layer.events_quarantined"
        " where rejection_reasons <> 'duplicate'"
    ),
}
# Of a figure's table: columns to compare, and SQL for them on silver.
FIGURES: Final = {
    "index-revenue-by-day": (
        ("Day", "Revenue", "Sessions"),
        f"""select d.day, coalesce((select sum(price) {BOUGHT} and event_date = d.day), 0),
            (select count(*) from {STARTS} where event_date = d.day)
        from (select distinct event_date as day from silver_layer.events_cleaned) as d""",
    ),
    "index-categories": (
        ("Category", "Revenue", "Units"),
        f"""select coalesce(category_l1, '(none)'), sum(price), count(*) {BOUGHT}
        group by 1 order by 2 desc limit 10""",
    ),
    "index-brands": (
        ("Brand", "Revenue", "Units"),
        f"""select brand, sum(price), count(*) {BOUGHT} and brand is not null
        group by 1 order by 2 desc, 1 limit 10""",
    ),
    "sales-months": (
        ("Month", "Days", "Revenue", "Units"),
        """select strftime(event_date, '%b %Y'), count(distinct event_date),
            sum(price) filter (where event_type = 'purchase'),
            count(*) filter (where event_type = 'purchase')
        from silver_layer.events_cleaned group by 1""",
    ),
    "sales-orders-by-day": (
        ("Day", "Orders", "Units"),
        f"""select e.event_date,
            (select count(*) from {STARTS} where order_date = e.event_date),
            count(*) filter (where event_type = 'purchase')
        from silver_layer.events_cleaned as e group by 1""",
    ),
    "sales-order-sizes": (
        ("Units", "Orders"),
        f"""select case when units >= 5 then '5 and more' else cast(units as varchar) end, count(*)
        from (select count(*) as units {BOUGHT} group by session_id) group by 1""",
    ),
    "sales-order-values": (
        ("Orders", "Revenue"),
        f"""with orders as (select sum(price) as value {BOUGHT} group by session_id)
        select count(*), sum(value) from orders
        group by greatest(0, least(7, 1 + floor(log2(value / 25))))""",
    ),
    "sales-hours": (
        ("Hour", "Purchases a day"),
        """with days as (
            select event_date from gold_layer.daily_sales_summary where day_kind = 'complete'
        )
        select hour, sum(bought) / any_value(days) from (
            select isodow(event_date) as weekday, h.hour, count(*) filter (
                where event_type = 'purchase' and hour(event_time) = h.hour) as bought,
                count(distinct event_date) as days
            from silver_layer.events_cleaned semi join days using (event_date)
            cross join range(24) as h(hour) group by 1, 2
        ) group by weekday, hour""",
    ),
    "customers-segments": (
        ("Segment", "Customers", "Revenue"),
        f"""select user_segment, count(*), sum(spent)
        from silver_layer.users_dim join (
            select user_id, sum(price) as spent {BOUGHT} group by user_id
        ) using (user_id) group by 1""",
    ),
    "customers-new-and-returning": (
        ("Week from", "Orders", "Number of orders", "Revenue"),
        f"""with orders as (
            select user_id, session_id, min(event_time) as bought_at, sum(price) as revenue
            {BOUGHT} group by 1, 2
        )
        select cast(date_trunc('week', bought_at) as date),
            case when bought_at = first_at then 'first orders' else 'later orders' end,
            count(*), sum(revenue)
        from (select *, min(bought_at) over (partition by user_id) as first_at from orders)
        group by 1, 2""",
    ),
    "customers-tenths": (
        ("Tenth", "Revenue"),
        f"""select tenth, sum(revenue) from (
            select revenue, ntile(10) over (order by revenue desc) as tenth from (
                select sum(price) as revenue {BOUGHT} group by user_id)) group by 1""",
    ),
    "products-classes": (
        ("Class", "Products", "Revenue", "Views"),
        """select coalesce(pareto_class, 'never sold'), count(*), sum(bought), sum(seen)
        from gold_layer.product_performance join (
            select product_id, count(*) filter (where event_type = 'view') as seen,
                coalesce(sum(price) filter (where event_type = 'purchase'), 0) as bought
            from silver_layer.events_cleaned group by 1
        ) using (product_id) group by 1""",
    ),
    "products-best": (
        ("Product", "Revenue", "Units"),
        f"""select product_id, sum(price), count(*) {BOUGHT}
        group by 1 order by 2 desc, 1 limit 25""",
    ),
    "categories-subcategories": (
        ("Category", "Subcategory", "Revenue", "Units"),
        f"""select category_l1, coalesce(category_l2, '(none)'), sum(price), count(*) {BOUGHT}
        and category_l1 is not null group by 1, 2 order by 3 desc, 1, 2 limit 14""",
    ),
    "categories-brand-shares": (
        ("Brand", "Month", "Revenue"),
        f"""select brand, strftime(event_date, '%b %Y'),
            coalesce(sum(price) filter (where event_type = 'purchase'), 0)
        from silver_layer.events_cleaned where brand in (
            select brand {BOUGHT} and brand is not null
            group by brand order by sum(price) desc, brand limit 10)
        group by 1, 2""",
    ),
    "funnel-steps": (
        ("Step", "Sessions"),
        f"""select 'all sessions', count(*) from {STARTS}
        union all select 'with a purchase', count(*) from {STARTS} where is_bought
        union all select 'purchase, no cart', count(*) from {STARTS}
            where is_bought and not is_carted
        union all select 'with a view', count(*) from silver_layer.sessions where views > 0
        union all select 'view, then cart', count(*) from silver_layer.sessions
            where is_view_then_cart
        union all select 'view, cart, purchase', count(*) from silver_layer.sessions
            where is_view_cart_purchase_in_order""",
    ),
    "prices-sizes": (
        ("Changes",),
        """select count(*) from gold_layer.price_changes
        group by price_change_rate > 0, least(3, floor(abs(price_change_rate) / 0.1000000001))""",
    ),
    "paths-paths": (
        ("From", "To", "Steps"),
        """with visits as (
            select session_id, event_time, event_id, coalesce(category_l1, '(none)') as category
            from silver_layer.events_cleaned
        )
        select '(entry)', category, count(*) from (
            select arg_min(category, (event_time, event_id)) as category
            from visits group by session_id)
        group by category""",
    ),
    "trust-tie-out": (
        ("Revenue",),
        f"select (select sum(price) {BOUGHT}) from range(7)",
    ),
    "trust-reasons": (
        ("Reason", "Rows"),
        """select rejection_reason, count(*) from silver_layer.events_quarantined group by 1""",
    ),
}


@dataclass(frozen=True)
class View:
    """A page as a browser shows it."""

    content: dict[str, Any]
    requests: list[str]
    """Addresses of other hosts that it asked for."""
    errors: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as found:
        yield found


@pytest.fixture(scope="module")
def shops(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shop]:
    return built_shops.build_shops(tmp_path_factory.mktemp("shops"))


def opened(context: BrowserContext, page: Path) -> tuple[Page, list[str], list[str]]:
    """Open a page without any network; requests to other hosts and errors are collected."""
    requests: list[str] = []
    errors: list[str] = []

    def record(request: Request) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            requests.append(request.url)

    tab = context.new_page()
    tab.on("request", record)
    tab.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(page.as_uri())
    return tab, requests, errors


def visited(browser: Browser, shop: Shop, width: int, theme: Any, name: str) -> dict[str, View]:
    """Visit all pages in one size and theme, and keep a picture of each where that is asked for."""
    pictures = os.environ.get("DASHBOARD_PICTURES")
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
    context.route(re.compile("^(?!file:|data:|blob:)"), lambda route: route.abort())
    views = {}
    for page in shop.pages:
        tab, requests, errors = opened(context, shop.site / f"{page}.html")
        views[page] = View(tab.evaluate(READ), requests, errors)
        if pictures:
            tab.screenshot(
                path=Path(pictures, f"{name}_{page}_{width}_{theme}.png"), full_page=True
            )
        tab.close()
    context.close()
    return views


@pytest.fixture(scope="module")
def wide(browser: Browser, shops: dict[str, Shop]) -> dict[str, View]:
    return visited(browser, shops["months"], WIDE, "light", "months")


@pytest.fixture(scope="module")
def narrow(browser: Browser, shops: dict[str, Shop]) -> dict[str, View]:
    return visited(browser, shops["months"], NARROW, "dark", "months")


def number_or_text(value: Any) -> Any:
    text = str(value).replace(",", "")
    try:
        return float(text)
    except ValueError:
        return str(value)


def sorted_rows(rows: list[Any]) -> list[tuple[Any, ...]]:
    return sorted((tuple(map(number_or_text, row)) for row in rows), key=repr)


def assert_quiet(views: dict[str, View]) -> None:
    for page, view in views.items():
        assert not view.requests, page
        assert not view.errors, page
        assert view.content["overflow"] <= 0, page


def test_pages_ask_no_other_host_log_no_error_and_fit_a_screen(wide: dict[str, View]) -> None:
    assert_quiet(wide)
    assert len(wide) >= 11


def test_pages_fit_a_phone_in_the_dark(narrow: dict[str, View]) -> None:
    assert_quiet(narrow)


def test_tiles_are_what_sql_counts_in_the_events(
    wide: dict[str, View], shops: dict[str, Shop]
) -> None:
    found = {
        f"{page}/{name}": tile
        for page, view in wide.items()
        for name, tile in view.content["tiles"].items()
    }
    assert set(found) == set(TILES)
    with duckdb.connect(str(shops["months"].home.database), read_only=True) as connection:
        for name, query in TILES.items():
            [(expected,)] = connection.execute(query).fetchall()
            exact, text, change = found[name]
            assert number_or_text(exact) == pytest.approx(
                number_or_text("" if expected is None else expected)
            ), name
            assert change, name
            if isinstance(expected, int):
                assert_shows(text, expected, name)


def assert_shows(text: str, expected: int, name: str) -> None:
    """A count of less than 10,000 is shown as it is, a larger one at least begins so."""
    digits = re.sub("[^0-9]", "", text.split(" of ")[0])
    assert str(expected).startswith(digits[:3]) or str(expected + 50).startswith(digits[:3]), name


def test_changes_compare_complete_days(wide: dict[str, View], shops: dict[str, Shop]) -> None:
    [(now, before)] = shops["months"].home.query(
        f"""with days as (
            select event_date,
                coalesce(sum(price) filter (where event_type = 'purchase'), 0) as revenue
            from silver_layer.events_cleaned group by 1
        )
        select avg(revenue) filter (where {RECENT}),
            avg(revenue) filter (where not ({RECENT}) and event_date > {AS_OF} - 56)
        from days semi join (
            from gold_layer.daily_sales_summary where day_kind = 'complete'
        ) using (event_date)"""
    )
    change = wide["index"].content["tiles"]["The last 28 days: Revenue"][2]
    shown = re.match(r"([+\u2212][\d.,]+)% against the 28 days before", change)
    assert shown, change
    rate = float(shown[1].replace("\u2212", "-").replace(",", ""))
    assert rate == pytest.approx((float(now) / float(before) - 1) * 100, rel=0.01)


@pytest.mark.parametrize("figure", FIGURES)
def test_tables_of_charts_are_what_sql_counts(
    figure: str, wide: dict[str, View], shops: dict[str, Shop]
) -> None:
    columns, query = FIGURES[figure]
    shown = wide[figure.partition("-")[0]].content["figures"][figure]
    places = [shown["columns"].index(column) for column in columns]
    rows = sorted_rows([[row[place] for place in places] for row in shown["rows"]])
    expected = sorted_rows(shops["months"].home.query(query))
    if figure == "paths-paths":
        # Small categories are one row here.
        large = {row[1] for row in rows}
        rows = [row for row in rows if row[0] == "(entry)" and row[1] != "other" and row[2]]
        expected = [row for row in expected if row[1] in large]
    assert rows
    assert len(rows) == len(expected)
    for row, other in zip(rows, expected, strict=True):
        assert (
            row == pytest.approx(other, rel=1e-4)
            if len(row) == 1
            else all(
                one == (pytest.approx(two, rel=1e-4) if isinstance(two, float) else two)
                for one, two in zip(row, other, strict=True)
            )
        ), (row, other)


def test_marks_of_charts_show_the_numbers_of_their_table(wide: dict[str, View]) -> None:
    marks = 0
    for view in wide.values():
        for name, figure in view.content["figures"].items():
            rows = [set(row) for row in figure["texts"]]
            # A null value, shown as a dash, has no bar.
            known = sum("\N{EN DASH}" not in row for row in rows)
            assert not figure["marks"] or known <= len(figure["marks"]) <= len(rows), name
            for label in figure["marks"]:
                shown = re.findall(
                    r"[+\u2212]?\d+(?:,\d{3})*(?:\.\d+)?%?", label.rpartition(": ")[2]
                )
                assert any(set(shown) <= row for row in rows), (name, label)
                marks += 1
    assert marks > 500


def test_days_that_are_not_complete_are_marked(
    wide: dict[str, View], shops: dict[str, Shop]
) -> None:
    marked = shops["months"].home.query(
        "select strftime(event_date, '%-d %b %Y'), replace(day_kind, '_', '-')"
        " from gold_layer.daily_sales_summary where day_kind <> 'complete'"
    )
    assert marked
    labels = wide["index"].content["figures"]["index-revenue-by-day"]["marks"]
    for day, kind in marked:
        assert any(label.startswith(day) and f"{kind} day" in label for label in labels), day
    assert sum("incomplete day" in label or "catch-up day" in label for label in labels) == len(
        marked
    )


def test_no_page_shows_a_person(wide: dict[str, View], shops: dict[str, Shop]) -> None:
    users = shops["months"].home.query("select user_id from silver_layer.users_dim limit 2000")
    for page, view in wide.items():
        if page == "dictionary":
            # Describes all columns, and has no value.
            continue
        assert not [name for name in PERSONAL if name in view.content["text"]], page
        html = (shops["months"].site / f"{page}.html").read_text("utf-8")
        assert not [user for (user,) in users if user > 10_000_000 and str(user) in html], page


def test_text_of_the_data_is_no_markup(wide: dict[str, View], shops: dict[str, Shop]) -> None:
    brands = wide["index"].content["figures"]["index-brands"]
    assert brands["rows"][0][0] == HOSTILE.lower() or brands["rows"][0][0] == HOSTILE
    for page in shops["months"].pages:
        html = (shops["months"].site / f"{page}.html").read_text("utf-8")
        assert "<img" not in html, page
        assert "<b>smart" not in html, page


def test_pages_are_small(shops: dict[str, Shop]) -> None:
    for shop in shops.values():
        for file in shop.site.iterdir():
            assert file.stat().st_size <= 2_000_000, file


def test_axe_finds_nothing_serious(browser: Browser, shops: dict[str, Shop]) -> None:
    shop = shops["months"]
    axe = Path(AXE_FILE_PATH).read_text("utf-8")
    for theme, pages in (("light", shop.pages), ("dark", ("index", "cohorts"))):
        context = browser.new_context(
            viewport={"width": WIDE, "height": 800},
            color_scheme=theme,  # type: ignore[arg-type]
        )
        for page in pages:
            tab, _, _ = opened(context, shop.site / f"{page}.html")
            tab.evaluate(axe)
            found = tab.evaluate(
                # The entries of the dictionary are alike, and axe takes seconds for all of them.
                "axe.run({exclude: [['.entry:not(#orders)']]}, {resultTypes: ['violations']})"
                ".then((found) => found.violations"
                ".filter((one) => ['serious', 'critical'].includes(one.impact))"
                ".map((one) => [one.id, one.nodes.slice(0, 3).map((node) => node.html)]))"
            )
            assert not found, (page, theme)
            tab.close()
        context.close()


def test_tables_sort_by_keyboard_and_give_csv(browser: Browser, shops: dict[str, Shop]) -> None:
    context = browser.new_context(viewport={"width": WIDE, "height": 800})
    tab, _, errors = opened(context, shops["months"].site / "products.html")
    table = tab.locator("#products-best table")
    heading = table.locator("th", has_text="Units")
    heading.locator("button").focus()
    for expected in ("ascending", "descending"):
        tab.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == expected
        place = 6
        units = [
            int(text.replace(",", ""))
            for text in table.locator(f"tbody td:nth-child({place + 1})").all_text_contents()
        ]
        assert units == sorted(units, reverse=expected == "descending")
    with tab.expect_download() as download:
        tab.locator("#products-best .csv").click()
    assert download.value.suggested_filename == "products-best.csv"
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    assert lines[0].startswith("Product,Brand,Category,Class,Revenue")
    assert len(lines) == 1 + len(units)
    tab.locator("#theme").click()
    theme = tab.evaluate("document.documentElement.dataset.theme")
    tab.goto((shops["months"].site / "sales.html").as_uri())
    assert tab.evaluate("document.documentElement.dataset.theme") == theme == "dark"
    tab.goto((shops["months"].site / "dictionary.html").as_uri())
    tab.fill("#search", "pareto_class")
    assert tab.locator(".entry:visible").count() >= 1
    assert tab.locator("tr.match").first.is_visible()
    assert not errors
    context.close()


def test_figures_are_there_without_scripts(browser: Browser, shops: dict[str, Shop]) -> None:
    context = browser.new_context(
        viewport={"width": WIDE, "height": 800}, java_script_enabled=False
    )
    tab, _, _ = opened(context, shops["months"].site / "index.html")
    assert tab.locator("#index-revenue-by-day svg.chart:visible").count() == 1
    tab.locator("#index-revenue-by-day summary").click()
    assert tab.locator("#index-revenue-by-day tbody tr:visible").count() == 61
    assert not tab.locator("#theme").is_visible()
    context.close()


@pytest.mark.parametrize("name", ["day", "empty"])
def test_small_shops_have_all_pages(
    name: str, browser: Browser, shops: dict[str, Shop], wide: dict[str, View]
) -> None:
    views = visited(browser, shops[name], NARROW, "light", name)
    assert_quiet(views)
    assert set(views) == set(wide)
    text = " ".join(view.content["text"] for view in views.values())
    for page, view in views.items():
        # The dictionary says of columns when they are null.
        if page != "dictionary":
            assert not re.search(r"\b(None|nan|NaN|undefined|null|inf)\b", view.content["text"]), (
                page
            )
    if name == "day":
        tile = views["index"].content["tiles"]["The last 28 days: Revenue"]
        assert tile[1] == "100"
        assert "no full period before" in tile[2]
    else:
        assert "nothing to show here" in text
