"""The job that puts data quality monitors on marts that lack one.

The bundle runs this file as a script, where its variable `data_quality_monitoring` allows it. It
cannot declare these monitors itself (docs/decisions/0029-what-is-watched.md).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if __name__ == "__main__":
    # Python adds a script's folder to the path, not its parent; not every runner sets __file__.
    sys.path[:0] = [word.removeprefix("--code=") for word in sys.argv if word.startswith("--code=")]

from project.arguments import Parser, nonempty_text
from project.output import guarded, show
from workspace.client import connect, translate_errors

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.dataquality import Monitor

# Marts by day without personal columns: the profile of a personal one would be a copy of it.
MARTS: Final = ("category_brand_days", "conversion_funnel", "daily_sales_summary")
DAY: Final = "event_date"
# What the monitors write is not for the readers of gold, whose schema shows marts only.
_OUTPUT: Final = "intermediate_layer"
# UTC, after the daily run.
_SCHEDULE: Final = "0 0 7 * * ?"


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the job's parameters."""
    parser = Parser(prog="monitors.py", description=__doc__)
    parser.add_argument(
        "--code", metavar="FOLDER", help="folder of the packages, which the script cannot know"
    )
    parser.add_argument("--catalog", type=nonempty_text, required=True, help="catalog of the marts")
    parser.add_argument(
        "--warehouse-id", type=nonempty_text, required=True, help="SQL warehouse of the dashboards"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Create what is missing, print a line per mart and return the exit code."""
    return guarded(lambda: _execute(argv))


def _execute(argv: Sequence[str] | None) -> int:
    arguments = build_parser().parse_args(argv)
    client = connect()
    for mart in MARTS:
        table = f"{arguments.catalog}.gold_layer.{mart}"
        with translate_errors(
            table,
            forbidden="run as the owner of the table, with USE SCHEMA and CREATE TABLE on"
            f" {arguments.catalog}.{_OUTPUT}",
            missing="run full_pipeline_job, which builds it; if the table is there, the workspace"
            " has no data quality monitoring: set data_quality_monitoring to false",
        ):
            is_new = _monitor(client, arguments.catalog, table, arguments.warehouse_id)
        show(f"{table}: {'monitored from now on' if is_new else 'has a monitor'}")
    return 0


def _monitor(client: WorkspaceClient, catalog: str, table: str, warehouse_id: str) -> bool:
    """Create the monitor of a table unless it has one; return whether it is new."""
    from databricks.sdk.errors import NotFound

    # A full refresh makes a new table, with a new id and without a monitor.
    table_id = str(client.tables.get(table).table_id)
    try:
        client.data_quality.get_monitor("table", table_id)
    except NotFound:
        output = client.schemas.get(f"{catalog}.{_OUTPUT}")
        client.data_quality.create_monitor(_by_day(table_id, str(output.schema_id), warehouse_id))
        return True
    return False


def _by_day(table_id: str, output_schema_id: str, warehouse_id: str) -> Monitor:
    from databricks.sdk.service.dataquality import (
        AggregationGranularity,
        CronSchedule,
        DataProfilingConfig,
        Monitor,
        TimeSeriesConfig,
    )

    by_day = TimeSeriesConfig(
        timestamp_column=DAY,
        granularities=[AggregationGranularity.AGGREGATION_GRANULARITY_1_DAY],
    )
    profiling = DataProfilingConfig(
        output_schema_id=output_schema_id,
        time_series=by_day,
        schedule=CronSchedule(quartz_cron_expression=_SCHEDULE, timezone_id="UTC"),
        warehouse_id=warehouse_id,
    )
    return Monitor(object_type="table", object_id=table_id, data_profiling_config=profiling)


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
