"""Metrics are read from the yml of the semantic layer, and say how gold gives them."""

from __future__ import annotations

from pathlib import Path

from assistant.metrics import read_metrics

YML = """
semantic_models:
  - name: sales
    model: ref('daily_sales_summary')
    defaults: {agg_time_dimension: sales_date}
    dimensions:
      - {name: sales_date, type: time, expr: event_date, type_params: {time_granularity: day}}
    measures:
      - {name: day_revenue, agg: sum, expr: revenue}
      - {name: orders, agg: sum}
metrics:
  - name: revenue
    label: Revenue
    description: >
      What the
      shop sold.
    type: simple
    type_params: {measure: day_revenue}
    config: {meta: {adds_up_over: [metric_time]}}
  - name: orders
    type: simple
    type_params: {measure: {name: orders}}
  - name: average_order_value
    type: ratio
    type_params: {numerator: revenue, denominator: {name: orders}}
    config: {meta: {adds_up_over: []}}
  - name: growth
    type: derived
    type_params:
      expr: revenue - before
      metrics: [revenue, {name: revenue, offset_window: 1 month, alias: before}]
"""


def test_metrics_are_described(tmp_path: Path) -> None:
    (tmp_path / "models" / "metrics").mkdir(parents=True)
    (tmp_path / "models" / "metrics" / "sales.yml").write_text(YML)
    metrics = {metric["name"]: metric for metric in read_metrics(tmp_path)}
    assert list(metrics) == ["average_order_value", "growth", "orders", "revenue"]
    assert metrics["revenue"] == {
        "name": "revenue",
        "label": "Revenue",
        "description": "What the shop sold.",
        "formula": "sum(revenue) of gold_layer.daily_sales_summary, by event_date",
        "adds_up_over_time": True,
    }
    assert metrics["orders"]["formula"].startswith("sum(orders) of ")
    assert metrics["orders"]["adds_up_over_time"] is None
    assert metrics["average_order_value"]["formula"] == "revenue / orders"
    assert metrics["average_order_value"]["adds_up_over_time"] is False
    assert metrics["growth"]["formula"] == "revenue - before; before is revenue 1 month before"
