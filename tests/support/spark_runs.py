"""Runs SQL that the unmodified adapter compiled for target dev, in Spark on the JVM."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from support.auto_loader_runs import require_java, start_spark
from support.databricks_clauses import CLAUSES, Clause
from support.databricks_runs import CATALOG

# Temporary views share one database in Spark, so only the last part names a relation.
_RELATION: Final = re.compile(
    rf"(?:`{CATALOG}`\.`\w+`|(?<![.\w])(?:\w+_layer|system\.\w+))\.(?=[`\w])"
)
_DATABASE: Final = "global_temp."


@contextmanager
def jvm_spark(folder: Path) -> Iterator[SparkSession]:
    """Start a classic session in ANSI mode, the default on Databricks. Times are in UTC."""
    require_java()
    spark = start_spark(folder)
    # Each source would be read by as many tasks as there are processors, for a few rows.
    spark.conf.set("spark.sql.leafNodeDefaultParallelism", 1)
    spark.conf.set("spark.sql.ansi.enabled", True)
    # Letters in lower case are compared with those of other engines.
    spark.conf.set("spark.sql.icu.caseMappings.enabled", True)
    # Rejected statements are expected here, and each would log a stack trace.
    logging.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    try:
        yield spark
    finally:
        spark.stop()


@dataclass(frozen=True)
class Compiled:
    """A node as dbt compiled it."""

    kind: str
    name: str
    language: str
    code: str
    config: dict[str, Any]

    def reads(self) -> set[str]:
        """Return the names of the relations in the code."""
        return set(re.findall(rf"`{CATALOG}`\.`\w+`\.`(\w+)`", self.code))


def compiled(target: Path) -> list[Compiled]:
    """Return the nodes that the last dbt command compiled, in order of dependency."""
    nodes = json.loads((target / "manifest.json").read_text("utf-8"))["nodes"]
    needs = {key: node["depends_on"]["nodes"] for key, node in nodes.items()}
    fields = ("resource_type", "name", "language", "compiled_code", "config")
    return [
        Compiled(*(nodes[key][field] for field in fields))
        for key in TopologicalSorter(needs).static_order()
        if key in nodes and nodes[key].get("compiled_code")
    ]


_CAST: Final = r"cast\((?:'(?:[^'\\]|\\.)*'|[^'()]*?) as [^'()]+?(?:\([\d, ]+\))?\)"
_CELL: Final = rf"{_CAST}\s+as `\w+`"
_FIXTURE_ROW: Final = rf"select {_CELL}(?:, {_CELL})*"
_FIXTURE: Final = re.compile(rf"{_FIXTURE_ROW}(?:\s+union all\s+{_FIXTURE_ROW})*")


def with_values(unit_test: str) -> str:
    """Return the query of a unit test with the rows that dbt wrote for it as `values`.

    Of a union of selects, Spark would resolve, optimize and run each.
    """
    return _FIXTURE.sub(_as_values, unit_test)


def _as_values(fixture: re.Match[str]) -> str:
    cell = re.compile(rf"({_CAST})\s+as (`\w+`)")
    rows = [cell.findall(row) for row in re.findall(_FIXTURE_ROW, fixture[0])]
    values = ", ".join(f"({', '.join(value for value, _ in row)})" for row in rows)
    names = ", ".join(name for _, name in rows[0])
    return f"select * from values {values} as fixture ({names})"


class SparkTarget:
    """The relations of target dev as global temporary views of a Spark session."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self._rows: dict[str, pa.Table] = {}

    def analyze(self, sql: str) -> DataFrame:
        """Parse and analyze a query in Spark; only names of relations are changed."""
        return self.spark.sql(_RELATION.sub(_DATABASE, sql))

    def query(self, sql: str) -> pa.Table:
        """Rows of a query."""
        return self.analyze(sql).toArrow()

    def read(self, table: str, columns: Sequence[str]) -> pa.Table:
        """Return the rows of a relation, as they are stored."""
        return self._rows[table.rpartition(".")[2]].select(columns)

    def store(self, relation: str, rows: pa.Table) -> None:
        """Replace the rows of a relation."""
        self._rows[relation] = rows
        self.spark.createDataFrame(rows).coalesce(1).createOrReplaceGlobalTempView(relation)

    def stored(self, relation: str) -> DataFrame | None:
        """Return the rows of a relation, None before it is built."""
        name = _DATABASE + relation
        return self.spark.table(name) if self.spark.catalog.tableExists(name) else None

    def build(self, node: Compiled) -> None:
        """Run a model, and apply its rows as its strategy does."""
        new = self._python(node.code) if node.language == "python" else self.analyze(node.code)
        strategy, kept = node.config["incremental_strategy"], self.stored(node.name)
        if node.config["materialized"] == "view" or strategy == "full_replace" or kept is None:
            rows = new
        elif strategy == "append":
            rows = kept.unionByName(new)
        else:
            key = node.config["unique_key"]
            rows = _UPDATES[strategy](kept, new, [key] if isinstance(key, str) else key)
        self.store(node.name, rows.toArrow())

    def snapshot(self, name: str, statement: str) -> None:
        """Run the query of a snapshot's `create ... as` unchanged, and add its new rows."""
        [query] = re.findall(r"\bas\s+((?:select|with)\b.*)", statement, re.DOTALL)
        rows, kept = self.analyze(query), self.stored(name)
        if kept is not None:
            inserted = rows.where("dbt_change_type = 'insert'").select(kept.columns)
            rows = kept.unionByName(inserted)
        self.store(name, rows.toArrow())

    def _python(self, code: str) -> DataFrame:
        """Run the notebook of a Python model."""
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(code, "<python model>", "exec"), names)

        def table(relation: str) -> DataFrame:
            return self.spark.table(_RELATION.sub(_DATABASE, relation))

        frame: DataFrame = names["model"](names["dbtObj"](table), self.spark)
        return frame


