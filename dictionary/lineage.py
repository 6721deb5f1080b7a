"""The lineage of columns as it is committed: `lineage.json`, made by `make lineage`.

Lineage follows from the code alone. The file has a line for each column, so that a change of a
model changes few lines of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from project.errors import UserError

FILE: Final = Path(__file__).with_name("lineage.json")
REMEDY: Final = "write it again by `make lineage`"


@dataclass(frozen=True)
class Sources:
    """Where a column comes from; names are `model.column`, ephemeral models included."""

    columns: tuple[str, ...]
    is_copy: bool = False
    """Whether the values are those of the one source."""


@dataclass(frozen=True)
class ModelLineage:
    """Lineage of one model."""

    rows: tuple[str, ...]
    """`model.column` of filters and joins."""
    columns: Mapping[str, Sources] | None
    """By column, in the order of the table; None where the code cannot be read."""
    names: tuple[str, ...]
    """All columns of the table, in its order."""


def read(file: Path = FILE) -> dict[str, ModelLineage]:
    """Return the lineage by model; UserError for a damaged file."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {name: _model(model) for name, model in found.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(f"{file}: cannot be read ({error}); {REMEDY}") from error


def _model(found: dict[str, dict[str, list[str]]]) -> ModelLineage:
    if "columns" not in found:
        return ModelLineage(rows=(), columns=None, names=tuple(found["names"]))
    columns = {}
    for name, (how, *sources) in found["columns"].items():
        columns[name] = Sources(tuple(sources), is_copy=how == "copy")
    return ModelLineage(tuple(found["rows"]), columns, names=tuple(columns))


def to_json(lineage: Mapping[str, ModelLineage]) -> str:
    """Return the text of the file: a line for each column, models by name."""
    models = [f" {json.dumps(name)}: {_text(lineage[name])}" for name in sorted(lineage)]
    return "{\n" + ",\n".join(models) + "\n}\n"


def _text(model: ModelLineage) -> str:
    if model.columns is None:
        return f'{{"names": {json.dumps(model.names)}}}'
    columns = [
        f"   {json.dumps(name)}: {json.dumps(['copy' if s.is_copy else 'computed', *s.columns])}"
        for name, s in model.columns.items()
    ]
    rows = json.dumps(model.rows)
    return f'{{\n  "rows": {rows},\n  "columns": {{\n' + ",\n".join(columns) + "\n  }\n }"
