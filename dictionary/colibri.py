"""Reads the lineage of columns from the SQL, by dbt-colibri, and writes `lineage.json`.

`make lineage` calls it. colibri has an environment of its own, `.venv-tools`, because of its pins.
It needs the SQL as a full refresh compiles it, and the columns of every table. The yml has these,
and for tables with rows of another one an empty DuckDB in memory, so that no build is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb

from dictionary.lineage import FILE, ModelLineage, Sources, to_json
from project.errors import UserError
from project.home import CHECKOUT
from project.output import guarded, show

PROGRAM: Final = CHECKOUT / ".venv-tools" / "bin" / "colibri"
_ROWS: Final = ("__colibri_filter__", "__colibri_join__")
_COPIES: Final = ("pass-through", "rename")
# colibri loses the columns of an ephemeral model that is read under another name.
_RENAMED: Final = re.compile(r"\b(from|join)\s+(__dbt__cte__\w+)\s+as\s+(?=\w)")

Json = Mapping[str, Any]


def read_from_sql(manifest: Json) -> dict[str, ModelLineage]:
    """Return the lineage of each model and snapshot of a compiled manifest.

    Raises UserError without colibri, or if it fails.
    """
    columns = _columns(manifest)
    with TemporaryDirectory() as name:
        folder = Path(name)
        nodes = {unique_id: readable(node) for unique_id, node in manifest["nodes"].items()}
        (folder / "manifest.json").write_text(
            json.dumps({**manifest, "nodes": nodes}), encoding="utf-8"
        )
        (folder / "catalog.json").write_text(
            json.dumps(_catalog(manifest, columns)), encoding="utf-8"
        )
        _run_colibri(folder)
        found = json.loads((folder / "colibri-manifest.json").read_text(encoding="utf-8"))
    parents = found["lineage"]["parents"]
    return {
        node["name"]: _model(parents.get(unique_id), columns[unique_id], manifest)
        for unique_id, node in _relations(manifest)
        if node["resource_type"] != "source"
    }


def readable(node: Json) -> Json:
    """Return a node whose compiled SQL colibri can read."""
    code = node.get("compiled_code")
    return {**node, "compiled_code": code and _RENAMED.sub(r"\1 (select * from \2) as ", code)}


def _relations(manifest: Json) -> Iterable[tuple[str, Json]]:
    yield from manifest["sources"].items()
    for unique_id, node in manifest["nodes"].items():
        if node["resource_type"] in ("model", "snapshot", "seed"):
            yield unique_id, node


def _model(found: Json | None, columns: Mapping[str, str], manifest: Json) -> ModelLineage:
    if found is None:
        return ModelLineage(rows=(), columns=None, names=tuple(columns))
    rows = {name for key in _ROWS for name in _names(found.get(key, []), manifest)}
    sources = {
        name: Sources(
            columns=tuple(_names(found.get(name, []), manifest)),
            is_copy=any(edge["lineage_type"] in _COPIES for edge in found.get(name, [])),
        )
        for name in columns
    }
    return ModelLineage(tuple(sorted(rows)), sources, names=tuple(columns))


def _names(edges: Iterable[Json], manifest: Json) -> list[str]:
    """Return the sources as `model.column`; functions have no columns."""
    nodes = manifest["nodes"] | manifest["sources"]
    return sorted(
        {
            f"{nodes[edge['dbt_node']]['name']}.{edge['column']}"
            for edge in edges
            if edge["dbt_node"] in nodes and edge["column"] not in _ROWS
        }
    )


def _columns(manifest: Json) -> dict[str, dict[str, str]]:
    """Return the types of each table's columns by name, in the table's order."""
    described = {
        unique_id: {
            name: column["data_type"] or "varchar" for name, column in node["columns"].items()
        }
        for unique_id, node in _relations(manifest)
    }
    of_rows = {
        unique_id: node["config"]["meta"]["row_of"]
        for unique_id, node in _relations(manifest)
        if "row_of" in node["config"].get("meta", {})
    }
    by_name = {node["name"]: unique_id for unique_id, node in _relations(manifest)}
    for unique_id, row_of in of_rows.items():
        described[unique_id] = described[by_name[row_of]] | described[unique_id]
    return described | {
        unique_id: _selected(manifest, unique_id, described) for unique_id in of_rows
    }


def _selected(
    manifest: Json, unique_id: str, described: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Return the columns that the compiled SQL of a model selects from empty tables."""
    node = manifest["nodes"][unique_id]
    with duckdb.connect() as connection:
        connection.execute(f"attach ':memory:' as \"{node['database']}\"")
        for parent in node["depends_on"]["nodes"]:
            if parent in described:
                other = manifest["nodes"].get(parent) or manifest["sources"][parent]
                schema = f'"{other["database"]}"."{other["schema"]}"'
                columns = ", ".join(f'"{n}" {type_}' for n, type_ in described[parent].items())
                connection.execute(f"create schema if not exists {schema}")
                connection.execute(f'create table {schema}."{other["name"]}" ({columns})')
        rows = connection.execute(f"describe {node['compiled_code']}").fetchall()
    return {str(name): str(type_).lower() for name, type_, *_ in rows}


def _catalog(manifest: Json, columns: Mapping[str, Mapping[str, str]]) -> Json:
    """Return a catalog as dbt would write it for a built database."""
    tables = {
        unique_id: {
            "unique_id": unique_id,
            "metadata": {
                "type": "BASE TABLE",
                "database": node["database"],
                "schema": node["schema"],
                "name": node["name"],
            },
            "columns": {
                name: {"name": name, "type": type_, "index": index}
                for index, (name, type_) in enumerate(columns[unique_id].items(), start=1)
            },
            "stats": {},
        }
        for unique_id, node in _relations(manifest)
        if node["config"].get("materialized") != "ephemeral"
    }
    return {
        "metadata": manifest["metadata"],
        "nodes": {key: table for key, table in tables.items() if key in manifest["nodes"]},
        "sources": {key: table for key, table in tables.items() if key in manifest["sources"]},
        "errors": None,
    }


def _run_colibri(folder: Path) -> None:
    command: list[str | Path] = [
        PROGRAM,
        "generate",
        "--light",
        "--disable-telemetry",
        "--output-dir",
        folder,
    ]
    for name in ("manifest", "catalog"):
        command += [f"--{name}", folder / f"{name}.json"]
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise UserError(f"{PROGRAM}: is missing; install it by `make lineage`") from error
    if result.returncode:
        raise UserError("colibri failed:", *result.stderr.splitlines()[-5:])


def compile_project() -> dict[str, Any]:
    """Return the manifest of the project as a full refresh compiles it, without a database."""
    with TemporaryDirectory() as name:
        result = subprocess.run(
            [
                *(Path(sys.executable).with_name("dbt"), "--quiet", "compile", "--full-refresh"),
                *("--target", "local", "--project-dir", CHECKOUT, "--profiles-dir", CHECKOUT),
                *("--target-path", Path(name) / "target", "--log-path", Path(name) / "logs"),
            ],
            env={**os.environ, "ECOMMERCE_HOME": name},
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise UserError("dbt cannot compile the project:", *result.stdout.splitlines())
        text = (Path(name) / "target" / "manifest.json").read_text(encoding="utf-8")
        manifest: dict[str, Any] = json.loads(text)
        return manifest


def _write() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    lineage = read_from_sql(compile_project())
    FILE.write_text(to_json(lineage), encoding="utf-8")
    known = sum(bool(s.columns) for m in lineage.values() for s in (m.columns or {}).values())
    show(f"{FILE}: {known} of {sum(len(m.names) for m in lineage.values())} columns")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(_write))
