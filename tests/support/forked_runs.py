"""Real runs of the command line and of dbt, in processes that start immediately.

They are forks of a process that has imported everything and parsed the project, so a signal at a
random time hits the work and not the imports. They exit like other processes.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import IO, Any

import duckdb

from project.home import CHECKOUT
from support.platform_runs import Home


class Run:
    """A run that has started, with its output in a file."""

    def __init__(self, home: Home, pid: int, output: Path, end: IO[str]) -> None:
        self.home, self.pid, self._output, self._end = home, pid, output, end
        self._begun = monotonic()
        self._code: int | None = None
        self.seconds = 0.0

    def ends(self) -> tuple[int, str]:
        """Wait for the end; return exit code (negative for a signal) and output."""
        if self._code is None:
            self._code = int(self._end.readline())
            self.seconds = monotonic() - self._begun
        return self._code, self._output.read_text(encoding="utf-8")

    def succeeds(self) -> float:
        """Wait for the run to succeed; return the seconds that it took."""
        code, output = self.ends()
        assert code == 0, output[-6000:]
        return self.seconds

    def kill(self) -> int:
        """Send SIGKILL, unless the run has ended; return the exit code."""
        if self._code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        return self.ends()[0]

    @contextmanager
    def held_with_database(self) -> Iterator[None]:
        """Stop the run while it has the database open, and continue it after the block."""
        while True:
            os.kill(self.pid, signal.SIGSTOP)
            # Wait until it has stopped, because opening the database would interfere with it.
            sleep(0.005)
            try:
                duckdb.connect(str(self.home.database), read_only=True).close()
            except duckdb.IOException as error:
                if "Could not set lock" in str(error):
                    break
            os.kill(self.pid, signal.SIGCONT)
            sleep(0.01)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


class Forks:
    """Starts runs, one at a time."""

    def __init__(self, server: subprocess.Popen[str], folder: Path) -> None:
        self._server, self._output = server, folder / "output.txt"
        self._last: Run | None = None

    def ecommerce(self, home: Home, *arguments: str) -> Run:
        """Start `ecommerce ...`."""
        return self._start(home, "ecommerce", arguments)

    def dbt(self, home: Home, *arguments: str) -> Run:
        """Start `dbt ...` on the local target."""
        written = ("--target-path", home.folder / "target", "--log-path", home.folder / "logs")
        return self._start(home, "dbt", ("--no-use-colors", *arguments, *map(str, written)))

    def _start(self, home: Home, program: str, arguments: Sequence[str]) -> Run:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        if self._last:
            # A failed test may have left a run behind.
            self._last.kill()
        request = [program, str(home.folder), list(arguments), str(self._output)]
        print(json.dumps(request), file=self._server.stdin, flush=True)
        pid = int(self._server.stdout.readline())
        self._last = Run(home, pid, self._output, self._server.stdout)
        return self._last


@contextmanager
def forks(folder: Path) -> Iterator[Forks]:
    """Start the process to fork from; output goes to the folder."""
    with (
        (folder / "errors.txt").open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=CHECKOUT,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as server,
    ):
        yield Forks(server, folder)


def _serve() -> None:
    from dbt.cli.main import dbtRunner

    from ecommerce.cli import main

    with TemporaryDirectory() as folder:
        written = ["--target-path", folder, "--log-path", folder]
        manifest: Any = dbtRunner().invoke(["--quiet", "parse", *written]).result
    for model in CHECKOUT.glob("models/**/*.py"):
        runpy.run_path(str(model))
    for line in sys.stdin:
        program, home, arguments, output = json.loads(line)
        if pid := os.fork():
            print(pid, flush=True)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
            continue
        with Path(output).open("wb") as file:
            for stream in (sys.stdout, sys.stderr):
                os.dup2(file.fileno(), stream.fileno())
        os.environ["ECOMMERCE_HOME"] = home
        if program == "ecommerce":
            code = main(arguments)
        else:
            code = int(not dbtRunner(manifest=manifest).invoke(arguments).success)
        # Exit without the half second of freeing memory.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
