"""What a command prints: lines without control characters, on a stream that never fails it."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import Any, Final, TextIO, cast

from project.errors import INTERRUPTED, UserError

# What may lay out a stream; within a line, which may hold the name of a file, it is data.
_LAYOUT: Final = {"stdout": "\n\t", "stderr": "\n\t\r"}


def escaped(text: str, keep: str = "") -> str:
    r"""Return the text with each character that does not print as its escape, such as `\x1b`.

    Characters of `keep` stay.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode()
        for char in text
    )


def show(*lines: object, flush: bool = False) -> None:
    """Print lines on stdout; a line break inside one, as in the name of a file, is escaped."""
    print(*(escaped(str(line)) for line in lines), sep="\n", flush=flush)


def guarded(command: Callable[[], int]) -> int:
    """Run a command whose output cannot fail it, and return its exit code.

    A user's error becomes lines on stderr and exit code 2. Output whose reader has gone is
    dropped. Output that cannot be written, as on a full disk, turns success into exit code 2.
    """
    _open_standard_descriptors()
    output, errors = _Guarded(sys.stdout, "stdout"), _Guarded(sys.stderr, "stderr")
    with redirect_stdout(cast(TextIO, output)), redirect_stderr(cast(TextIO, errors)):
        code = _exit_code(command)
        output.flush()
        if output.failure is not None:
            _show_error(
                f"the output cannot be written: {output.failure.strerror}; free some space or"
                " redirect it elsewhere. The command itself ended"
                f" {'well' if code == 0 else f'with exit code {code}'}"
            )
            code = code or 2
        errors.flush()
    return code


def _exit_code(command: Callable[[], int]) -> int:
    try:
        return command()
    except UserError as error:
        _show_error(*error.lines)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run again to continue", file=sys.stderr)
        return INTERRUPTED
    except SystemExit as end:
        # Argparse, which printed why, gives the code.
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def _show_error(*lines: str) -> None:
    first, *more = map(escaped, lines)
    print(f"error: {first}", *more, sep="\n", file=sys.stderr)


def _open_standard_descriptors() -> None:
    """Open those that the caller closed: else the next file, the database, would get the number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            if getattr(sys, name) is None:
                stream = open(number, "r" if number == 0 else "w", closefd=False)  # noqa: SIM115
                setattr(sys, name, stream)


class _Guarded:
    """A text stream that escapes what does not print, and that goes on where it cannot write."""

    def __init__(self, stream: TextIO, name: str) -> None:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        self._stream, self._layout = stream, _LAYOUT[name]
        self.failure: OSError | None = None
        """The first error other than a reader that has gone."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(escaped(text, self._layout)))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            if error.errno != errno.EPIPE and self.failure is None:
                self.failure = error
            # What is buffered, and all that follows, goes nowhere; nor does it fail at the exit.
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)
                self._stream.flush()
