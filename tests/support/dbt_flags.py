"""The variables of the environment that dbt's own command line reads."""

from __future__ import annotations

from collections.abc import Iterator

import click


def variables_of_dbt() -> dict[str, str]:
    """Return a value that is not the default for each variable that an option of dbt names."""
    from dbt.cli.main import cli

    found = {}
    for option in _options(cli):
        names = [option.envvar] if isinstance(option.envvar, str) else option.envvar or ()
        is_switch = isinstance(option.type, click.types.BoolParamType)
        for name in names:
            found[name] = str(not option.default) if is_switch else "2"
    return found


def _options(command: click.Command) -> Iterator[click.Parameter]:
    yield from command.params
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from _options(child)
