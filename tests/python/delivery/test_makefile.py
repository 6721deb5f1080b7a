"""The Makefile gives what its caller sets to the programs as it was given, and runs none of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from project.home import CHECKOUT

# Prints its arguments, each ended by NUL.
PROGRAM = "#!/bin/sh\nprintf '%s\\0' \"$@\"\n"
SETTINGS = ("DATA", "DURATIONS", "EVENTS", "FULL", "PYTHON", "SHARD", "SHARDS")
# Written by whatever is run.
MARK = "executed"
HOSTILE = (
    f"$(shell touch {MARK})",
    f"$$(touch {MARK})",
    f"`touch {MARK}`",
    f"; touch {MARK} #",
    f'" ; touch {MARK} ; "',
    f"' ; touch {MARK} ; '",
    f"x\ntouch {MARK}\n",
    f"$(eval $(shell touch {MARK}))",
    f"| touch {MARK}",
    f"$(error x)$(shell touch {MARK})",
)
PATHS = (
    "a folder",
    "it's",
    'a "b"',
    "$HOME $$ $(DATA) ${DATA} $1",
    "a\nb",
    "100% #1, (x) [y] {z} *?&|<>;!~\\",
    "Zürich 東京",
    "--help",
    "-x",
    "",
    *HOSTILE,
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the Makefile alone, whose programs print what they are given."""
    shutil.copy(CHECKOUT / "Makefile", tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("ecommerce", "python"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(0o755)
    # Newer than what they are made of, which is not here.
    for name in (
        "requirements.txt",
        "requirements-dev.txt",
        "requirements-tools.txt",
        "pyproject.toml",
    ):
        (tmp_path / name).touch()
    (tmp_path / ".venv-tools").mkdir()
    for name in (".venv/runtime", ".venv/installed", ".venv-tools/installed"):
        (tmp_path / name).touch()
    return tmp_path


def make(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in {*SETTINGS, "MAKEFLAGS"}}
    return subprocess.run(
        ["make", "--silent", *arguments],
        cwd=checkout,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def given(result: subprocess.CompletedProcess[str]) -> Sequence[str]:
    assert result.returncode == 0, result.stderr
    return result.stdout.split("\0")[:-1]


@pytest.mark.parametrize("path", PATHS)
def test_a_run_gets_any_path(checkout: Path, path: str) -> None:
    assert given(make(checkout, "run", f"DATA={path}")) == ["run", f"--data={path}"]
    assert given(make(checkout, "run", DATA=path)) == ["run", f"--data={path}"]
    assert not (checkout / MARK).exists()


def test_what_is_not_set_is_not_given(checkout: Path) -> None:
    assert given(make(checkout, "run")) == ["run"]
    assert given(make(checkout, "run", "FULL=0")) == ["run"]
    assert given(make(checkout, "run", "FULL=1", "EVENTS=5")) == ["run", "--events=5", "--full"]
    assert given(make(checkout, "bench", "EVENTS=5 6")) == ["bench", "--events=5 6"]
    quick = given(make(checkout, "slow"))
    sharded = given(make(checkout, "slow", "SHARD=1", "SHARDS=4", "DURATIONS=--a b"))
    assert sharded == [*quick, "--splits", "4", "--group", "1", "--a", "b"]


@pytest.mark.parametrize("goal", ["run", "slow", "bench", "clean", "help", ".venv/runtime", "lint"])
def test_no_variable_is_run(checkout: Path, goal: str) -> None:
    (checkout / "pyproject.toml").touch()
    for text in HOSTILE:
        every = [f"{name}={text}" for name in SETTINGS]
        make(checkout, "--keep-going", goal, *every)
        make(checkout, "--keep-going", goal, **dict.fromkeys(SETTINGS, text))
        assert not (checkout / MARK).exists(), text


@pytest.mark.parametrize(
    "name",
    ["DAT", "data", "BIN", "PYTEST", "QUICK", "SETTINGS", "UNKNOWN", "name", "taken_as_given"],
)
def test_a_variable_that_does_not_exist_is_refused_or_has_no_effect(
    checkout: Path, name: str
) -> None:
    result = make(checkout, "run", f"{name}=$(shell touch {MARK})")
    assert not (checkout / MARK).exists()
    if result.returncode:
        assert f"{name}: no such variable; there are {' '.join(SETTINGS)}" in result.stderr
    else:
        assert given(result) == ["run"]
    assert (result.returncode != 0) == (name in ("DAT", "data", "name"))


@pytest.mark.parametrize("value", ["", "no", "true", "2", "1 "])
def test_full_is_1_or_0(checkout: Path, value: str) -> None:
    result = make(checkout, "run", f"FULL={value}")
    assert result.returncode == 2
    assert "error: FULL is 1 to rebuild every table" in result.stderr
    assert result.stdout == ""


# Answers as a Python of another version, built in another way, and sets nothing up.
INTERPRETER = """#!{executable}
import sys, sysconfig
if sys.argv[1] == "-c":
    sys.version_info, sys.base_prefix = ({version}), "{prefix}"
    sysconfig.get_config_vars()["CONFIG_ARGS"] = "{options}"
    exec(sys.argv[2])
"""
FAST, SLOW = "'--enable-shared' '--enable-optimizations'", "'--enable-shared'"


def python(folder: Path, version: str = "3, 11", prefix: str = "/opt", options: str = "") -> str:
    folder.mkdir()
    path = folder / "python3"
    path.write_text(
        INTERPRETER.format(
            executable=sys.executable, version=version, prefix=prefix, options=options
        )
    )
    path.chmod(0o755)
    return str(path)


def set_up(checkout: Path, *pythons: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Set up with these alone as the Pythons of PATH."""
    tools = checkout / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("make", "touch"):
        program = shutil.which(name)
        assert program
        if not (tools / name).exists():
            (tools / name).symlink_to(program)
    os.utime(checkout / ".venv" / "runtime", (0, 0))
    folders = [*(str(Path(found).parent) for found in pythons), str(tools)]
    return make(checkout, ".venv/runtime", PATH=os.pathsep.join(folders), **variables)


def chosen(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout.partition(" -m venv .venv\n")[0]


def test_the_first_python_with_its_optimizations_sets_up(checkout: Path, tmp_path: Path) -> None:
    slow = python(tmp_path / "slow", options=SLOW)
    fast = python(tmp_path / "fast", options=FAST)
    other = python(tmp_path / "other", version="3, 14", options=FAST)
    system = python(tmp_path / "system", prefix="/usr")
    assert chosen(set_up(checkout, slow, fast)) == fast
    assert chosen(set_up(checkout, slow, system, fast)) == system
    assert chosen(set_up(checkout, fast, system)) == fast
    assert chosen(set_up(checkout, other, slow, fast)) == fast
    assert chosen(set_up(checkout, slow, fast, PYTHON=slow)) == slow


def test_without_one_the_first_that_is_supported_sets_up(checkout: Path, tmp_path: Path) -> None:
    slow = python(tmp_path / "slow", options=SLOW)
    slower = python(tmp_path / "slower")
    old = python(tmp_path / "old", version="3, 10", options=FAST)
    assert chosen(set_up(checkout, old, slow, slower)) == slow
    assert chosen(set_up(checkout, slower, slow)) == slower
    for refused in (set_up(checkout, old), set_up(checkout), set_up(checkout, slow, PYTHON=old)):
        assert refused.returncode == 2
        assert refused.stderr.startswith("Python 3.11 to 3.13 is needed: make PYTHON=python3.12")
        assert refused.stdout == ""


def test_a_refused_clean_removes_nothing(checkout: Path, tmp_path: Path) -> None:
    (checkout / ".venv" / "bin" / "ecommerce").write_text("#!/bin/sh\nexit 2\n")
    for folder in ("target", "logs", "home/bench"):
        (checkout / folder).mkdir(parents=True)
    assert make(checkout, "clean", ECOMMERCE_HOME=str(checkout / "home")).returncode == 2
    assert (checkout / "target").exists()
    assert (checkout / "home" / "bench").exists()
