"""The tools of an assistant: the tables of gold, their dictionary, the metrics and selects."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from anyio import to_thread
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from mcp.types import ToolAnnotations

from assistant.gold_copy import Copy, refreshed
from assistant.metrics import read_metrics
from assistant.query import Limits, run_query
from assistant.sql_check import RefusedError
from export.gold import SCHEMA
from project.errors import UserError

_INSTRUCTIONS: Final = """
Figures of a shop, from its click stream. list_tables names the tables of gold and their grain,
describe_table says what each column means, list_metrics how the shop's metrics are defined.
Read the description of a column before you use it, add up a column only over the keys in its
adds_up_over, and leave out days where is_complete is false from averages and comparisons.
run_query runs one select in DuckDB's SQL. There is no other data and nothing can be changed.
"""
_READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)


def build(limits: Limits) -> FastMCP[Any]:
    """Return the server of the home's gold, with limits for each query."""
    server: FastMCP[Any] = FastMCP("ecommerce-gold", instructions=_INSTRUCTIONS)

    @server.tool(annotations=_READS)
    async def list_tables() -> dict[str, Any]:
        """List the tables that run_query can read: name, description with the grain, rows."""
        copy = await _copy()
        tables = [
            {"name": table["name"], "description": table["description"], "rows": table["rows"]}
            for table in copy.tables.values()
        ]
        return _answer({"tables": tables}, copy)

    @server.tool(annotations=_READS)
    async def describe_table(table: str) -> dict[str, Any]:
        """Describe a table: what each column means, its type, and over what a sum has a meaning."""
        copy = await _copy()
        found = copy.tables.get(table.strip().lower().removeprefix(f"{SCHEMA}."))
        if found is None:
            raise ToolError(f"there is no table {table!r}; there are {', '.join(copy.tables)}")
        return _answer(dict(found), copy)

    @server.tool(annotations=_READS)
    async def list_metrics() -> dict[str, Any]:
        """List the shop's metrics: what each means, its formula, and whether it adds up."""
        return {"metrics": await to_thread.run_sync(read_metrics)}

    @server.tool(annotations=_READS)
    async def run_query(sql: str) -> dict[str, Any]:
        """Run one select of the tables (DuckDB's SQL); too many rows are cut and said to be."""
        copy = await _copy()
        run = partial(_run, sql, copy, limits)
        return _answer(await to_thread.run_sync(run), copy)

    return server


def _run(sql: str, copy: Copy, limits: Limits) -> dict[str, Any]:
    try:
        return run_query(sql, copy.file, copy.tables, limits)
    except RefusedError as error:
        raise ToolError(str(error)) from error


async def _copy() -> Copy:
    try:
        return await to_thread.run_sync(refreshed)
    except UserError as error:
        raise ToolError(" ".join(error.lines)) from error


def _answer(content: dict[str, Any], copy: Copy) -> dict[str, Any]:
    if copy.stale:
        return {**content, "note": f"figures of an earlier run: {copy.stale}"}
    return content
