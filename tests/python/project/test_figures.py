"""The models stay easy to read: the figures of `make figures` keep their goals."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Final

import pytest

from project.figures import Figures, page, read_figures
from project.home import CHECKOUT

MODEL: Final = """
{{ config(materialized='incremental') }}
{#- ordered(x) is not called here. -#}
select {{ rate('a', "b") }}, {{ rate('c', 'd') }}, coalesce(ordered, 0), {{ ordered() }}
from {{ changes(ref('events')) }}
"""
MACRO: Final = "{% macro NAME() -%}\n    1\n{%- endmacro %}\n"


@pytest.fixture(scope="module")
def figures() -> Figures:
    return read_figures(CHECKOUT)


def test_models_stay_short(figures: Figures) -> None:
    assert median(figures.lines.values()) <= 40
    assert max(figures.lines.values()) <= 110


def test_models_are_plain_sql_over_few_macros(figures: Figures) -> None:
    assert len(figures.conditional) <= 3
    assert len(figures.helpers) <= 6
    assert figures.macros_per_model <= 1.5
    assert figures.macro_share <= 0.40


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {"models/a/orders.sql": MODEL, "models/a/model.py": "rate()\n" * 500}
    for name, folder in (("rate", "metrics"), ("ordered", "engine"), ("changes", "incremental")):
        files[f"macros/{folder}/{name}.sql"] = MACRO.replace("NAME", name)
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    return tmp_path


def test_each_macro_of_the_project_that_is_called_counts_once(project: Path) -> None:
    figures = read_figures(project)
    assert figures.lines == {"orders": 5}
    assert figures.macros == {"orders": ["changes", "ordered", "rate"]}
    assert figures.helpers == ["changes"]
    assert (figures.macro_lines, figures.macro_share) == (9, 1.8)
    assert "own macros of a model, max                  3 (orders)" in page(figures)


@pytest.mark.parametrize(
    ("text", "is_conditional"),
    [
        ("{% if is_incremental() %}where true{% endif %}", True),
        ("{%- if var('x') %}where true{% endif %}", True),
        ("where {{ is_incremental() }}", True),
        ("{{ ',' if not loop.last }} {% for x in y if x %}{% endfor %}", False),
    ],
)
def test_sql_under_a_condition_is_found(project: Path, text: str, is_conditional: bool) -> None:
    (project / "models" / "a" / "orders.sql").write_text(text, "utf-8")
    assert read_figures(project).conditional == (["orders"] if is_conditional else [])
