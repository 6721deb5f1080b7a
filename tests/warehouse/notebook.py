"""Runs the notebook of a dbt Python model in this process, on a separate Spark session."""

import os
import re

from pyspark.sql.connect.session import SparkSession

from .context import Context
from .ddl import adopt
from .engine import folder_sql
from .ledger import Key
from .sql_text import Cursor, quote

_WRITES = re.compile(r"""saveAsTable\(\s*["']([^"']+)["']\s*\)""")


def run(ctx: Context, source: str) -> None:
    """Run a notebook as the context's principal.

    Tables named in its text are readable under their names, as the principal sees them; tables
    that it saves are adopted when it ends.
    """
    written = [ctx.key(Cursor(name).name()) for name in _WRITES.findall(source)]
    # By schema and name: "orders" alone may be a word of the source, and a table that is replaced.
    named = [
        key
        for key in list(ctx.ledger.relations)
        if re.search(rf"\b{key[1]}`?[.]`?{key[2]}\b", source.lower()) and key not in written
    ]
    spark = _session(ctx, [*written, *named])
    try:
        for key in named:
            folder = _readable_folder(ctx, key)
            spark.sql(f"create table {quote(key)} using delta location '{folder}'").toArrow()
        # pandas on Spark looks the session up.
        type(spark)._set_default_and_active_session(spark)
        exec(compile(source, "<notebook>", "exec"), {"spark": spark, "__name__": "__main__"})
        for key in written:
            adopt(ctx, key, spark.table(quote(key)))
    finally:
        ctx.clean_up()
        spark.stop()


def _readable_folder(ctx: Context, key: Key) -> str:
    """Return a Delta folder with the rows of a relation that the principal sees."""
    sql = ctx.rewrite(f"select * from {quote(key)}")
    folder = ctx.ledger.relation(key).folder
    if folder and sql.startswith(f"select * from {folder_sql(folder)} as"):
        return folder
    shown = ctx.engine.new_table(ctx.engine.schema(sql))
    ctx.engine.append(shown, sql)
    return shown


def _session(ctx: Context, keys: list[Key]) -> SparkSession:
    """Return a Spark session that has the catalogs and schemas of the keys."""
    catalogs = sorted({key[0] for key in keys} | {ctx.catalog})
    listed = ",".join(
        f'{{name="{name}", type="memory", initial_database=["default"], '
        'initial_database_comment=""}'
        for name in catalogs
    )
    # Sail reads its catalogs from the environment when a session begins.
    os.environ["SAIL_CATALOG__LIST"] = f"[{listed}]"
    os.environ["SAIL_CATALOG__DEFAULT_CATALOG"] = catalogs[0]
    try:
        spark = ctx.engine.new_session()
        for schema in sorted({key[:2] for key in keys}):
            spark.sql(f"create schema if not exists {quote(schema)}").toArrow()
    finally:
        del os.environ["SAIL_CATALOG__LIST"], os.environ["SAIL_CATALOG__DEFAULT_CATALOG"]
    return spark
