"""No error of a user's prints a traceback: one line, exit code 2, and nothing is begun."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ecommerce import cli
from ingestion.event_schema import PUBLISHED_COLUMN_NAMES
from project.home import CHECKOUT
from project.variables import PROJECT_FILE

COMMANDS = {
    "run": ["run"],
    "load": ["load"],
    "generate": ["generate"],
    "upload": ["upload", "--target", "dev", "x.csv"],
    "trigger": ["trigger", "--target", "dev"],
    "verify-published": ["verify-published"],
    "bench": ["bench"],
    "dashboard": ["dashboard"],
    "dictionary": ["dictionary"],
    "clean": ["clean"],
    "export": ["export", "--format", "csv"],
    "erase": ["erase", "--user", "1"],
    "mcp": ["mcp"],
    "governance check": ["governance", "check", "--target", "dev"],
    "databricks probe": ["databricks", "probe", "--target", "dev"],
    "databricks check": ["databricks", "check", "--target", "dev"],
}
# Arguments, and what the message says.
ARGUMENTS = [
    (["run", "--data", ""], "argument --data: is empty"),
    (["run", "--data", " "], "argument --data: is empty"),
    (["load", "--data", ""], "argument --data: is empty"),
    (["load", "--database", ""], "argument --database: is empty"),
    (["generate", "--out", ""], "argument --out: is empty"),
    (["upload", "--target", "dev", ""], "argument files: is empty"),
    (["trigger", "--target", "dev", "--job", ""], "argument --job: is empty"),
    (["verify-published", "--expected", ""], "argument --expected: is empty"),
    (["bench", "--out", ""], "argument --out: is empty"),
    (["dictionary", "--out", ""], "argument --out: is empty"),
    (["dictionary", "--target", ""], "argument --target: is empty"),
    (["dictionary"], "manifest.json: is missing; `make run` writes it"),
    (["bench", "--work", ""], "argument --work: is empty"),
    (["governance", "check", "--target", "dev", "--manifest", ""], "argument --manifest: is empty"),
    (["governance", "check", "--target", "dev", "--warehouse-id", ""], "--warehouse-id: is empty"),
    (["databricks", "probe", "--target", "dev", "--out", ""], "argument --out: is empty"),
    (["databricks", "probe", "--target", "dev", "--believed", ""], "argument --believed: is empty"),
    *[
        ([command, "--events", value], f"argument --events: {value!r} is not a whole number from ")
        for command in ("run", "generate", "bench")
        for value in ("", "0", "-5", "5", "1e6", "1_000", "411709737", "٩٩٩٩٩", "x", "9" * 5000)
    ],
    *[
        (["generate", "--days", value], f"argument --days: {value!r} is not a whole number")
        for value in ("0", "3651", "-1", "x")
    ],
    (["generate", "--seed", "-1"], "argument --seed: '-1' is not a whole number of 0 or more"),
    *[
        (["generate", "--dirty", value], f"argument --dirty: {value!r} is not a number from 0 to 1")
        for value in ("nan", "inf", "-0.1", "1.1", "x", "")
    ],
    (["generate", "--from", "2019-02-29"], "argument --from: '2019-02-29' is not a date"),
    (["generate", "--from", "1900-10-01"], "1900-10-01 is before 2019-01-01, the var earliest"),
    (["generate", "--from", "9999-12-01"], "--from, --days"),
    *[
        (["trigger", "--target", "dev", "--poll-seconds", value], "argument --poll-seconds: ")
        for value in ("nan", "inf", "-1", "x")
    ],
    (["upload", "--target", "dev", "--jobs", "0", "x"], "--jobs: '0' is not a whole number"),
    (["trigger", "--target", "production"], "argument --target: invalid choice: 'production'"),
    (["run", "--data", "x", "--events", "5000"], "--events: not allowed with argument --data"),
    *[
        ([*command, address], f"{address!r} is an address, not a path; download it first")
        for command in (["run", "--data"], ["load", "--data"], ["upload", "--target", "dev"])
        for address in ("https://x/a.csv", "S3://bucket/a", " file:///a.csv")
    ],
    (["run", "--nope"], "unrecognized arguments: --nope; see: ecommerce run --help"),
    (["load", "x"], "unrecognized arguments: x; see: ecommerce load --help"),
    (["databricks", "probe", "--target", "dev", "x"], "x; see: ecommerce databricks probe --help"),
    (["run", "\x1b[31m"], "unrecognized arguments: \\x1b[31m"),
    (["nope"], "invalid choice: 'nope'"),
    ([], "required: command"),
    (["run", "--data", "/nowhere"], "/nowhere: no such file or folder; pass one with --data"),
    (["load", "--data", "/nowhere\x1b[31m\nx"], "/nowhere\\x1b[31m\\nx: no such file or folder"),
    (["load", "--data", "x" * 300], "File name too long"),
    (["verify-published", "--expected", "/nowhere"], "/nowhere: no such file"),
    (["verify-published"], "nothing is built; first run: make run DATA=folder"),
    (["clean"], "is not the home of a run"),
    (["export", "--format", "xlsx"], "argument --format: invalid choice: 'xlsx'"),
    (["dashboard"], "there is no database yet; create one by `make run`"),
    (["dashboard", "--port", "0"], "argument --port: '0' is not a whole number from 1"),
    (["export"], "one of the arguments --format --check is required"),
    (["export", "--format", "csv", "--to", ""], "argument --to: is empty"),
    (["export", "--check", "x", "--with-personal"], "--to and --with-personal belong to --format"),
    (["export", "--check", "/nowhere"], "/nowhere: has no manifest.json of an export"),
    (["export", "--format", "csv"], "there is no database yet; create one by `make run`"),
    (["erase", "--vacuum", "--dry-run"], "--dry-run belongs to --user; leave it out of --vacuum"),
    (["erase", "--vacuum", "--unreadable-lines"], "--unreadable-lines belongs to --user; leave it"),
    (["mcp"], "there is no database yet; create one by `make run`"),
    (["mcp", "--max-rows", "0"], "argument --max-rows: '0' is not a whole number from 1 to"),
    (["mcp", "--max-seconds", "x"], "argument --max-seconds: 'x' is not a number from 0.1 to"),
    (["mcp", "--max-memory-mib", "1"], "--max-memory-mib: '1' is not a whole number from 64 to"),
]  # fmt: skip
EVENT = ",".join(PUBLISHED_COLUMN_NAMES) + "\n2019-10-01 00:00:00 UTC,view,1,2,a.b,c,3.5,4,5\n"
SETTINGS = [
    ("ECOMMERCE_MEMORY_LIMIT", "18446745TB"),
    ("ECOMMERCE_HOME", "shop #1"),
    ("ECOMMERCE_MEMORY_LIMIT", "lots"),
    ("ECOMMERCE_MEMORY_LIMIT", ""),
    ("ECOMMERCE_MEMORY_LIMIT", "4096"),
    ("ECOMMERCE_MEMORY_LIMIT", "-1"),
    ("ECOMMERCE_HOME", ""),
    ("ECOMMERCE_HOME", __file__),
    ("ECOMMERCE_HOME", f"{__file__}/below"),
    ("ECOMMERCE_THREADS", "2"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "mine.txt").touch()
    monkeypatch.setenv("ECOMMERCE_HOME", str(folder))
    return folder


def refused(arguments: Sequence[str], capfd: pytest.CaptureFixture[str]) -> str:
    """Run a command that must refuse; return its one line."""
    assert cli.main(arguments) == 2
    output, errors = capfd.readouterr()
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert errors.removesuffix("\n").isprintable()
    assert output == ""
    return errors


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS, ids=lambda value: str(value)[:60])
def test_an_argument_is_refused_by_name(
    arguments: list[str], message: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(arguments, capfd)
    assert not list(home.glob("*.duckdb*"))
    assert not (home / "landing").exists()


@pytest.mark.parametrize(("name", "value"), SETTINGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_checks_every_setting_first(
    command: str,
    name: str,
    value: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, value)
    assert refused(COMMANDS[command], capfd).startswith(f"error: {name}: ")
    assert [path.name for path in home.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("\nvars:\n", "\nvars:\n\t- x\n", "line "),
        ("  event_types: [view", "  event_types: [View", "var event_types must be a list of"),
        ("\n  blanks: ", "\n  blank: ", "no var is called blank"),
    ],
)
def test_every_command_refuses_a_wrong_project_file(
    tmp_path: Path, before: str, after: str, fault: str
) -> None:
    file = tmp_path / "dbt_project.yml"
    text = PROJECT_FILE.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), "utf-8")
    program = f"""
