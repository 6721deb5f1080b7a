"""Processes that start at once: forks of one that has imported everything and parsed the project.

Starting `dbt` takes five seconds of imports and parsing, a fork of a process that is past both some
hundredths. All test processes have one server to fork from, which starts when the first run does.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import gc
import json
import os
import pickle
import re
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from threading import local
from time import monotonic
from types import SimpleNamespace
from typing import IO, Any, Final

import sqlparse
import yaml

from project.home import CHECKOUT

# No configuration reads these, so that dbt needs to render only the SQL again. With any other
# variable the project is parsed again: configurations keep the values that it was parsed with.
READ_BY_SQL: Final = frozenset(
    {
        "as_of_date",
        "blanks",
        "check_hours",
        "earliest_event_date",
        "gate_max_lag_minutes",
        "gate_max_quarantined_share",
        "highest_price",
        "history_days",
        "left_censored_days",
        "null_words",
        "pareto_a_share",
        "rfm_recency_days",
        "segment_vip_min_orders",
        "session_gap_minutes",
        "special_capitals",
        "special_small_letters",
    }
)
# Beside SQL only arguments of data tests read these, which `dbt run` does not need.
READ_BY_TESTS: Final = frozenset({"price_min_views", "price_window_days"})
# A host with which the runs of one server share the adapter's probe.
PROBED_HOST: Final = "PROBED_HOST"
# Events of dbt's statements and of sources that it writes: a run without a log file writes their
# fields to the file RECORDED_STATEMENTS, if that is set.
_RECORDED: Final = frozenset({"SQLQuery", "JinjaLogDebug"})
# The variable that names the folder of the session, where its processes find the server.
SESSION_FOLDER: Final = "TEST_SESSION_FOLDER"


class Run:
    """A run that has started."""

    def __init__(self, command: Sequence[str], status: IO[str], streams: list[IO[bytes]]) -> None:
        self._command, self._status, self._streams = command, status, streams
        self._begun = monotonic()
        self.pid = int(status.readline())
        self._code: int | None = None
        self.seconds = 0.0

    def is_running(self) -> bool:
        """Whether the run has not ended."""
        return self._code is None and not select.select([self._status], [], [], 0)[0]

    def printed(self) -> str:
        """Return what the run has printed by now."""
        return _text(self._streams[0])

    def wait(self) -> int:
        """Wait for the end; return the exit code, negative for a signal."""
        if self._code is None:
            self._code = int(self._status.readline())
            self.seconds = monotonic() - self._begun
            self._status.close()
        return self._code

    def ends(self, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """Wait for the end, check the exit code, and return the output."""
        code = self.wait()
        output, errors = map(_text, self._streams)
        assert code == expect, output[-6000:] + errors[-3000:]
        return subprocess.CompletedProcess(self._command, code, output, errors)

    def kill(self) -> int:
        """Send SIGKILL, unless the run has ended; return the exit code."""
        if self._code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        return self.wait()


def _text(stream: IO[bytes]) -> str:
    # The run writes at the position that it shares with this process: reading must not move it.
    size = os.fstat(stream.fileno()).st_size
    return os.pread(stream.fileno(), size, 0).decode()


def start(
    program: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path = CHECKOUT
) -> Run:
    """Start `ecommerce` or `dbt` in the folder, as a process of its own."""
    server = _server()
    # The server's end of the pipe is closed when the run and its parent are gone.
    ours, theirs = os.pipe()
    streams: list[IO[bytes]] = [TemporaryFile(), TemporaryFile()]  # noqa: SIM115
    request = json.dumps([program, list(arguments), dict(environment), str(folder)]).encode()
    descriptors = [theirs, *(stream.fileno() for stream in streams)]
    socket.send_fds(server, [request], descriptors)
    os.close(theirs)
    return Run([program, *arguments], os.fdopen(ours), streams)


@cache
def _server() -> socket.socket:
    """Connect to the session's server; the first process that needs one starts it."""
    address = Path(os.environ[SESSION_FOLDER]) / "fork_server"
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with address.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            connection.connect(str(address))
        except (FileNotFoundError, ConnectionRefusedError):
            address.unlink(missing_ok=True)
            _start_server(address)
            connection.connect(str(address))
    return connection


def _start_server(address: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(address))
        listener.listen()
        subprocess.Popen(
            [sys.executable, "-m", __name__, str(listener.fileno())],
            cwd=CHECKOUT,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )


# ---- in the server ----


