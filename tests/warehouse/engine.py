"""The engine: Sail in this process, and tables as Delta folders, one folder per version.

A write goes to a new folder that shares the files of the old one (hard links; Delta never changes
a file). The ledger points readers to it only after the write succeeded and its constraints hold.
So a statement is one commit for every reader, and a failed one leaves no trace.
"""

import itertools
import json
import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

# Sail logs every session at level INFO to the test's standard error.
os.environ.setdefault("RUST_LOG", "error")

from pysail.spark import SparkConnectServer
from pyspark.sql import DataFrame
from pyspark.sql.connect.dataframe import DataFrame as PlannedDataFrame
from pyspark.sql.connect.plan import SQL
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType

from .errors import WarehouseError


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type without Arrow's large and view variants, which clients do not expect."""
    if pa.types.is_large_string(kind) or str(kind) == "string_view":
        return pa.string()
    if pa.types.is_large_binary(kind) or str(kind) == "binary_view":
        return pa.binary()
    return kind


def nullable(kind: DataType) -> Any:
    """Return the type with all of its parts nullable, as in a Delta table created by a query."""
    if isinstance(kind, StructType):
        return StructType([StructField(f.name, nullable(f.dataType), True) for f in kind.fields])
    if isinstance(kind, ArrayType):
        return ArrayType(nullable(kind.elementType), True)
    if isinstance(kind, MapType):
        return MapType(kind.keyType, nullable(kind.valueType), True)
    return kind


class Engine:
    """One Sail server, one Spark session and the folder that holds all tables."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="warehouse-"))
        self._server = SparkConnectServer(ip="127.0.0.1", port=0)
        self._server.start(background=True)
        self.spark = self.new_session()
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._types: dict[tuple[str, ...], list[DataType]] = {}
        self._stored: dict[str, str] = {}
        self._storing = threading.Lock()

    def new_session(self) -> SparkSession:
        """Return a Spark session that shares only the Delta folders with the others."""
        _, port = self._server.listening_address
        return (
            SparkSession.builder.remote(f"sc://127.0.0.1:{port}")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.warehouse.dir", str(self.root / "managed"))
            .create()
        )

    def stop(self) -> None:
        """Stop the server and delete all tables."""
        self.spark.stop()
        self._server.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def restore(self, folder: Path) -> None:
        """Replace all tables by those of another engine, whose root was copied to the folder."""
        shutil.rmtree(self.root)
        shutil.copytree(folder, self.root)
        numbers = [int(version.name[1:]) for version in self.root.glob("v*")]
        self._numbers = itertools.count(max(numbers, default=0) + 1)
        self._stored.clear()

    def number(self) -> int:
        """Return a new number."""
        with self._lock:
            return next(self._numbers)

    def _select(self, sql: str) -> PlannedDataFrame:
        """Return a query as a data frame; SparkSession.sql would analyze its text twice."""
        return PlannedDataFrame(SQL(sql), self.spark)

    def query(self, sql: str) -> pa.Table:
        """Run a query and return its rows."""
        try:
            # `toArrow` would analyze the query for its schema first.
            rows, _ = self._select(sql)._to_table()
        except Exception as error:
            raise engine_error(error) from error
        return rows.cast(pa.schema([(f.name, _plain(f.type)) for f in rows.schema]))

    def change(self, sql: str) -> None:
        """Run a statement that writes."""
        try:
            self.spark.sql(sql)
        except Exception as error:
            raise engine_error(error) from error

    def schema(self, sql: str) -> StructType:
        """Return the schema of a query's result without running it."""
        try:
            return self._select(sql).schema
        except Exception as error:
            raise engine_error(error) from error

    def types(self, texts: Sequence[str]) -> list[DataType]:
        """Parse types from DDL; most statements repeat those of others."""
        key = tuple(texts)
        if key and key not in self._types:
            casts = ", ".join(f"cast(null as {text}) as c{i}" for i, text in enumerate(key))
            self._types[key] = [f.dataType for f in self.schema(f"select {casts}").fields]
        return list(self._types[key]) if key else []

    def new_table(self, schema: StructType) -> str:
        """Create an empty Delta folder with nullable columns (the ledger keeps NOT NULL)."""
        folder = self.root / f"v{self.number():06d}"
        log = folder / "_delta_log"
        log.mkdir(parents=True)
        metadata = {
            "id": str(uuid.uuid4()),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": nullable(schema).json(),
            "partitionColumns": [],
            "configuration": {},
            "createdTime": 0,
        }
        actions = [
            {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
            {"metaData": metadata},
        ]
        text = "\n".join(json.dumps(action) for action in actions)
        (log / f"{0:020d}.json").write_text(text, encoding="utf-8")
        return str(folder)

    def copy_table(self, folder: str) -> str:
        """Return a new folder with the same rows, sharing the files."""
        copy = str(self.root / f"v{self.number():06d}")
        shutil.copytree(folder, copy, copy_function=os.link)
        return copy

    def stored(self, sql: str) -> str:
        """Return a folder with a query's rows; the same text reads the same versions of tables."""
        with self._storing:
            if sql not in self._stored:
                folder = self.new_table(self.schema(sql))
                self.append(folder, sql)
                self._stored[sql] = folder
            return self._stored[sql]

    def append(self, folder: str, sql: str) -> int:
        """Add a query's rows, which must have the table's types; return their number."""
        return self.append_frame(folder, self._select(sql))

    def append_frame(self, folder: str, frame: DataFrame) -> int:
        """Add a data frame's rows; return their number."""
        try:
            frame.write.format("delta").mode("append").save(folder)
        except Exception as error:
            raise engine_error(error) from error
        return self.last_commit(folder).get("numOutputRows", 0)

    def frame(self, rows: pa.Table) -> DataFrame:
        """Return Arrow rows as a data frame, with their schema even if there are no rows."""
        if rows.num_rows:
            return self.spark.createDataFrame(rows)
        schema = from_arrow_schema(rows.schema, prefer_timestamp_ntz=True)
        return self.spark.createDataFrame([], schema)

    def versions(self, folder: str) -> int:
        """Return the number of commits in a Delta folder."""
        return sum(1 for _ in (Path(folder) / "_delta_log").glob("*.json"))

    def last_commit(self, folder: str) -> dict[str, int]:
        """Return the counts of the last commit, from Delta's log."""
        last = max((Path(folder) / "_delta_log").glob("*.json"))
        for line in last.read_text(encoding="utf-8").splitlines():
            metrics = json.loads(line).get("commitInfo", {}).get("operationMetrics")
            if metrics is not None:
                return {name: int(value) for name, value in metrics.items()}
        return {}

    def register(self, name: str, rows: pa.Table) -> None:
        """Register Arrow rows under a name that must be unique."""
        self.frame(rows).createOrReplaceTempView(name)

    def unregister(self, name: str) -> None:
        """Unregister a name of `register`."""
        self.spark.catalog.dropTempView(name)


def engine_error(error: Exception) -> WarehouseError:
    """Return Sail's error under its own error class, or under ENGINE_ERROR."""
    if isinstance(error, WarehouseError):
        return error
    text = str(error).strip()
    if text.startswith("[") and "]" in text:
        error_class, _, message = text[1:].partition("]")
        return WarehouseError(error_class, message.strip())
    return WarehouseError("ENGINE_ERROR", f"{type(error).__name__}: {text}")


def folder_sql(folder: str) -> str:
    """Return the SQL name of a Delta folder."""
    return f"delta.`{folder}`"


def reads_files(sql: str) -> bool:
    """Return whether a query for the engine reads a Delta folder."""
    return folder_sql("")[:-1] in sql
