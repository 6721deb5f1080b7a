"""Settings from the environment, and dbt's flags there, which a run must not follow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from project.errors import UserError
from project.home import CHECKOUT
from project.settings import check_settings, without_dbt_flags
from support.dbt_flags import variables_of_dbt

BUILD = ["build", "--project-dir", str(CHECKOUT), "--profiles-dir", str(CHECKOUT)]


@pytest.mark.parametrize(
    "value", ["4GB", "4gb", "100MB", "1.5 GiB", " 8GB ", "9223372TB", "500000KB"]
)
def test_an_amount_of_memory(value: str) -> None:
    check_settings({"ECOMMERCE_MEMORY_LIMIT": value})


NO_AMOUNTS = (
    *("lots", "4096", "-1", "-4GB", "50%", "none", "4G", "1e3MB", "4GB;", "4GB\n2GB", "٤GB"),
    *("4'GB", "inf GB", ".GB", "1" * 400 + "GB", "\x1b[31m4GB"),
)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        *[(value, "is not an amount of memory; write a number and a unit") for value in NO_AMOUNTS],
        *[(value, "is empty; give a value, or unset it") for value in ("", " ", "\n")],
        *[(value, "is more than DuckDB can count") for value in ("18446745TB", "8388608TiB")],
        *[(value, "is too little for any build") for value in ("0GB", "99MB", "1KB", "0.01 GiB")],
    ],
)
def test_what_is_no_amount_of_memory_is_refused(value: str, fault: str) -> None:
    with pytest.raises(UserError, match=r"^ECOMMERCE_MEMORY_LIMIT: ") as caught:
        check_settings({"ECOMMERCE_MEMORY_LIMIT": value})
    assert fault in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_home_may_be_missing_or_a_link_to_a_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "missing").symlink_to(tmp_path / "later", target_is_directory=True)
    for home in ("new/folder", "link", "link/new", "missing", "it's {{ 1 }} $HOME `x` é", "."):
        check_settings({"ECOMMERCE_HOME": str(tmp_path / home)})


@pytest.mark.parametrize(
    ("home", "fault"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("file", "is no folder"),
        ("file/below", "which is no folder"),
        ("loop", "is no folder"),
        ("loop/below", "is below"),
        ("fifo", "is no folder"),
        ("/dev/full", "is no folder"),
        ("/dev/null/x", "is below /dev/null, which is no folder"),
        ("~/shop", "begins with ~"),
        (" /shop", "begins or ends with a blank"),
        ("shop ", "begins or ends with a blank"),
        ("x" * 300, "File name too long"),
        ("a\nb", "a character that does not print"),
        ("\x1b[31m", "a character that does not print"),
        ("\udcff", "a character that does not print"),
        ("a#b", "has the character #"),
        ("a?b/c", "has the character ?"),
        ("a\\b", "has the character \\"),
        ("cut", "has the character #"),
    ],
)
def test_a_home_that_no_run_can_use_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str, fault: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    os.mkfifo("fifo")
    Path("loop").symlink_to("loop")
    Path("cut").symlink_to("shop #1")
    with pytest.raises(UserError, match=r"^ECOMMERCE_HOME: ") as caught:
        check_settings({"ECOMMERCE_HOME": home})
    assert fault in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_setting_that_does_not_exist_is_named_with_the_one_that_is_meant() -> None:
    with pytest.raises(
        UserError, match=r"ECOMMERCE_MEMORYLIMIT: no such .*ECOMMERCE_MEMORY_LIMIT is"
    ):
        check_settings({"ECOMMERCE_MEMORYLIMIT": "4GB"})
    with pytest.raises(UserError, match="ECOMMERCE_THREADS: no such setting; unset it: there are"):
        check_settings({"ECOMMERCE_THREADS": "0"})
    for name in ("ecommerce_home", "ECOMMERCE_Home"):
        with pytest.raises(UserError, match=f"^{name}: no such setting; ECOMMERCE_HOME is meant"):
            check_settings({name: "x"})
    check_settings({"E_COMMERCE": "", "HOME": "", "ecommerce_of_others": ""})


def flags(environment: Mapping[str, str]) -> dict[str, Any]:
    from dbt.cli.flags import Flags, args_to_context

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with without_dbt_flags():
            found = vars(Flags(args_to_context(BUILD))).copy()
        assert os.environ.items() >= environment.items()
    del found["deprecated_env_var_warnings"]
    return found


def test_no_variable_of_dbt_reaches_what_a_run_does() -> None:
    variables = variables_of_dbt()
    known = {"DBT_EMPTY", "DBT_WARN_ERROR", "DBT_TARGET", "DBT_STATE", "DBT_ENGINE_FULL_REFRESH"}
    assert known < variables.keys()
    assert len(variables) > 100
    assert flags(variables) == flags({})


def test_a_variable_of_dbt_would_change_a_run() -> None:
    from dbt.cli.flags import Flags, args_to_context

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_EMPTY", "1")
        assert Flags(args_to_context(BUILD)).EMPTY is True
    assert flags({"DBT_EMPTY": "1"})["EMPTY"] is False
