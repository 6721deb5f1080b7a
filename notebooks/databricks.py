"""Writes the tour as a notebook for Databricks: `.venv/bin/python -m notebooks.databricks`.

The tour for this machine is the source, so that both have the same text and the same SQL.
"""

from __future__ import annotations

import ast
from inspect import cleandoc
from typing import Final

from project.home import CHECKOUT

TOUR: Final = CHECKOUT / "notebooks" / "tour.py"
NOTEBOOK: Final = CHECKOUT / "notebooks" / "tour_databricks.py"
_FIRST: Final = """# Databricks notebook source
# MAGIC %md
# MAGIC Written by `python -m notebooks.databricks`. Choose the catalog of your target above.

# COMMAND ----------

dbutils.widgets.text("catalog", "ecommerce_analytics_prod")
spark.catalog.setCurrentCatalog(dbutils.widgets.get("catalog"))
"""
_LANGUAGES: Final = {"md": "md", "ask": "sql"}


def cells(tour: str) -> list[tuple[str, str]]:
    """Return the texts (`md`) and queries (`sql`) of the tour's source, in order."""
    return [
        (_LANGUAGES[name], cleandoc(text))
        for node in ast.walk(ast.parse(tour))
        if isinstance(node, ast.FunctionDef)
        for statement in node.body
        if (found := _call(statement))
        for name, text in [found]
    ]


def _call(statement: ast.stmt) -> tuple[str, str] | None:
    """Return function and text of a statement that shows a text or asks a query."""
    match statement:
        case ast.Expr(
            ast.Call(
                func=ast.Attribute(attr="md") | ast.Name(id="ask") as function,
                args=[ast.Constant(value=str(text))],
            )
        ):
            return (function.attr if isinstance(function, ast.Attribute) else function.id), text
    return None


def notebook(tour: str) -> str:
    """Return the source of the Databricks notebook for that of the tour."""
    written = [_FIRST]
    for language, text in cells(tour):
        lines = [f"%{language}", *text.splitlines()]
        written.append("".join(f"# MAGIC {line}".rstrip() + "\n" for line in lines))
    return "\n# COMMAND ----------\n\n".join(written)


def main() -> None:
    """Write the notebook."""
    NOTEBOOK.write_text(notebook(TOUR.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
