"""The Auto Loader job on Spark's own file source, with stand-ins for the workspace."""

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
    # Not through the environment, which Spark's workers would inherit.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ingestion import auto_loader, bronze
from ingestion.load_report import LoadReport
from ingestion.local_loader import load

CATALOG = "spark_catalog"
TABLE = f"`{CATALOG}`.{bronze.EVENTS}"


def require_java() -> None:
    """Without Java, skip the test; in continuous integration, fail it."""
    if shutil.which("java") or (Path(os.environ.get("JAVA_HOME", "")) / "bin" / "java").is_file():
        return
    message = "Spark on the JVM needs Java 17: install it, or set JAVA_HOME"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def start_spark(warehouse: Path) -> SparkSession:
    """Start a small session in UTC; its catalog lives as long as the process."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # Short runs end before optimizing compilers and code generation pay off. The code of the quick
    # compiler would fill its default cache.
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
    """Create the schema and register the table of an earlier process, as a metastore would."""
    spark.sql(f"create schema if not exists {CATALOG}.{bronze.SCHEMA}")
    files = warehouse / f"{bronze.SCHEMA}.db" / "events_raw"
    if files.exists():
        create = auto_loader.create_statement(TABLE, "binaryFile")
        spark.sql(f"{create} location '{files}'")


def stream_rows(spark: SparkSession) -> Counter[str]:
    """Return the job's rows without `_ingested_at`; Spark reads only what its sink committed."""
    return counted(spark.table(TABLE).drop("_ingested_at").toArrow())


def local_rows(landing: Path, database: Path) -> tuple[LoadReport, Counter[str]]:
    """Load with the local loader, and return its report and its rows without `_ingested_at`."""
    report = load(landing, database)
    with duckdb.connect(str(database), read_only=True) as connection:
        query = f"select * exclude _ingested_at from {bronze.EVENTS}"
        return report, counted(connection.sql(query).to_arrow_table())


def counted(table: pa.Table) -> Counter[str]:
    """Count the rows of a table without `_ingested_at`, as text."""
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