from pathlib import Path
import project.variables
project.variables.PROJECT_FILE = Path({str(file)!r})
from ecommerce.cli import main
print(*(main(command) for command in {list(COMMANDS.values())!r}))
"""
    environment = os.environ | {"ECOMMERCE_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", program]
    result = subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )
    lines = result.stderr.splitlines()
    assert len(lines) == len(COMMANDS), result.stderr
    assert all(line.startswith(f"error: {file}: ") and fault in line for line in lines)
    assert result.stdout.split() == ["2"] * len(COMMANDS)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["a\\b.duckdb", os.fsdecode(b"\xff.duckdb"), "a\\b/c.duckdb"])
def test_a_path_that_duckdb_would_change_is_no_database(
    name: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (home / "a.csv").write_text(EVENT)
    database = str(home / name)
    message = refused(["load", "--data", str(home), "--database", database], capfd)
    assert "use another place by ECOMMERCE_HOME (`ecommerce load`: --database)" in message
    assert len(list(home.iterdir())) == 2


def test_every_command_is_in_the_table() -> None:
    assert {command.split()[0] for command in COMMANDS} == {
        name.split()[0] for name in cli._COMMANDS
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_a_working_directory_that_is_gone(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    monkeypatch.setenv("ECOMMERCE_HOME", "relative")
    gone.rmdir()
    message = refused(COMMANDS[command], capfd)
    os.chdir(tmp_path)
    assert message == "error: the current folder does not exist any more; change to another\n"


@pytest.mark.parametrize("name", ["TQDM_NCOLS", "TQDM_MININTERVAL", "COLUMNS", "LINES"])
def test_a_foreign_setting_of_the_wrong_type_does_no_harm(name: str, tmp_path: Path) -> None:
    variables = os.environ | {name: "q", "ECOMMERCE_HOME": str(tmp_path)}
    script = str(Path(sys.executable).with_name("ecommerce"))
    command = [script, "generate", "--events", "1000", "--days", "1"]
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_warnings_as_errors_do_no_harm(tmp_path: Path) -> None:
    variables = os.environ | {"PYTHONWARNINGS": "error", "ECOMMERCE_HOME": str(tmp_path)}
    program = "import ecommerce, warnings; open('a', 'w'); warnings.warn('x', DeprecationWarning)"
    command = [sys.executable, "-c", program]
    result = subprocess.run(
        command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("level", ["1", "2"])
def test_optimized_python_runs_everything_or_nothing(level: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(EVENT)
    home = tmp_path / "home"
    variables = os.environ | {"PYTHONOPTIMIZE": level, "ECOMMERCE_HOME": str(home)}
    command = [sys.executable, "-m", "ecommerce", "load", "--data", str(tmp_path / "a.csv")]
    result = subprocess.run(
        command, cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=False
    )
    is_refused = level == "2"
    assert result.returncode == (2 if is_refused else 0)
    assert result.stderr.startswith("error: PYTHONOPTIMIZE: 2 removes" if is_refused else "")
    assert result.stderr.count("\n") == is_refused
    assert home.exists() is not is_refused


def test_files_of_any_name_are_loaded_and_shown_in_one_line_each(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = home / "files é"
    folder.mkdir()
    header = ",".join(PUBLISHED_COLUMN_NAMES)
    row = "2019-10-01 00:00:00 UTC,view,1,2,a.b,c,3.5,4,5"
    for name in ("\x1b[31m", "a\nb", "a\rb", "\x1b]0;x\x07", "\u202ea", "\x9b", "\u2028", "\x7f"):
        (folder / f"{name}.csv").write_text(f"{header}\n{row}\n")
    (folder / "refused\x1b[31m\n.csv").write_text("x\n")
    (folder / os.fsdecode(b"\xff.csv")).write_text("x\n")
    assert cli.main(["load", "--data", str(folder)]) == 0
    output, errors = capfd.readouterr()
    assert errors == ""
    lines = output.splitlines()
    assert [line.split()[0] for line in lines].count("loaded") == 8
    assert [line.split()[0] for line in lines].count("refused") == 2
    assert len(lines) == 11
    assert all(line.isprintable() for line in lines)
