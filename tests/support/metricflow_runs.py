"""Writes each metric of MetricFlow by month and year, and validates all, in a process of its own.

MetricFlow keeps the database open, and imports for two seconds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dbt_metricflow.cli.cli_configuration import CLIConfiguration
from dbt_metricflow.cli.main import cli
from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

from project.home import CHECKOUT, home


def main() -> None:
    """Write the rows of each metric by month and by year, then print what validation finds."""
    # MetricFlow finds what dbt wrote in the folder `target` beside the project's file only.
    for name in ("dbt_project.yml", "profiles.yml"):
        (home() / name).symlink_to(CHECKOUT / name)
    configuration = CLIConfiguration()
    configuration.setup(home(), home(), configure_file_logging=False)
    engine = configuration.mf
    found: dict[str, dict[str, Any]] = {}
    for metric in engine.list_metrics():
        for time in ("metric_time__month", "metric_time__year"):
            request = MetricFlowQueryRequest.create(
                metric_names=[metric.name], group_by_names=[time], order_by_names=[time]
            )
            table = engine.query(request).result_df
            assert table, metric.name
            rows = [[str(at), value] for at, value in table.rows]
            found.setdefault(metric.name, {})[time] = rows
    Path(sys.argv[1]).write_text(json.dumps(found), encoding="utf-8")
    cli(["validate-configs"], obj=configuration)


if __name__ == "__main__":
    main()
