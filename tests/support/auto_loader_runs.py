"""The Auto Loader job on Spark's own file source, and what stands for the workspace around it."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

if __name__ == "__main__":
    # Not by the environment: Spark's workers would inherit that, and must do without.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ingestion import auto_loader, bronze
from ingestion.load_report import LoadReport
from ingestion.local_loader import load

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
    # Short runs end before what the optimizing compilers and code generation do pays off.
    # The quick compiler's code fills the cache that it gets by default.
    os.environ["JDK_JAVA_OPTIONS"] = (
        "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
    )
    settings: dict[str, bool | float | int | str | None] = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.warehouse.dir": str(warehouse),
    }
    spark = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def remember_table(spark: SparkSession, warehouse: Path) -> None:
    """Make the schema and, as a metastore would, know the table of an earlier process."""
    spark.sql(f"create schema if not exists {CATALOG}.{bronze.SCHEMA}")
    files = warehouse / f"{bronze.SCHEMA}.db" / "events_raw"
    if files.exists():
        create = auto_loader.create_statement(TABLE, "binaryFile")
        spark.sql(f"{create} location '{files}'")


def stream_rows(spark: SparkSession) -> Counter[str]:
    """Rows of the job's table without `_ingested_at`; Spark honours its sink's own log."""
    return counted(spark.table(TABLE).drop("_ingested_at").toArrow())


def local_rows(landing: Path, database: Path) -> tuple[LoadReport, Counter[str]]:
    """Load the folder with the local loader; its report and rows without `_ingested_at`."""
    report = load(landing, database)
    with duckdb.connect(str(database), read_only=True) as connection:
        query = f"select * exclude _ingested_at from {bronze.EVENTS}"
        return report, counted(connection.sql(query).to_arrow_table())


def counted(table: pa.Table) -> Counter[str]:
    """Rows of a table without `_ingested_at` as text, and how often each is there."""
    position = table.column_names.index("event_time")
    naive = table.column(position).cast(pa.timestamp("us"))
    columns = table.set_column(position, "event_time", naive).to_pydict()
    # As text, because NaN is not equal to itself.
    rows = zip(*columns.values(), strict=True)
    return Counter(repr(dict(zip(columns, row, strict=True))) for row in rows)


def main() -> int:
    """Run the job once, in a catalog whose warehouse is the first argument."""
    warehouse = Path(sys.argv[1])
    remember_table(start_spark(warehouse), warehouse)
    print("ready", flush=True)
    return auto_loader.main(sys.argv[2:], source_format="binaryFile")


if __name__ == "__main__":
    sys.exit(main())
