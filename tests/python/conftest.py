"""Fixtures and options that all tests share."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from xdist.scheduler import LoadFileScheduling

from project.home import CHECKOUT
from support.fork_server import SESSION_FOLDER
from support.platform_runs import Home

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from support.workspace_double import Workspace


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--histories",
        type=int,
        help="random histories that test_histories.py tries (default: 200, always the same ones)",
    )
    parser.addoption(
        "--mutations",
        type=int,
        help="mutated files that test_byte_fuzz.py loads (default: 2000, always the same ones)",
    )
    parser.addoption(
        "--generated-events",
        type=int,
        default=1_000_000,
        help="events that test_generator_calibration.py generates and compares (%(default)s)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give all test processes one folder, and one in memory for temporary files."""
    # A shell's background job ignores Ctrl-C, and so would each command that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # No test connects by TLS, and the connector would read all certificates for each connection.
    os.environ["SSL_CERT_FILE"] = os.devnull
    # A developer's shell may name a catalog of their own, and tests expect that of the target.
    for name in [name for name in os.environ if name.startswith("BUNDLE_VAR_")]:
        del os.environ[name]
    if SESSION_FOLDER not in os.environ:
        folder = TemporaryDirectory()
        os.environ[SESSION_FOLDER] = folder.name
        config.add_cleanup(folder.cleanup)
        # Databases wait for the disk at each commit. `--basetemp` keeps the files.
        memory = _folder_in_memory()
        if memory and not config.option.basetemp:
            temporary = TemporaryDirectory(dir=memory)
            config.option.basetemp = Path(temporary.name, "pytest")
            config.add_cleanup(temporary.cleanup)


def _folder_in_memory() -> Path | None:
    """Return a folder in memory for temporary files, None without one."""
    folder = Path("/dev/shm")
    is_usable = folder.is_dir() and os.access(folder, os.W_OK)
    return folder if is_usable and shutil.disk_usage(folder).free > 4 * 2**30 else None


@pytest.fixture(scope="module", autouse=True)
def _no_files_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Remove the files of a module after its last test: together they would take gigabytes."""
    folder = tmp_path_factory.getbasetemp()
    before = set(folder.iterdir())
    yield
    for path in set(folder.iterdir()) - before:
        path.unlink() if path.is_symlink() else shutil.rmtree(path, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start files that took long before others, so that no process is left with one at the end."""
    seconds: Counter[str] = Counter()
    for name, duration in json.loads((CHECKOUT / ".test_durations").read_text("utf-8")).items():
        seconds[name.partition("::")[0]] += duration
    items.sort(key=lambda item: -seconds[item.nodeid.partition("::")[0]])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep all that is imported from being looked through for garbage, time and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give one process all files that use Spark on the JVM, which takes long to warm up."""
    scheduler: Any = LoadFileScheduling(config, log)
    scheduler._split_scope = lambda test: _process_of(test.partition("::")[0])
    return scheduler


@cache
def _process_of(file: str) -> str:
    imports = r"(?m)^from support\.(auto_loader|spark)_runs import"
    return "Spark" if re.search(imports, (CHECKOUT / file).read_text("utf-8")) else file


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real rows beside the checkout, which is not part of the repository."""
    return _beside_the_checkout("data", "real rows")


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of small files as people bring them, which is not part of the repository."""
    return _beside_the_checkout("cases", "cases")


def _beside_the_checkout(name: str, title: str) -> Path:
    folder = CHECKOUT.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"{title} are absent: no folder shared/{name} beside the checkout")
    return folder


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The manifest of the dbt project, which one test process parses for all."""
    saved = Path(os.environ[SESSION_FOLDER]) / "manifest.json"
    with saved.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not saved.exists():
            home = Home(tmp_path_factory.mktemp("parsed"))
            home.dbt("parse", "--write-json")
            shutil.copyfile(home.folder / "target" / "manifest.json", saved)
    found: dict[str, Any] = json.loads(saved.read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session of Spark on the JVM, without tables."""
    # Most tests must not pay for importing Spark.
    from support.auto_loader_runs import require_java, start_spark

    require_java()
    session = start_spark(tmp_path_factory.mktemp("warehouse"))
    yield session
    session.stop()


@pytest.fixture(scope="module")
def workspace_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A double of a Databricks workspace."""
    # Most tests must not pay for importing the SDK.
    from support.workspace_double import Workspace, minilake

    with minilake(tmp_path_factory.mktemp("minilake")) as url, Workspace(url).serving() as server:
        yield server


@pytest.fixture
def workspace(workspace_server: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The double, emptied, with this process's environment set to use it."""
    from support.workspace_double import environment_for, set_environment

    workspace_server.reset()
    set_environment(monkeypatch, environment_for(workspace_server.url))
    return workspace_server
