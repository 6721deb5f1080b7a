"""Each metric by month: MetricFlow, SQL over the marts and the metric views give one number."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from dashboard.tables import Tables
from project.home import CHECKOUT
from support.databricks_runs import CATALOG, PIPELINE, running_warehouse
from support.event_batches import repeat_buyers, write
from support.platform_runs import Home, run_command

pytestmark = [pytest.mark.slow, pytest.mark.warehouse]

# Their months end early, late and in the middle of orders and of the 30 days of a repeat.
EVENTS, DAYS = 6000, 75
VIEWS = CHECKOUT / "models" / "gold" / "metric_views"
SOURCES = {
    "sales_metrics": "gold_layer.daily_sales_summary",
    "funnel_metrics": "gold_layer.conversion_funnel",
    "repeat_metrics": "gold_layer.customer_metrics",
    "visitor_metrics": "silver_layer.user_daily_activity",
    "delivery_metrics": "silver_layer.source_files",
    "rejection_metrics": "silver_layer.events_quarantined",
}


def by_month(table: str, time: str, value: str) -> str:
    """Return SQL of a value by month, from a table or a query in parentheses."""
    return f"select date_trunc('month', {time}) as month, {value} as value from {table} group by 1"


def of_days(value: str) -> str:
    return by_month("gold_layer.daily_sales_summary", "event_date", value)


def of_events(value: str) -> str:
    return by_month("silver_layer.events_cleaned", "event_time", value)


def of_orders(value: str) -> str:
    return by_month("gold_layer.orders", "order_date", value)


def of_sessions(value: str) -> str:
    return by_month("silver_layer.sessions", "session_date", value)


def of_first_orders(value: str) -> str:
    return by_month(FIRST_ORDERS, "order_date", value)


FIRST_ORDERS = """(
    select
        first.order_date,
        first.order_date + 30 <= as_of.last_date as is_observed,
        coalesce(second.order_date <= first.order_date + 30, false) as is_back
    from gold_layer.orders as first
    cross join (select max(event_date) as last_date from silver_layer.events_cleaned) as as_of
    left join gold_layer.orders as second
        on first.user_id = second.user_id and second.order_number = 2
    where first.order_number = 1
)"""
REVENUE = "sum(price) filter (event_type = 'purchase')"
BUYERS = "count(distinct user_id) filter (event_type = 'purchase')"
OBSERVED, BACK = "count(*) filter (is_observed)", "count(*) filter (is_observed and is_back)"
CARTED, CARTED_AND_BOUGHT = (
    "count(*) filter (carts > 0)",
    "count(*) filter (carts > 0 and purchases > 0)",
)
VIEWED, VIEWED_THEN_CARTED = "count(*) filter (views > 0)", "count(*) filter (is_view_then_cart)"
REJECTED = "count(*) filter (rejection_reason <> 'duplicate')"
# What each metric is, written without the semantic layer and without its sources where there are
# others: events, sessions and orders instead of days, funnel and customers.
EXPECTED = {
    "revenue": of_events(REVENUE),
    "orders": of_orders("count(*)"),
    "units": of_events("count(*) filter (event_type = 'purchase')"),
    "sessions": of_sessions("count(*)"),
    "sessions_with_purchase": of_sessions("count(*) filter (is_order)"),
    "new_visitors": by_month(
        "(select min(event_time) as time from silver_layer.events_cleaned group by user_id)",
        "time",
        "count(*)",
    ),
    "new_buyers": of_orders("count(*) filter (order_number = 1)"),
    "new_buyer_revenue": of_days("sum(new_buyer_revenue)"),
    "repeat_orders": of_orders("count(*) filter (order_number > 1)"),
    "average_order_value": of_days("sum(revenue)::double / sum(orders)"),
    "units_per_order": of_days("sum(purchases) / sum(orders)"),
    "revenue_per_session": of_days("sum(revenue)::double / sum(sessions)"),
    "session_conversion_rate": of_sessions("count(*) filter (is_order) / count(*)"),
    "new_buyer_revenue_share": of_days("sum(new_buyer_revenue)::double / sum(revenue)::double"),
    "revenue_change_rate_month": f"""
        select month, value::double / lag(value::double) over (order by month) - 1
        from ({of_events(REVENUE)})
    """,
    "sessions_with_view": of_sessions(VIEWED),
    "sessions_view_then_cart": of_sessions(VIEWED_THEN_CARTED),
    "sessions_with_cart": of_sessions(CARTED),
    "sessions_with_cart_and_purchase": of_sessions(CARTED_AND_BOUGHT),
    "view_then_cart_rate": of_sessions(f"{VIEWED_THEN_CARTED} / {VIEWED}"),
    "cart_abandonment_rate": of_sessions(f"1 - {CARTED_AND_BOUGHT} / {CARTED}"),
    "visitors": of_events("count(distinct user_id)"),
    "buyers": of_events(BUYERS),
    "visitor_conversion_rate": of_events(f"{BUYERS} / count(distinct user_id)"),
    "returning_buyers": f"""
        select month, buyers.value - new_buyers.value
        from ({of_events(BUYERS)}) as buyers
        join ({of_orders("count(*) filter (order_number = 1)")}) as new_buyers using (month)
    """,
    "buyers_observed_30_days": of_first_orders(OBSERVED),
    "buyers_back_within_30_days": of_first_orders(BACK),
    "repeat_rate_30_days": of_first_orders(f"{BACK} / nullif({OBSERVED}, 0)"),
    "raw_rows": by_month("bronze_layer.events_raw", "_ingested_at", "count(*)"),
    "rejected_rows": by_month("silver_layer.events_quarantined", "_ingested_at", REJECTED),
    "quarantined_share": f"""
        select month, rejected.value / landed.value
        from ({by_month("silver_layer.events_quarantined", "_ingested_at", REJECTED)}) as rejected
        join ({by_month("bronze_layer.events_raw", "_ingested_at", "count(*)")}) as landed
            using (month)
    """,
}
# Metrics of several tables, or of another period; their yml says why no metric view has them.
IN_NO_VIEW = {"revenue_change_rate_month", "returning_buyers", "quarantined_share"}

Months = Mapping[str, float]


def months(rows: Iterable[Sequence[Any]]) -> Months:
    """Return values by month, as `yyyy-mm`; an unknown one is nan."""
    return {
        str(month)[:7]: float("nan" if value is None else value) for month, value in rows if month
    }


@dataclass(frozen=True)
class Metrics:
    """Each metric by month, by where it was computed, and by year; what validation printed."""

    marts: dict[str, Months]
    metricflow: dict[str, Months]
    by_year: dict[str, Months]
    views: dict[str, Months]
    validation: str


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A built platform of three months, the last of which no buyer has been observed for 30 days.

    Some lines break a rule.
    """
    home = Home(tmp_path_factory.mktemp("metrics"))
    files = home.folder / "files"
    home.run(
        *("generate", "--events", str(EVENTS), "--days", str(DAYS), "--dirty", "0.02"),
        *("--out", str(files)),
    )
    write(files / "buyers.csv", repeat_buyers(60))
    home.load(files)
    home.dbt("--write-json", "run")
    return home


