"""The variables of dbt_project.yml, where every threshold and list has its one place."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytz
import yaml

from project.errors import UserError, reason
from project.home import CHECKOUT

PROJECT_FILE: Final = CHECKOUT / "dbt_project.yml"
# What says something of the other variables.
_ABOUT: Final = ("forms", "types", "null_allowed", "rising", "falling")


def project_variables() -> dict[str, Any]:
    """Return the value of each variable by name. Raises UserError as `check_variables` does."""
    return _checked(PROJECT_FILE)


def check_variables(file: Path) -> None:
    """Raise UserError for a variable that is missing, declared twice, mistyped or breaks an order.

    Macro `check_variables` matches the same forms, also with variables of the command line.
    """
    _checked(file)


@cache
def _checked(file: Path) -> dict[str, Any]:
    variables = _read(file)
    try:
        _check(file, variables)
    except (AttributeError, KeyError, TypeError, re.error) as error:
        raise UserError(
            f"{file}: what `vars` says under {', '.join(_ABOUT)} is incomplete"
            f" ({type(error).__name__}: {reason(error)}); restore it"
        ) from error
    return variables


def _check(file: Path, variables: dict[str, Any]) -> None:
    typed = {name: kind for kind, names in variables["types"].items() for name in names}
    for name in variables:
        if name not in typed and name not in _ABOUT:
            raise UserError(
                f"{file}: no var is called {name}; correct the name, or add it to `types`"
            )
    for name, kind in typed.items():
        if name not in variables:
            raise UserError(f"{file}: var {name} is missing; it must be {kind}: put it back")
        value = variables[name]
        if value is None and name in variables["null_allowed"]:
            continue
        # Dates are the one type of YAML that JSON does not have.
        text = json.dumps(value, default=str)
        if not re.fullmatch(variables["forms"][kind], text):
            raise UserError(f"{file}: var {name} must be {kind}; it is {text}: correct it")
    # Its form is not enough: a misspelled zone would stop the build of one model, after the load.
    if variables["shop_time_zone"] not in pytz.all_timezones_set:
        raise UserError(
            f"{file}: var shop_time_zone must be a time zone of the tz database, such as"
            f" Europe/Berlin; it is {variables['shop_time_zone']}: correct it"
        )
    for key, sign in (("rising", 1), ("falling", -1)):
        for names in variables[key]:
            values = [value for name in names for value in _values(variables.get(name))]
            if any(sign * later < sign * earlier for earlier, later in pairwise(values)):
                raise UserError(
                    f"{file}: var {' and '.join(names)} must be {key}: {values}; correct one"
                )


def _values(value: Any) -> list[float]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, int | float)]


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open(encoding="utf-8") as stream:
            project = yaml.load(stream, _UniqueKeys)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{file}: {reason(error)}; correct it") from error
    variables = project.get("vars") if isinstance(project, dict) else None
    if not isinstance(variables, dict):
        raise UserError(f"{file}: has no mapping `vars`; restore it")
    return variables


class _UniqueKeys(yaml.CSafeLoader):
    """Refuses a key that a mapping has twice, of which YAML would keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"{node.start_mark}: {key} is there twice")
        return super().construct_mapping(node, deep)
