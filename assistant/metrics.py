"""The metrics of the project, as its yml defines them for dbt's semantic layer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypedDict

from export.gold import SCHEMA, declared
from project.home import CHECKOUT

_REF: Final = re.compile(r"""ref\(['"](\w+)['"]\)""")


class Metric(TypedDict):
    """A metric in words, and how gold gives it."""

    name: str
    label: str
    description: str
    formula: str
    """A sum over a table of gold, or a computation with other metrics."""
    adds_up_over_time: bool | None
    """Whether a sum over periods is the metric of them all; null if the yml does not say."""


def read_metrics(project: Path = CHECKOUT) -> list[Metric]:
    """Return the metrics that the yml of a project defines, in order of name."""
    contents = list(declared(project))
    measures = {
        measure["name"]: _formula(model, measure)
        for content in contents
        for model in content.get("semantic_models") or []
        for measure in model.get("measures") or []
    }
    found = [
        _metric(metric, measures) for content in contents for metric in content.get("metrics") or []
    ]
    return sorted(found, key=lambda metric: metric["name"])


def _formula(model: Mapping[str, Any], measure: Mapping[str, Any]) -> str:
    table = _REF.search(model["model"])
    source = f"{SCHEMA}.{table[1]}" if table else model["model"]
    times = {
        dimension["name"]: dimension.get("expr", dimension["name"])
        for dimension in model.get("dimensions") or []
        if dimension["type"] == "time"
    }
    time = measure.get("agg_time_dimension") or (model.get("defaults") or {}).get(
        "agg_time_dimension"
    )
    by = f", by {times[time]}" if time in times else ""
    return f"{measure['agg']}({measure.get('expr', measure['name'])}) of {source}{by}"


def _metric(metric: Mapping[str, Any], measures: Mapping[str, str]) -> Metric:
    config = metric.get("config") or {}
    adds_up_over = (config.get("meta") or metric.get("meta") or {}).get("adds_up_over")
    return {
        "name": metric["name"],
        "label": metric.get("label") or metric["name"],
        "description": " ".join((metric.get("description") or "").split()),
        "formula": _definition(metric["type"], metric["type_params"], measures),
        "adds_up_over_time": None if adds_up_over is None else "metric_time" in adds_up_over,
    }


def _definition(kind: str, given: Mapping[str, Any], measures: Mapping[str, str]) -> str:
    if kind == "ratio":
        return f"{_name(given['numerator'])} / {_name(given['denominator'])}"
    if kind == "derived":
        shifted = [
            f"{metric.get('alias', metric['name'])} is {metric['name']} {metric['offset_window']}"
            " before"
            for metric in given.get("metrics") or []
            if isinstance(metric, dict) and "offset_window" in metric
        ]
        return "; ".join([given["expr"], *shifted])
    measure = _name(given["measure"])
    return measures.get(measure, measure)


def _name(reference: Any) -> str:
    return str(reference["name"] if isinstance(reference, dict) else reference)