def _requests(listener: socket.socket) -> Iterator[tuple[bytes, list[int]]]:
    """Yield what the test processes send, until the last one has ended."""
    clients = [listener.accept()[0]]
    while clients:
        for ready in select.select([listener, *clients], [], [])[0]:
            if ready is listener:
                clients.append(listener.accept()[0])
                continue
            request, descriptors, *_ = socket.recv_fds(ready, 1 << 20, 3)
            if request:
                yield request, descriptors
            else:
                clients.remove(ready)
                ready.close()


def _serve(listener: socket.socket) -> None:
    from dbt.cli.main import dbtRunner
    from dbt_common.behavior_flags import BehaviorFlagRendered
    from dbt_common.tests import enable_test_caching

    from ecommerce.cli import build_parser, main

    # What `ecommerce` imports for a command takes longer than loading a small file.
    build_parser()
    import_module("dashboard.site")
    # Each run would search the source of all its callers for the name of the adapter's module.
    setattr(BehaviorFlagRendered, "_default_source", str)  # noqa: B010
    for model in CHECKOUT.glob("models/**/*.py"):
        runpy.run_path(str(model))
    # Runs are short, and would look through all that was imported and parsed for garbage.
    gc.disable()
    gc.freeze()
    # Parsing again what was parsed before takes half of the time then.
    enable_test_caching()
    _parse_without_threads()
    _compile_once()
    _find_ctes_without_parser()
    _describe_inputs_once()
    _read_dates_alike()
    _gather_macros_at_once()
    manifests: dict[tuple[str, ...], Any] = {}
    _take_huge_pages()
    for request, descriptors in _requests(listener):
        program, arguments, environment, folder = json.loads(request)
        if "--target" in arguments:
            # All targets but the default one need this adapter, a second of imports.
            import_module("dbt.adapters.databricks.impl")
            if host := environment.pop(PROBED_HOST, ""):
                # It looks for 1.5 s for a workspace behind https, once for a host.
                import_module("dbt.adapters.databricks.spog.probe").probe_host(host)
        os.environ.clear()
        os.environ.update(environment)
        manifest = None
        if folder == str(CHECKOUT) and is_parsed_before(program, arguments):
            options = parse_options(arguments if program == "dbt" else ("--target", "local"))
            if options not in manifests:
                manifests[options] = _parsed(dbtRunner(), options)
                if manifests[options]:
                    _compile_macros(manifests[options])
                    _warm_up(dbtRunner(manifests[options]), options)
                _take_huge_pages()
            manifest = manifests[options]
        if not os.fork():
            listener.close()
            os.chdir(folder)
            if is_without_log(program, arguments):
                _skip_debug_events()
            if program == "ecommerce" and manifest:
                _answer_parse_with(manifest)
            run = main if program == "ecommerce" else partial(_dbt, dbtRunner(manifest))
            _wait_for(partial(run, arguments), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _take_huge_pages() -> None:
    """Gather this process's memory in huge pages, where Linux can: it is a gigabyte.

    A fork copies an entry for each page, which took longer than most of the runs themselves.
    """
    maps, madv_collapse = Path("/proc/self/maps"), 25
    regions = maps.read_text("utf-8").splitlines() if maps.exists() else []
    advise = ctypes.CDLL(None).madvise
    for addresses, rights, _, _, _, *file in map(str.split, regions):
        if rights.startswith("rw") and file in ([], ["[heap]"]):
            start, end = (int(address, 16) for address in addresses.split("-"))
            # One that is too small, or an older system, is left as it is.
            advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), madv_collapse)


def is_parsed_before(program: str, arguments: Sequence[str]) -> bool:
    """Whether a run in the checkout runs dbt, and needs no project of its own."""
    if program == "ecommerce" and not {"erase", "run"} & {*arguments[:1]}:
        return False
    own = {"parse", "--project-dir"} & set(arguments)
    return not own and "DBT_SCHEMA_PREFIX" not in os.environ


def is_without_log(program: str, arguments: Sequence[str]) -> bool:
    """Whether a run writes no log file, or a whole run of the platform one that no test reads."""
    if program == "ecommerce":
        return arguments[:1] == ["run"]
    is_asked = any(option.startswith(("--log-", "--debug")) for option in arguments)
    return os.environ.get("DBT_LOG_LEVEL_FILE") == "none" and not is_asked