def _replace_keys(kept: DataFrame, new: DataFrame, keys: list[str]) -> DataFrame:
    return kept.join(new.select(keys), keys, "left_anti").unionByName(new)


def _insert_missing(kept: DataFrame, new: DataFrame, keys: list[str]) -> DataFrame:
    return kept.unionByName(new.join(kept.select(keys), keys, "left_anti"))


def _accumulate(kept: DataFrame, new: DataFrame, keys: list[str]) -> DataFrame:
    counts = [name for name in kept.columns if name not in (*keys, "_batch_id")]
    sums = [F.sum(name).cast(kept.schema[name].dataType).alias(name) for name in counts]
    rows = kept.unionByName(new).groupBy(keys).agg(*sums, F.max("_batch_id").alias("_batch_id"))
    return rows.where(" or ".join(f"{name} <> 0" for name in counts)).select(kept.columns)


_UPDATES: Final = {
    "replace_keys": _replace_keys,
    "insert_missing": _insert_missing,
    "accumulate": _accumulate,
}


def parse_error(spark: SparkSession, statement: str) -> str:
    """Return the error of Spark's parser for a statement, empty if it parses."""
    try:
        spark._jsparkSession.sessionState().sqlParser().parsePlan(statement)
    except PySparkException as error:
        return str(error)
    return ""


def parse_without_clauses(spark: SparkSession, statement: str) -> tuple[set[Clause], str]:
    """Return clauses that only Databricks has, and the parser's error for the rest."""
    error = parse_error(spark, statement)
    if not error:
        return set(), ""
    found, rest = set(), statement
    for clause in CLAUSES:
        rest, times = re.subn(clause.pattern, "", rest, flags=re.IGNORECASE | re.DOTALL)
        if times:
            found.add(clause)
    # A statement that is only such a clause leaves its comment.
    is_empty = not re.sub(r"/\*.*?\*/", "", rest, flags=re.DOTALL).strip()
    return found, "" if is_empty else parse_error(spark, rest)
