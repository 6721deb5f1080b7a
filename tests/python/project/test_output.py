"""What a command prints: without control characters, and never the reason that it fails."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from project.errors import UserError
from project.output import escaped, guarded, show

SCRIPT = str(Path(sys.executable).with_name("ecommerce"))
# Files as they can lie in a folder: colors, line breaks, a changed title, reversed text, no UTF-8.
NAMES = [
    "\x1b[31m",
    "a\nb",
    "a\rb",
    "\x1b]0;x\x07",
    "\u202egpj",
    "\x9b31m",
    "\u2028",
    "\udcff",
    "\x7f",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_control_character_of_a_name_is_printed(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        show(f"a {name}", f"b {name}")
        raise UserError(f"c {name}", f"d {name}")

    assert guarded(command) == 2
    output, errors = capfd.readouterr()
    assert [line[:2] for line in output.split("\n")] == ["a ", "b ", ""]
    assert [line.removeprefix("error: ")[:2] for line in errors.split("\n")] == ["c ", "d ", ""]
    assert (output + errors).replace("\n", "").isprintable()


def test_what_others_print_keeps_its_lines_only(capfd: pytest.CaptureFixture[str]) -> None:
    def command() -> int:
        print("one\n\x1b[31mtwo\x1b[0m\ttabbed\r")
        print("\rhalf a bar", file=sys.stderr)
        return 0

    assert guarded(command) == 0
    output, errors = capfd.readouterr()
    assert output == "one\n\\x1b[31mtwo\\x1b[0m\ttabbed\\r\n"
    assert errors == "\rhalf a bar\n"


def test_text_that_prints_is_unchanged() -> None:
    assert escaped("Zürich, 東京, 50 €, 👍") == "Zürich, 東京, 50 €, 👍"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_without_a_character_gets_its_escape(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    assert guarded(lambda: lines(0, text="ok 東京")) == 0
    assert written.getvalue() == b"ok \\u6771\\u4eac\n"


def lines(code: int, number: int = 1, text: str = "x" * 100) -> int:
    for _ in range(number):
        show(text)
    return code


@pytest.mark.parametrize("number", [1, 10_000], ids=["buffered", "more than a buffer"])
@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_reader_that_has_gone_changes_no_exit_code(
    code: int, number: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert guarded(lambda: lines(code, number)) == code
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("number", [1, 10_000], ids=["buffered", "more than a buffer"])
@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_full_device_is_an_error_of_its_own(
    code: int, number: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert guarded(lambda: lines(code, number)) == (code or 2)
    message = capfd.readouterr().err
    assert message.startswith("error: the output cannot be written: No space left on device; ")
    assert message.endswith(("ended well\n", f"ended with exit code {code}\n"))
    assert message.count("\n") == 1


def test_errors_that_cannot_be_written_change_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise UserError("no")

    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        assert guarded(lambda: 0) == 0
        assert guarded(refuse) == 2


@pytest.mark.parametrize(
    ("redirected", "code"),
    [
        ("| true", 0),
        ("> /dev/full", 2),
        ("<&- >&- 2>&-", 0),
    ],
)
def test_the_program_ends_well_with_any_output(redirected: str, code: int, tmp_path: Path) -> None:
    line = f'"$0" clean {redirected}; exit ${{PIPESTATUS[0]}}'
    variables = os.environ | {"ECOMMERCE_HOME": str(tmp_path / "é"), "PYTHONIOENCODING": "ascii"}
    result = subprocess.run(
        ["bash", "-c", line, SCRIPT], env=variables, capture_output=True, text=True
    )
    assert result.returncode == code
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr
    assert result.stderr.count("\n") == (redirected == "> /dev/full")


def test_no_file_gets_the_number_of_a_closed_output(tmp_path: Path) -> None:
    program = f"""
import os
from pathlib import Path
from project.output import guarded
guarded(lambda: 0)
number = os.open({str(tmp_path)!r}, os.O_RDONLY)
Path({str(tmp_path / "f")!r}).write_text(str(number > 2))
"""
    line = '"$0" -c "$1" <&- >&- 2>&-'
    subprocess.run(["bash", "-c", line, sys.executable, program], check=True)
    assert (tmp_path / "f").read_text() == "True"