def parse_options(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the options of dbt that a manifest depends on."""
    given = dict(pairwise(arguments))
    options = ("--target", given["--target"]) if "--target" in given else ()
    read_later = READ_BY_SQL | READ_BY_TESTS if "run" in arguments else READ_BY_SQL
    if set(yaml.safe_load(given.get("--vars", "{}"))) - read_later:
        return (*options, "--vars", given["--vars"])
    return options


def _parsed(runner: Any, options: Sequence[str]) -> Any:
    """Return the manifest of the project; None where it cannot be parsed, as the run will say."""
    with TemporaryDirectory() as folder:
        written = ["--target-path", folder, "--log-path", folder]
        return runner.invoke(["--quiet", "--no-partial-parse", "parse", *options, *written]).result


def _parse_without_threads() -> None:
    """Keep dbt from its static parser, which has threads that a fork would wait for."""
    extractor = import_module("dbt_extractor")
    extract, failure = extractor.py_extract_from_source, extractor.ExtractionError

    def give_up(_: str) -> None:
        # Then dbt renders the model.
        raise failure

    @cache
    def extract_in_fork(source: str) -> Any:
        reader, writer = os.pipe()
        if child := os.fork():
            os.close(writer)
            with os.fdopen(reader, "rb") as result:
                found = result.read()
            os.waitpid(child, 0)
            if not found:
                raise failure
            return pickle.loads(found)
        try:
            os.write(writer, pickle.dumps(extract(source)))
        finally:
            os._exit(0)

    for module, replacement in (
        ("dbt.parser.models", give_up),
        ("dbt.clients.jinja_static", extract_in_fork),
    ):
        vars(import_module(module))["py_extract_from_source"] = replacement


def _compile_once() -> None:
    """Keep compiled templates: models, hooks and yml are the same in most runs."""
    from dbt_common.clients.jinja import MacroFuzzEnvironment

    compile_source, kept = MacroFuzzEnvironment.compile, {}

    def compile_or_take(environment: Any, source: str, *names: Any) -> Any:
        key = type(environment), source
        if key not in kept:
            kept[key] = compile_source(environment, source, *names)
        return kept[key]

    setattr(MacroFuzzEnvironment, "compile", compile_or_take)  # noqa: B010


def _find_ctes_without_parser() -> None:
    """Spare dbt from parsing a query to find its first CTE, a third of the time of unit tests."""
    compilation = import_module("dbt.compilation")
    # Its classes are not typed.
    sql: Any = sqlparse.sql
    tokens = sqlparse.tokens

    def split_after_with(text: str) -> tuple[sqlparse.sql.Statement, ...]:
        found = _WITH.fullmatch(text)
        if not found:
            return sqlparse.parse(text)
        kinds = (tokens.Comment, tokens.Keyword, tokens.Whitespace, tokens.Other)
        return (sql.Statement([*map(sql.Token, kinds, found.groups())]),)

    parser = SimpleNamespace(parse=split_after_with, sql=sql, tokens=tokens)
    setattr(compilation, "sqlparse", parser)  # noqa: B010


# A single query that starts with CTEs, after comments, in four parts.
_WITH: Final = re.compile(
    r"((?:\s+|--[^\n]*\n|/\*.*?\*/)*)(with)(\s+)(?!recursive\b)([^;]+)", re.DOTALL | re.IGNORECASE
)


def _describe_inputs_once() -> None:
    """Spare dbt from asking DuckDB for a table's columns for each unit test that it is input of.

    A run builds a table before the unit tests of what reads it.
    """
    runner = import_module("dbt.task.test").TestRunner
    adapter = import_module("dbt.adapters.duckdb.impl").DuckDBAdapter
    execute, find = runner.execute_unit_test, adapter.get_columns_in_relation
    kept: dict[str, Any] = {}
    thread = local()

    def execute_marked(test: Any, *nodes: Any) -> Any:
        thread.is_testing = True
        try:
            return execute(test, *nodes)
        finally:
            thread.is_testing = False

    def find_or_take(self: Any, relation: Any) -> Any:
        # The rows of a test are in a relation of its own, whose name others may have.
        if not getattr(thread, "is_testing", False) or "__dbt_tmp" in relation.identifier:
            return find(self, relation)
        name = str(relation)
        if not kept.get(name):
            kept[name] = find(self, relation)
        return kept[name]

    runner.execute_unit_test = execute_marked
    adapter.get_columns_in_relation = find_or_take


def _read_dates_alike() -> None:
    """Keep the expressions of dates, which agate would make twice for each result of a query."""
    parsedatetime = import_module("parsedatetime")
    vars(parsedatetime)["Constants"] = cache(parsedatetime.Constants)
    parsedatetime.Constants(localeID=None)


def _gather_macros_at_once() -> None:
    """Make the macros of each node's context in one go, a twentieth of a build's time.

    dbt makes each by five calls, and looks up each name in up to five namespaces.
    """
    macros = import_module("dbt.context.macros")
    generator = import_module("dbt.clients.jinja").MacroGenerator

    def keep(
        self: Any, macro: Any, context: Any = None, node: Any = None, stack: Any = None
    ) -> None:
        self.macro, self.context, self.node, self.stack = macro, context, node, stack

    class Namespace(dict[str, Any]):
        get_from_package = macros.MacroNamespace.get_from_package

        def __init__(self, own: Any, root: Any, internal: Any, packages: Any) -> None:
            # What comes later wins.
            super().__init__(internal)
            self.update({"dbt": internal, **packages, **root, **own})
            self.global_project_namespace, self.packages = internal, packages

    def build(self: Any, by_package: Any, context: Any) -> Namespace:
        made = {
            package: {
                name: generator(macro, context, self.node, self.thread_ctx)
                for name, macro in found.items()
            }
            for package, found in by_package.items()
        }
        internal: dict[str, Any] = {}
        for package in reversed(self.internal_package_names_order):
            internal.update(made.get(package, {}))
        packages = {key: made[key] for key in made if key not in self.internal_package_names}
        own, root = (packages.get(key, {}) for key in (self.search_package, self.root_package))
        return Namespace(own, root, internal, packages)

    generator.__init__ = keep
    macros.MacroNamespaceBuilder.build_namespace = build


def _compile_macros(manifest: Any) -> None:
    """Compile the templates of macros, a quarter of a run's time, which dbt caches by name."""
    from dbt_common.clients.jinja import template_cache

    for macro in manifest.macros.values():
        template_cache.get_node_template(macro)


def _warm_up(runner: Any, options: Sequence[str]) -> None:
    """Run what executes nothing: dbt generates code for its own classes when it first needs it."""
    with TemporaryDirectory() as folder:
        written = ["--target-path", folder, "--log-path", folder]
        runner.invoke(["--quiet", "list", "--select", "events_raw", *options, *written])


def _skip_debug_events() -> None:
    """Neither make nor fire what a run without a log file shows nowhere, a sixth of its time."""
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager

    make, fire = BaseEvent.__init__, EventManager.fire_event
    # Each line is written at once, because a run ends without closing its files.
    file = os.environ.get("RECORDED_STATEMENTS")
    recorded = Path(file).open("a", encoding="utf-8", buffering=1) if file else None  # noqa: SIM115

    def make_later(event: BaseEvent, *args: Any, **fields: Any) -> None:
        vars(event)["unmade"] = args, fields

    def make_and_get(event: BaseEvent, name: str) -> Any:
        if name == "pb_msg":
            args, fields = vars(event)["unmade"]
            make(event, *args, **fields)
            return event.pb_msg
        return getattr(event.pb_msg, name)

    def fire_others(
        manager: EventManager, e: BaseEvent, level: EventLevel | None = None, **options: Any
    ) -> None:
        if (level or e.level_tag()) is not EventLevel.DEBUG:
            fire(manager, e, level, **options)
        elif recorded and type(e).__name__ in _RECORDED:
            recorded.write(json.dumps(vars(e)["unmade"][1]) + "\n")

    for owner, name, patch in (
        (BaseEvent, "__init__", make_later),
        (BaseEvent, "__getattr__", make_and_get),
        (EventManager, "fire_event", fire_others),
    ):
        setattr(owner, name, patch)


def _answer_parse_with(manifest: Any) -> None:
    """Let `ecommerce`, which parses the project by dbt's Python API, get the parsed one."""
    from dbt.cli import main

    class Parsed(main.dbtRunner):
        def invoke(self, args: list[str], **options: Any) -> main.dbtRunnerResult:
            if "parse" in args:
                return main.dbtRunnerResult(success=True, result=manifest)
            return super().invoke(args, **options)

    setattr(main, "dbtRunner", Parsed)  # noqa: B010


def _dbt(runner: Any, arguments: list[str]) -> int:
    result = runner.invoke(arguments)
    if result.success:
        return 0
    return 2 if result.exception else 1


def _wait_for(run: Callable[[], int], status: int, output: int, errors: int) -> None:
    """Run in a process of its own; report its number and its exit code."""
    if pid := os.fork():
        os.write(status, f"{pid}\n".encode())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.write(status, f"{code}\n".encode())
        os._exit(0)
    os.close(status)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    try:
        code = run()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    # Exit without the half second of freeing memory.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