@pytest.fixture(scope="module")
def metrics(home: Home) -> Metrics:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        marts = {name: months(connection.execute(sql).fetchall()) for name, sql in EXPECTED.items()}
    metricflow, by_year, validation = query_metricflow(home)
    return Metrics(marts, metricflow, by_year, query_views(home), validation)


def query_metricflow(home: Home) -> tuple[dict[str, Months], dict[str, Months], str]:
    """Return each metric that MetricFlow lists, by month and by year, and what validation says."""
    script = Path(__file__).parents[2] / "support" / "metricflow_runs.py"
    written = home.folder / "metrics.json"
    result = run_command(
        [sys.executable, str(script), str(written)],
        0,
        {
            "ECOMMERCE_HOME": str(home.folder),
            "DBT_TARGET_PATH": str(home.folder / "target"),
            "DBT_LOG_PATH": str(home.folder / "logs"),
        },
    )
    found = json.loads(written.read_text("utf-8"))
    by_month, by_year = (
        {name: months(times[time]) for name, times in found.items()}
        for time in ("metric_time__month", "metric_time__year")
    )
    return by_month, by_year, result.stdout


def metric_views(home: Home) -> dict[str, Any]:
    """Return the metric views by name, compiled from the text of their models."""
    texts = "\n---\n".join((VIEWS / f"{name}.sql").read_text("utf-8") for name in SOURCES)
    output = home.dbt("--quiet", "compile", "--inline", texts).stdout
    return dict(zip(SOURCES, yaml.safe_load_all(output), strict=True))


