"""The Auto Loader job on Spark's own file source, with stand-ins for the workspace."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pyspark
from pyspark.sql import SparkSession

if __name__ == "__main__":
    # Not through the environment, which the job would inherit.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ingestion import auto_loader, bronze
from ingestion.load_report import LoadReport
from ingestion.local_loader import load
from support.dirty_files import HEADER, Lines
from support.prerequisites import missing

CACHE: Final = Path(__file__).resolve().parents[2] / ".pytest_cache" / "d" / "spark"
# Short runs end before optimizing compilers pay off. The code of the quick compiler would fill its
# default cache.
QUICK_START: Final = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
# As for code that is generated for each query, for plans that are improved time and again or while
# they run, for checks of the optimizer itself, and for a table of all letters in title case, which
# `lower` would need a second for.
QUICK_QUERIES: Final = {
    "spark.sql.lightweightPlanChangeValidation": "false",
    "spark.sql.optimizer.maxIterations": "2",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.icu.caseMappings.enabled": "false",
}
CATALOG = "spark_catalog"
TABLE = f"`{CATALOG}`.{bronze.EVENTS}"


def java() -> str | None:
    """Return the program that Spark starts, None without Java."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which(Path(home, "bin", "java") if home else "java")


def require_java() -> None:
    """Without Java, skip the test; in continuous integration, fail it."""
    if java():
        return
    missing("Spark on the JVM needs Java 17: install it, or set JAVA_HOME")


def class_data() -> str:
    """Return the JVM option that maps Spark's classes from an archive instead of parsing them.

    Loading them is half of a short job. The archive belongs to one Java and one Spark, and takes 20
    seconds to make: `make` does it with the installation, and pytest's cache keeps it.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    installed = (Path(java() or "").resolve(), Path(pyspark.__file__))
    archive = CACHE / f"{'-'.join(str(file.stat().st_mtime_ns) for file in installed)}.jsa"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            for old in CACHE.glob("*.jsa"):
                old.unlink()
            _make_class_archive(archive)
    # Silent, because Java writes warnings to the output that a test reads.
    return f'"-XX:SharedArchiveFile={archive}" -Xlog:disable'


def _make_class_archive(archive: Path) -> None:
    """Run the job on one file, and keep the classes that it loaded."""
    unfinished = archive.with_suffix(".unfinished")
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "landing").mkdir()
        (folder / "landing" / "a.csv").write_text(f"{HEADER}\n{Lines().line()}\n")
        option = f'--class-data="-XX:ArchiveClassesAtExit={unfinished}" -Xlog:disable'
        command = job_command(folder, folder / "landing", option, f"--rows={folder}/rows")
        # The JVM writes the archive after the end of Python; this waits for both to close a pipe.
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    unfinished.rename(archive)


def start_spark(warehouse: Path, classes: str | None = None) -> SparkSession:
    """Start a small session in UTC; its catalog lives as long as the process.

    `classes` is the JVM option about the archive of `class_data`, which is used without it.
    """
    # Clients of Spark Connect get no worker of Python: those of classic sessions are named below.
    os.environ["PYSPARK_PYTHON"] = "/no/python"
    os.environ["JDK_JAVA_OPTIONS"] = QUICK_START
    settings: dict[str, bool | float | int | str | None] = {
        "spark.driver.extraJavaOptions": classes or class_data(),
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.showConsoleProgress": "false",
        "spark.connect.grpc.binding.port": "0",
        "spark.sql.warehouse.dir": str(warehouse),
        # With checksum files, Hadoop starts twice as many programs (chmod, readlink) for each file.
        "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        "spark.hadoop.fs.AbstractFileSystem.file.impl": "org.apache.hadoop.fs.local.RawLocalFs",
        **QUICK_QUERIES,
    }
    spark = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    spark.sparkContext.pythonExec = sys.executable
    spark.sparkContext.setLogLevel("OFF")
    return spark


@contextmanager
def connect_server(spark: SparkSession) -> Iterator[str]:
    """Serve Spark Connect from the JVM of a session, which takes long to start; yield its URL."""
    jvm: Any = spark.sparkContext._jvm
    package = jvm.org.apache.spark.sql.connect.service
    service = getattr(getattr(package, "SparkConnectService$"), "MODULE$")
    service.start(spark.sparkContext._jsc.sc())
    try:
        yield f"sc://127.0.0.1:{service.localPort()}"
    finally:
        nothing = jvm.scala.Option.empty()
        service.stop(nothing, nothing)


def remember_table(spark: SparkSession, warehouse: Path) -> None:
    """Create the schema and register the table of an earlier process, as a metastore would."""
    spark.sql(f"create schema if not exists {CATALOG}.{bronze.SCHEMA}")
    files = warehouse / f"{bronze.SCHEMA}.db" / "events_raw"
    if files.exists():
        create = auto_loader.create_statement(TABLE, "text")
        spark.sql(f"{create} location '{files}'")


def stream_table(spark: SparkSession) -> pa.Table:
    """Return the job's rows without `_ingested_at`; Spark reads only what its sink committed."""
    return spark.table(TABLE).drop("_ingested_at").toArrow()


def stream_rows(spark: SparkSession) -> Counter[str]:
    """Count the job's rows without `_ingested_at`."""
    return counted(stream_table(spark))


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


def job_command(warehouse: Path, landing: Path, *options: str) -> list[str]:
    """Return the command that runs the job in a process of its own, with `main`'s options."""
    command = [sys.executable, __file__, str(warehouse), *options, "--catalog", CATALOG]
    paths = ["--source", str(landing), "--checkpoint", str(warehouse / "checkpoint")]
    return [*command, *paths, "--max-files-per-trigger", "1"]


def main() -> int:
    """Run the job once, in a catalog of its own, with one file per micro-batch."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("warehouse", type=Path, help="folder of the catalog's tables")
    parser.add_argument("--rows", help="file for the table's rows, without _ingested_at")
    parser.add_argument("--class-data", help="option of the JVM instead of class_data's")
    args, job_arguments = parser.parse_known_args()
    spark = start_spark(args.warehouse, args.class_data)
    remember_table(spark, args.warehouse)
    print("ready", flush=True)
    code = auto_loader.main(job_arguments, source_format="text")
    if args.rows:
        pyarrow.parquet.write_table(stream_table(spark), args.rows)
    return code


if __name__ == "__main__":
    sys.exit(main())
