"""The command `ecommerce`: installed as a script, and usable without the extras."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ecommerce import cli
from project.home import CHECKOUT

EXTRAS = ("databricks", "matplotlib", "pyspark")


def test_the_script_is_installed() -> None:
    script = Path(sys.executable).with_name("ecommerce")
    result = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("usage: ecommerce ")


def test_the_parser_needs_no_extra() -> None:
    program = f"""
import sys
from ecommerce.cli import build_parser
build_parser()
print(*sorted({{name.partition('.')[0] for name in sys.modules}} & set({EXTRAS!r})))
"""
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "\n"


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        (["trigger", "--target", "dev"], "databricks.sdk", "databricks"),
        (["bench"], "matplotlib", "bench"),
        (["bench"], "dbt.adapters.databricks", "databricks"),
    ],
)
def test_a_missing_extra_is_one_line_with_the_remedy(
    command: list[str],
    module: str,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert cli.main(command) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: this command needs the extra `{extra}` (import of {module}")
    assert message.endswith(f"--editable '.[{extra}]'\n")
    assert message.count("\n") == 1


def test_a_group_may_have_several_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = cli._COMMANDS | {"governance recheck": "governance.check"}
    monkeypatch.setattr(cli, "_COMMANDS", commands)
    for words in (["governance", "check"], ["governance", "recheck"]):
        parsed = cli.build_parser("governance").parse_args([*words, "--target", "dev"])
        assert parsed.execute.__module__ == "governance.check"
    # Another command of the same line-up is not disturbed by a group that is not built.
    assert cli.build_parser("clean").parse_args(["clean"]).execute.__module__ == "pipeline.clean"


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "free some space, then run again"),
        (errno.EDQUOT, "free some space, then run again"),
        (errno.EACCES, "make it accessible or choose another place, then run again"),
    ],
)
def test_what_the_system_refuses_is_named_with_place_and_remedy(
    code: int, remedy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise OSError(code, os.strerror(code), "/place")

    monkeypatch.setattr("pipeline.clean.execute", fail)
    assert cli.main(["clean"]) == 2
    assert capsys.readouterr().err == f"error: /place: {os.strerror(code)}; {remedy}\n"


def test_what_the_system_refuses_dbt_names_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ECOMMERCE_HOME", str(tmp_path / "home"))
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    result = SimpleNamespace(exception=full)
    monkeypatch.setattr("dbt.cli.main.dbtRunner.invoke", lambda *_: result)
    assert cli.main(["run", "--events", "1000"]) == 2
    expected = f"error: {tmp_path / 'home'}: {os.strerror(errno.ENOSPC)}; free some space, "
    assert capsys.readouterr().err.startswith(expected)
