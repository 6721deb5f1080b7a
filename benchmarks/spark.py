"""Runs the models on local PySpark: `python -m benchmarks.spark FOLDER WORK`. Prints its steps.

The SQL is what dbt compiles for target dev, with other names of relations; every table is written
to parquet files, as on Databricks.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from dbt.adapters.base.meta import available
from dbt.adapters.databricks.impl import DatabricksAdapter
from dbt.cli.main import dbtRunner
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from ingestion.event_schema import PUBLISHED_COLUMNS

_RELATION: Final = re.compile(r"(?:`\w+`\.)?(?:`?\w+_layer`?)\.`?(\w+)`?")
# The same memory as DuckDB.
_SETTINGS: Final = {
    "spark.driver.memory": "8g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "16",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def compiled_models(work: Path) -> list[dict[str, Any]]:
    """Return the models as dbt compiles them for target dev, in order of dependency."""

    def no_relation(*_: Any, **__: Any) -> None:
        """Return no relation: none is built yet, and there is no workspace."""

    target = work / "target"
    os.environ |= {
        "DATABRICKS_HOST": "workspace.invalid",
        "DATABRICKS_HTTP_PATH": "/sql/1.0/warehouses/none",
        "DATABRICKS_TOKEN": "none",
        "DBT_TARGET_PATH": str(target),
        "DBT_LOG_PATH": str(work / "logs"),
    }
    with patch.object(DatabricksAdapter, "get_relation", available(no_relation)):
        result = dbtRunner().invoke(
            ["-q", "compile", "--no-introspect", "--no-populate-cache", "--target", "dev",
             "--select", "resource_type:model"]
        )  # fmt: skip
    if not result.success:
        raise SystemExit(f"dbt cannot compile for target dev: {result.exception}")
    nodes = json.loads((target / "manifest.json").read_text("utf-8"))["nodes"]
    order = TopologicalSorter({key: n["depends_on"]["nodes"] for key, n in nodes.items()})
    return [
        nodes[key]
        for key in order.static_order()
        if key in nodes and nodes[key]["resource_type"] == "model"
    ]


def run(folder: Path, work: Path) -> list[tuple[str, float, float]]:
    """Build every table below `work`; returns name, start and end (Unix seconds) of each step."""
    models = compiled_models(work)
    spark = SparkSession.builder.master("local[2]").config(map=dict(_SETTINGS)).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    times = []
    start = time.time()
    _save(spark, "events_raw", _landed(spark, folder), work)
    times.append(("load", start, time.time()))
    for model in models:
        start = time.time()
        rows = _rows(spark, model)
        if model["config"]["materialized"] == "view":
            rows.createOrReplaceTempView(model["name"])
        else:
            _save(spark, model["name"], rows, work)
        times.append((model["name"], start, time.time()))
    spark.stop()
    return times


def _landed(spark: SparkSession, folder: Path) -> DataFrame:
    schema = ", ".join(f"{column.name} {column.sql_type}" for column in PUBLISHED_COLUMNS)
    files = spark.read.csv(
        str(folder), schema=schema, header=True, timestampFormat="yyyy-MM-dd HH:mm:ss 'UTC'"
    )
    return files.select(
        "*",
        f.lit(None).cast("string").alias("_rescued_data"),
        f.input_file_name().alias("_source_file"),
        f.current_timestamp().alias("_ingested_at"),
    )


def _rows(spark: SparkSession, model: dict[str, Any]) -> DataFrame:
    if model["language"] == "sql":
        return spark.sql(_RELATION.sub(r"\1", model["compiled_code"]))
    names: dict[str, Any] = {"__name__": "model"}
    exec(compile(model["compiled_code"], model["name"], "exec"), names)

    def table(relation: str) -> DataFrame:
        return spark.table(_RELATION.sub(r"\1", relation))

    frame: DataFrame = names["model"](names["dbtObj"](table), spark)
    return frame


def _save(spark: SparkSession, name: str, rows: DataFrame, work: Path) -> None:
    path = str(work / name)
    rows.write.parquet(path)
    spark.read.parquet(path).createOrReplaceTempView(name)


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]))))
