"""The policy functions, as DuckDB macros, follow the access policy for each persona."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from governance.access_policy import ColumnClass, Persona, load
from support.platform_runs import Home

POLICY = load()
PERSONAS = list(POLICY.personas.values())
FUNCTIONS = {"user_id": ("mask_user_id", 17), "personal_text": ("mask_personal_text", "text")}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = Home(tmp_path_factory.mktemp("functions"))
    home.dbt("build", "--select", "resource_type:function")
    return home.database


def call(database: Path, groups: tuple[str, ...] | None, function: str, value: object) -> object:
    """Return the result of a function for a member of the groups; None leaves them unset."""
    with duckdb.connect(str(database), read_only=True) as connection:
        if groups is not None:
            connection.execute("set variable account_groups = ?::varchar[]", [list(groups)])
        [(result,)] = connection.execute(f"select silver_layer.{function}(?)", [value]).fetchall()
        return result


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.name)
@pytest.mark.parametrize("column_class", POLICY.classes, ids=lambda c: c.name)
def test_masks(database: Path, persona: Persona, column_class: ColumnClass) -> None:
    function, value = FUNCTIONS[column_class.name]
    shown = call(database, persona.groups, function, value)
    assert shown == (value if persona.name in column_class.clear else None)
    assert call(database, persona.groups, function, None) is None


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.name)
@pytest.mark.parametrize("segment", POLICY.segments)
def test_row_filter(database: Path, persona: Persona, segment: str) -> None:
    seen = call(database, persona.groups, "sees_segment", segment)
    assert seen is (persona.segments == "all" or segment in persona.segments)


@pytest.mark.parametrize("segment", POLICY.segments)
def test_each_segment_has_its_own_group(database: Path, segment: str) -> None:
    groups = (f"ecommerce_segment_{segment}",)
    seen = [s for s in POLICY.segments if call(database, groups, "sees_segment", s)]
    assert seen == [segment]


def test_without_groups_nothing_is_visible(database: Path) -> None:
    assert call(database, None, "mask_user_id", 17) is None
    assert call(database, None, "sees_segment", "vip") is False


def test_a_row_without_a_segment_is_visible_only_with_access_to_all(database: Path) -> None:
    assert not call(database, ("ecommerce_segment_vip",), "sees_segment", None)
    assert call(database, ("ecommerce_all_segments",), "sees_segment", None) is True


def test_the_free_edition_has_no_groups(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.dbt("build", "--select", "resource_type:function", "--vars", "policies: none")
    assert call(home.database, (), "mask_user_id", 17) == 17
    assert call(home.database, (), "sees_segment", "vip") is True
