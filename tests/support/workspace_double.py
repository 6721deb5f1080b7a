"""A Databricks workspace on 127.0.0.1: `minilake` behind a proxy that can answer in its place.

`minilake` (MIT, from PyPI) stores catalogs, volumes, files and jobs and runs SQL tasks, but it
accepts any token and enforces no privilege. A rule of `Workspace` answers a request that minilake
cannot, as Databricks documents it; all other requests are forwarded. Each test states its rules.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import VolumeType

from project.home import CHECKOUT
from support.prerequisites import missing

ENVIRONMENT: Final = CHECKOUT / ".venv-tools"
CATALOG: Final = "ecommerce_analytics_dev"
LANDING: Final = f"/Volumes/{CATALOG}/bronze_layer/raw_data/landing"
NOTES: Final = f"/Volumes/{CATALOG}/bronze_layer/raw_data/_uploads"


@contextmanager
def minilake(folder: Path) -> Iterator[str]:
    """Run the emulator in a process of its own and yield its address."""
    program = ENVIRONMENT / "bin" / "minilake"
    if not program.exists():
        missing(f"no {program}: `make test` makes it (or `make .venv-tools/installed`)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "MINILAKE_DATA_DIR": str(folder / "data"),
        "MINILAKE_NOTEBOOK": "0",
        # Keep it from downloading a DuckDB extension and a Spark image of a gigabyte.
        "MINILAKE_DUCKDB_EXTENSION_DIR": str(folder / "extensions"),
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
    }
    with (folder / "minilake.log").open("w") as log:
        process = subprocess.Popen(
            [program, "--port", str(port)], cwd=folder, env=environment, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/_minilake/health", process)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "minilake has exited"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError("minilake does not answer")


class Call:
    """One request to answer or forward; its body is read on demand."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        self.method = handler.command
        self.path = unquote(parts.path)
        self.query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.length = int(handler.headers.get("Content-Length") or 0)
        self._handler = handler

    def read(self, size: int | None = None) -> bytes:
        """Read the body or `size` bytes of it; fewer if the client disconnects."""
        return self._handler.rfile.read(self.length if size is None else size)

    def wait_until_client_is_gone(self) -> None:
        """Read and discard the rest of the request until the connection ends."""
        try:
            while self._handler.rfile.read(1 << 16):
                pass
        except OSError:
            pass

    def answer(
        self, status: int, content: Any = None, headers: dict[str, str] | None = None
    ) -> None:
        """Answer with JSON or raw bytes; the request body must have been read."""
        body = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
        self._handler.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self._handler.send_header(name, value)
        if status != 204:
            self._handler.send_header("Content-Length", str(len(body)))
        self._handler.end_headers()
        if status != 204 and self.method != "HEAD":
            self._handler.wfile.write(body)

    def refuse(self, status: int, error_code: str | int, message: str) -> None:
        """Answer with an error of the REST API: a status, `error_code` and `message`."""
        self.read()
        self.answer(status, {"error_code": error_code, "message": message})


Rule = Callable[[Call], bool]


class Workspace:
    """The address for the command line, the active rules and the calls received."""

    def __init__(self, emulator: str) -> None:
        self.emulator = emulator
        self.rules: list[Rule] = []
        self.calls: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        workspace = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer's body would wait 40 ms for the client to acknowledge its headers.
            disable_nagle_algorithm = True

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    # A killed client leaves its connections open.
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None: ...

            def do_GET(self) -> None:
                call = Call(self)
                workspace.calls.append(f"{call.method} {call.path}")
                if not any(rule(call) for rule in workspace.rules):
                    workspace.forward(call)

            do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do_GET

        return Handler

    @contextmanager
    def serving(self) -> Iterator[Workspace]:
        """Serve until the block ends, with the volume of target dev."""
        self.prepare()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def forward(self, call: Call, body: bytes | None = None) -> None:
        """Answer as minilake does, to the request's body or to another one."""
        status, headers, content = self._ask(
            call.method, call._handler.path, call.read() if body is None else body
        )
        kept = {name: headers[name] for name in ("Content-Type",) if name in headers}
        if call.method == "HEAD":
            # The headers describe a body that HEAD does not send.
            call._handler.send_response(status)
            for name, value in headers.items():
                call._handler.send_header(name, value)
            call._handler.end_headers()
            return
        call.answer(status, content, kept)

    def _ask(
        self, method: str, path: str, body: bytes
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.emulator).netloc, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def prepare(self) -> None:
        """Create what the bundle deploys for target dev, and for no other target."""
        client = self.client()
        client.catalogs.create(CATALOG)
        client.schemas.create("bronze_layer", CATALOG)
        client.volumes.create(CATALOG, "bronze_layer", "raw_data", VolumeType.MANAGED)

    def reset(self) -> None:
        """Clear rules, calls, files and jobs."""
        self.rules.clear()
        client = self.client()
        for folder in (LANDING, NOTES):
            for name in self.stored(folder):
                client.files.delete(f"{folder}/{name}")
        for job in client.jobs.list():
            client.jobs.delete(int(job.job_id or 0))
        self.calls.clear()

    def client(self) -> WorkspaceClient:
        """Return a client of minilake itself, for a test's preparations."""
        return WorkspaceClient(host=self.emulator, token="any", auth_type="pat")

    def store(self, path: str, content: bytes) -> None:
        """Store a file without the command line."""
        status, _, _ = self._ask("PUT", f"/api/2.0/fs/files{quote(path)}", content)
        assert status == 204, status

    def stored(self, folder: str = LANDING) -> dict[str, bytes]:
        """Return the files of a folder by name."""
        status, _, listing = self._ask("GET", f"/api/2.0/fs/directories{folder}", b"")
        if status == 404:
            return {}
        names = [entry["name"] for entry in json.loads(listing)["contents"]]
        return {
            name: self._ask("GET", f"/api/2.0/fs/files{folder}/{quote(name)}", b"")[2]
            for name in names
        }


def environment_for(url: str | None, **more: str) -> dict[str, str]:
    """Return environment variables that name this workspace and no other."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS")}
    known = {"DATABRICKS_HOST": url, "DATABRICKS_TOKEN": "dapi-for-tests"} if url else {}
    return kept | known | {"DATABRICKS_CONFIG_FILE": "/nonexistent/databrickscfg"} | more


def set_environment(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """Replace this process's environment for the duration of a test."""
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
