"""The Auto Loader job on Spark's own file source, and what stands for the workspace around it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ingestion import auto_loader, bronze

CATALOG = "spark_catalog"
TABLE = f"`{CATALOG}`.{bronze.EVENTS}"


def require_java() -> None:
    """Fail in continuous integration, skip elsewhere, where there is no Java."""
    if shutil.which("java") or (Path(os.environ.get("JAVA_HOME", "")) / "bin" / "java").is_file():
        return
    message = "Spark on the JVM needs Java 17: install it, or set JAVA_HOME"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def start_spark(warehouse: Path) -> SparkSession:
    """Start a small session in UTC; its catalog lives as long as the process."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(warehouse),
    }
    spark = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def remember_table(spark: SparkSession, warehouse: Path) -> None:
    """Make the schema and, as a metastore would, the table of an earlier process."""
    spark.sql(f"create schema if not exists {CATALOG}.{bronze.SCHEMA}")
    files = warehouse / f"{bronze.SCHEMA}.db" / "events_raw"
    if files.exists():
        create = auto_loader.create_statement(TABLE, "binaryFile")
        spark.sql(f"{create} location '{files}'")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    remember_table(start_spark(folder), folder)
    print("ready", flush=True)
    sys.exit(auto_loader.main(sys.argv[2:], source_format="binaryFile"))
