"""The warehouse for tests: start, stop, principals, loading and reading rows, the journal."""

import json
import re
import shutil
import threading
import uuid
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
from databricks import sql as connector

from workspace.answers import read_answers

from . import ddl, thrift_server
from .context import Context
from .engine import Engine, folder_sql
from .ledger import Container, GovernedTag, Key, Ledger, Principal, Relation
from .notebook import run
from .rest import Rest, RestError
from .session import Entry, Journal, Session
from .sql_text import Cursor, quote

WAREHOUSE_ID = "abc"
# What the tests believe that a workspace answers to the probes.
ANSWERS = Path(__file__).with_name("answers.json")
VOLUME_FILES = "/api/2.0/fs/files"


class Warehouse:
    """A loopback SQL warehouse on 127.0.0.1, with the given catalogs and principals.

    `principals` maps a name to its account groups; each has a token (`token(name)`). `owner` owns
    the catalogs. `groups` are further account groups, without members. `answers` is a file of
    `ecommerce databricks probe`, by which it behaves. As a context manager it stops at the end. The
    journal has every statement and REST request.
    """

    def __init__(
        self,
        catalogs: Iterable[str] = ("ecommerce_analytics_dev",),
        principals: Mapping[str, Iterable[str]] | None = None,
        owner: str = "pipeline",
        groups: Iterable[str] = (),
        port: int = 0,
        answers: Path = ANSWERS,
    ) -> None:
        self.ledger, self.journal, self.engine = Ledger(), Journal(), Engine()
        self.ledger.answers = read_answers(answers).answers
        self.stopped = False
        self.busy = False
        self.expired: set[str] = set()
        self.volume_files: dict[str, bytes] = {}
        self._tokens: dict[str, str] = {}
        self._sessions: dict[bytes, Session] = {}
        self._rest = Rest(self)
        self._notebooks = threading.Lock()
        self.owner = owner
        self.ledger.groups |= set(groups)
        for name, of in ({owner: ()} | dict(principals or {})).items():
            self.add_principal(name, of)
        names = list(catalogs)
        for catalog in names:
            self.create_catalog(catalog)
        self._default_catalog = names[0] if names else "hive_metastore"
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving and delete all tables."""
        self._http.shutdown()
        self._http.server_close()
        self.engine.stop()

    # ---- connecting ----

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._http.server_address[1])

    @property
    def host(self) -> str:
        """The host for profiles.yml and DATABRICKS_HOST, with its scheme."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def http_path(self) -> str:
        """The warehouse's http_path."""
        return f"/sql/1.0/warehouses/{WAREHOUSE_ID}"

    @property
    def connection_uri(self) -> str:
        """The connector's `_connection_uri`."""
        return self.host + self.http_path

    def connect(self, principal: str, token: str | None = None, **options: Any) -> Any:
        """Return a connection of the real databricks-sql-connector."""
        defaults = {
            "access_token": self.token(principal) if token is None else token,
            "_connection_uri": self.connection_uri,
            "enable_telemetry": False,
        }
        return connector.connect(
            server_hostname="127.0.0.1", http_path=self.http_path, **(defaults | options)
        )

    def profile(
        self, catalog: str, schema: str, principal: str, threads: int = 4
    ) -> dict[str, Any]:
        """Return a dbt output of profiles.yml for a principal."""
        return {
            "type": "databricks",
            "host": self.host,
            "http_path": self.http_path,
            "token": self.token(principal),
            "catalog": catalog,
            "schema": schema,
            "threads": threads,
            "connection_parameters": {
                "_connection_uri": self.connection_uri,
                "enable_telemetry": False,
            },
        }

    # ---- principals ----

    def add_principal(
        self, name: str, groups: Iterable[str] = (), token: str | None = None
    ) -> Principal:
        """Add a principal or change its groups; its token is `token-<name>` by default."""
        principal = Principal(name, frozenset(groups))
        self.ledger.add_principal(principal)
        self._tokens[token or f"token-{name}"] = name
        return principal

    def token(self, name: str) -> str:
        """Return a token of a principal."""
        return next(token for token, who in self._tokens.items() if who == name)

    def authenticate(self, header: str | None) -> Principal:
        """Return the principal of an Authorization header, or raise as Databricks does."""
        kind, _, token = (header or "").strip().partition(" ")
        if kind.lower() != "bearer" or not token:
            raise RestError(
                401,
                "UNAUTHENTICATED",
                "Credential was not sent or was of an unsupported type for this API.",
            )
        if token in self.expired:
            raise RestError(403, "PERMISSION_DENIED", "Invalid access token: it has expired.")
        if token not in self._tokens:
            raise RestError(403, "PERMISSION_DENIED", "Invalid access token.")
        return self.ledger.principal(self._tokens[token])

    def require_running(self) -> None:
        """Raise while the warehouse is stopped."""
        if self.stopped:
            raise RestError(
                400,
                "BAD_REQUEST",
                f"SQL warehouse {WAREHOUSE_ID} is stopped and could not be started: you need "
                "CAN USE on it, or its start failed.",
            )

    # ---- sessions ----

    def session(
        self,
        principal: Principal,
        catalog: str | None = None,
        schema: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> Session:
        """Return a new session."""
        context = Context(
            self.ledger,
            self.engine,
            principal,
            (catalog or self._default_catalog).lower(),
            (schema or "default").lower(),
            settings=dict(settings or {}),
        )
        return Session(context, self.journal, str(uuid.uuid4()))

    def execute(
        self, statement: str, principal: str | None = None, catalog: str | None = None
    ) -> pa.Table:
        """Run one statement in a new session, without the network."""
        who = self.ledger.principal(principal or self.owner)
        return self.session(who, catalog).execute(statement)

    def answer_thrift(self, principal: Principal, path: str, body: bytes) -> bytes:
        """Return the response to a Thrift message that was sent to a warehouse's path."""
        if path.rstrip("/") != self.http_path:
            name = path.rstrip("/").rpartition("/")[2]
            raise RestError(404, "RESOURCE_DOES_NOT_EXIST", f"SQL warehouse {name} does not exist.")
        self.require_running()
        service = thrift_server.Service(principal, self._sessions, self.session)
        return thrift_server.answer(service, body)

    def answer_rest(
        self, header: str | None, method: str, path: str, args: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the response to a REST request, and add it to the journal."""
        entry = Entry("", "", f"{method} {path}", "REST", "rest")
        try:
            if path == "/.well-known/databricks-config":
                return {"oidc_endpoint": f"{self.host}/oidc", "workspace_id": "1"}
            principal = self.authenticate(header)
            entry.principal = principal.name
            return self._rest.answer(principal, method, path, args)
        except RestError as error:
            entry.error = str(error)
            raise
        finally:
            self.journal.add(entry)

    def answer_file(self, method: str, path: str, body: bytes) -> bytes:
        """Return or replace the content of a file in a volume; privileges are not checked."""
        name = unquote(path.removeprefix(VOLUME_FILES))
        self.journal.add(Entry("", "", f"{method} {name}", "FILE", "rest"))
        if method == "PUT":
            self.volume_files[name] = body
        elif name not in self.volume_files:
            raise RestError(404, "NOT_FOUND", f"The file {name} does not exist.")
        return self.volume_files[name] if method == "GET" else b""

    def run_notebook(self, principal: Principal, source: str) -> None:
        """Run a Python notebook as a principal; one at a time: pyspark has one active session."""
        with self._notebooks:
            session = self.session(principal)
            run(session.context, source)

    # ---- for tests ----

    def save(self, folder: Path) -> None:
        """Save tables, views, functions and grants in a new folder."""
        shutil.copytree(self.engine.root, folder / "tables")
        (folder / "ledger").write_bytes(self.ledger.save())

    def restore(self, folder: Path) -> None:
        """Replace tables, views, functions and grants by those that a warehouse saved."""
        self.engine.restore(folder / "tables")
        self.ledger.restore((folder / "ledger").read_bytes(), self.engine.root)

    def statements(self, kind: str = "", principal: str = "", matching: str = "") -> list[Entry]:
        """Return journal entries; see `Journal.select`."""
        return self.journal.select(kind, principal, matching)

    def create_catalog(self, name: str, owner: str | None = None) -> None:
        """Create a catalog with its schema `default`."""
        with self.ledger.lock:
            self.ledger.catalogs[(name,)] = Container((name,), owner or self.owner)
        self.create_schema(f"{name}.default", owner)

    def create_schema(self, name: str, owner: str | None = None) -> None:
        """Create a schema, `catalog.schema`, unless it exists."""
        key = tuple(Cursor(name).name())
        with self.ledger.lock:
            self.ledger.schemas.setdefault(key, Container(key, owner or self.owner))

    def govern_tag(self, key: str, values: Iterable[str], assigners: Iterable[str]) -> None:
        """Make a tag of the account governed: its allowed values, and who may assign it."""
        with self.ledger.lock:
            self.ledger.governed[key] = GovernedTag(frozenset(values), frozenset(assigners))

    def create_external_location(self, name: str, owner: str | None = None) -> None:
        """Create an external location, for grants on it."""
        with self.ledger.lock:
            self.ledger.locations[(name,)] = Container((name,), owner or self.owner)

    def load(self, name: str, rows: pa.Table, owner: str | None = None) -> None:
        """Add rows to a table, `catalog.schema.table`; create it and its schema if needed."""
        key: Key = tuple(Cursor(name).name())
        self.create_schema(quote(key[:2]), owner)
        if key not in self.ledger.relations:
            schema = self.engine.frame(rows.slice(0, 1)).schema
            relation = Relation(key, "MANAGED", owner or self.owner)
            relation.columns = ddl.columns_of(schema)
            relation.folder = self.engine.new_table(schema)
            with self.ledger.lock:
                self.ledger.relations[key] = relation
        with self.ledger.write_lock(key):
            relation = self.ledger.relation(key)
            folder = self.engine.copy_table(relation.folder)
            frame = self.engine.frame(rows.select([c.name for c in relation.columns]))
            self.engine.append_frame(folder, frame)
            with self.ledger.lock:
                relation.folder = folder

    def land(self, file: str, rows: pa.Table) -> None:
        """Replace the rows that READ_FILES reads from a file's folder.

        `file` is the path of the only file there, /Volumes/catalog/schema/volume/...; the volume is
        created if needed.
        """
        key: Key = tuple(file.lower().split("/")[2:5])
        with self.ledger.lock:
            self.ledger.volumes.setdefault(key, Container(key, self.owner))
        frame = self.engine.frame(rows)
        folder = self.engine.new_table(frame.schema)
        self.engine.append_frame(folder, frame)
        with self.ledger.lock:
            self.ledger.files[file.rpartition("/")[0]] = folder, file

    def read(self, name: str) -> pa.Table:
        """Return all rows of a table as stored, without its policies."""
        relation = self.ledger.relation(tuple(Cursor(name).name()))
        return self.engine.query(f"select * from {folder_sql(relation.folder)}")


def _handler(warehouse: Warehouse) -> type[BaseHTTPRequestHandler]:
    """Return the HTTP handler of one warehouse."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _reply(self, status: int, body: bytes, kind: str, **headers: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            authorization = self.headers.get("Authorization")
            try:
                if url.path.startswith("/sql/"):
                    principal = warehouse.authenticate(authorization)
                    answer = warehouse.answer_thrift(principal, url.path, body)
                    self._reply(200, answer, "application/x-thrift")
                    return
                if url.path.startswith(VOLUME_FILES):
                    warehouse.authenticate(authorization)
                    content = warehouse.answer_file(self.command, url.path, body)
                    self._reply(200, content, "application/octet-stream")
                    return
                args: dict[str, Any] = dict(parse_qsl(url.query))
                if body[:1] == b"{":
                    args |= json.loads(body)
                found = warehouse.answer_rest(authorization, self.command, url.path, args)
                self._reply(200, json.dumps(found).encode(), "application/json")
            except RestError as error:
                self._refuse(error)
            except Exception as error:
                # On a broken connection or a status of 500, a client would retry for minutes.
                text = f"The loopback warehouse failed: {type(error).__name__}: {error}"
                self._refuse(RestError(400, "INTERNAL_ERROR", text))

        def _refuse(self, error: RestError) -> None:
            found = {"error_code": error.code, "message": str(error)}
            self._reply(
                error.status,
                json.dumps(found).encode(),
                "application/json",
                x_thriftserver_error_message=re.sub(r"\s+", " ", str(error)),
            )

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _any

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: the journal has every request."""

    return Handler