def query_views(home: Home) -> dict[str, Months]:
    """Return each measure of the metric views by month, as the loopback warehouse computes it."""
    found = {}
    with running_warehouse() as warehouse:
        for name, view in metric_views(home).items():
            table = SOURCES[name]
            assert view["source"].endswith(table)
            with duckdb.connect(str(home.database), read_only=True) as connection:
                rows = connection.sql(f"select * from {table}").to_arrow_table()
            warehouse.load(f"{CATALOG}.{table}", rows, PIPELINE)
            time, *_ = (d["expr"] for d in view["dimensions"] if "date" in d["name"])
            for measure in view["measures"]:
                sql = (
                    f"select date_trunc('month', {time}), {measure['expr']} from {table} group by 1"
                )
                answer = warehouse.execute(sql, PIPELINE, CATALOG)
                found[measure["name"]] = months(zip(*answer.to_pydict().values(), strict=True))
    return found


def test_every_metric_is_computed_in_each_way(metrics: Metrics) -> None:
    assert set(metrics.metricflow) == set(EXPECTED)
    assert set(metrics.views) == set(EXPECTED) - IN_NO_VIEW
    assert len(EXPECTED) > 20


@pytest.mark.parametrize("name", EXPECTED)
def test_a_metric_by_month_is_one_number(metrics: Metrics, name: str) -> None:
    expected = metrics.marts[name]
    assert any(expected.values())
    assert metrics.metricflow[name] == pytest.approx(expected, rel=1e-9, nan_ok=True)
    if name not in IN_NO_VIEW:
        assert metrics.views[name] == pytest.approx(expected, rel=1e-9, nan_ok=True)


def test_the_dashboard_has_each_metric_of_the_shop(home: Home, metrics: Metrics) -> None:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        rows = Tables(connection).rows("shop", "metrics_by_month")
    shown = set(rows[0]) - {"month", "is_whole"}
    # Of files there are totals, on the page Trust.
    assert shown == set(EXPECTED) - {"raw_rows", "rejected_rows", "quarantined_share"}
    for name in shown:
        values = months((row["month"], row[name]) for row in rows)
        assert values == pytest.approx(metrics.metricflow[name], rel=1e-9, nan_ok=True), name


def test_the_months_differ_in_what_could_go_wrong(metrics: Metrics) -> None:
    """A sum over days would count a buyer of two days twice, and call a month observed."""
    assert len(metrics.marts["buyers"]) == 3
    assert isnan(metrics.marts["repeat_rate_30_days"]["2019-12"])


def test_the_page_of_the_metrics_has_each_as_it_is_defined(
    home: Home, manifest: dict[str, Any]
) -> None:
    views = {
        measure["name"]: name
        for name, view in metric_views(home).items()
        for measure in view["measures"]
    }
    rows = {
        f"| `{metric['name']}` | {metric['description'].strip()} |"
        f" {'time' if metric['config']['meta']['adds_up_over'] else 'nothing'} |"
        f" {', '.join(f'`{table}`' for table in tables_of(metric, manifest))} |"
        f" {in_a_view(metric, views)} |"
        for metric in manifest["metrics"].values()
    }
    page = (CHECKOUT / "docs" / "metrics.md").read_text("utf-8")
    assert {line for line in page.splitlines() if line.startswith("| `")} == rows


def in_a_view(metric: dict[str, Any], views: Mapping[str, str]) -> str:
    reason = metric["config"]["meta"].get("in_no_metric_view")
    assert (reason is None) == (metric["name"] in views) == (metric["name"] not in IN_NO_VIEW)
    return f"none: {reason}" if reason else f"`{views[metric['name']]}`"


def tables_of(node: dict[str, Any], manifest: dict[str, Any]) -> list[str]:
    """Return the tables that a metric is computed from, by way of other metrics and models."""
    found = set()
    for name in node["depends_on"]["nodes"]:
        if parent := manifest["metrics"].get(name):
            found.update(tables_of(parent, manifest))
        else:
            found.add(manifest["semantic_models"][name]["node_relation"]["alias"])
    return sorted(found)


def test_a_metric_adds_up_over_months_if_it_says_so(
    metrics: Metrics, manifest: dict[str, Any]
) -> None:
    for metric in manifest["metrics"].values():
        name, by_month = metric["name"], metrics.metricflow[metric["name"]]
        [year] = metrics.by_year[name].values()
        adds_up = sum(by_month.values()) == pytest.approx(year, rel=1e-9)
        # What was loaded in one month adds up, whatever it is.
        if len(by_month) > 1:
            assert adds_up == (metric["config"]["meta"]["adds_up_over"] == ["metric_time"]), name


def test_the_definitions_are_valid(metrics: Metrics) -> None:
    # Of the definitions, and of models, dimensions, entities, measures and metrics in the database.
    assert metrics.validation.count("(ERRORS: 0, FUTURE_ERRORS: 0, WARNINGS: 0)") == 6
