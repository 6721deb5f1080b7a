"""The REST routes that dbt-databricks and databricks-sdk call."""

import base64
import itertools
import re
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from .attributes import policies_on
from .errors import WarehouseError
from .ledger import AttributePolicy, Principal
from .policies import require_owner
from .sql_text import edited, string_literal, tokenize
from .thrift_server import type_name

if TYPE_CHECKING:
    from .server import Warehouse

Json = dict[str, Any]


class RestError(Exception):
    """A response other than 200: HTTP status, error code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Rest:
    """Workspace files, one-off job runs and the Statement Execution API."""

    def __init__(self, warehouse: "Warehouse") -> None:
        self._warehouse = warehouse
        self._files: dict[str, str] = {}
        self._runs: dict[int, tuple[Json, Json]] = {}
        self._statements: dict[str, Json] = {}
        self._ids = itertools.count(1000)

    def answer(self, principal: Principal, method: str, path: str, args: Json) -> Json:
        """Return the JSON response to a request."""
        for verb, pattern, handler in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match and verb == method:
                return handler(self, principal, args, *match.groups())
        raise RestError(
            404, "ENDPOINT_NOT_FOUND", f"The loopback warehouse has no route {method} {path}"
        )

    def _me(self, principal: Principal, args: Json) -> Json:
        groups = [{"display": g} for g in sorted(principal.groups)]
        return {"id": "1", "userName": principal.name, "active": True, "groups": groups}

    def _nothing(self, principal: Principal, args: Json, *_: str) -> Json:
        return {}

    def _import(self, principal: Principal, args: Json) -> Json:
        self._files[args["path"]] = base64.b64decode(args["content"]).decode("utf-8")
        return {}

    def _status(self, principal: Principal, args: Json) -> Json:
        if args["path"] not in self._files:
            raise RestError(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({args['path']}) doesn't exist.")
        return {"object_id": 1, "object_type": "NOTEBOOK", "path": args["path"]}

    def _submit(self, principal: Principal, args: Json) -> Json:
        """Run the notebook immediately, so that the client's first poll finds it ended."""
        run, task = next(self._ids), args["tasks"][0]
        path = task["notebook_task"]["notebook_path"]
        state = {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS", "state_message": ""}
        output: Json = {}
        try:
            if path not in self._files:
                raise RestError(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")
            self._warehouse.run_notebook(principal, self._files[path])
        except Exception as error:
            state |= {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"}
            state["state_message"] = str(error)
            output = {"error": str(error), "error_trace": traceback.format_exc()}
        found = {
            "run_id": run,
            "job_id": run,
            "run_name": args.get("run_name"),
            "state": state,
            "tasks": [{"run_id": run, "task_key": task.get("task_key"), "state": state}],
        }
        self._runs[run] = found, output
        return {"run_id": run}

    def _run(self, principal: Principal, args: Json) -> Json:
        return self._found_run(args)[0]

    def _output(self, principal: Principal, args: Json) -> Json:
        found, output = self._found_run(args)
        return {"metadata": found, **output}

    def _found_run(self, args: Json) -> tuple[Json, Json]:
        run = int(args["run_id"])
        if run not in self._runs:
            raise RestError(400, "INVALID_PARAMETER_VALUE", f"Run {run} does not exist.")
        return self._runs[run]

    def _warehouse_state(self, principal: Principal, args: Json, name: str) -> Json:
        state = "STOPPED" if self._warehouse.stopped else "RUNNING"
        return {"id": name, "name": name, "state": state, "warehouse_type": "PRO"}

    def _policies(self, principal: Principal, args: Json, kind: str, name: str) -> Json:
        """Return the policies attached to an object, as `policies.list_policies` reads them."""
        ledger, key = self._warehouse.ledger, tuple(name.lower().split("."))
        try:
            require_owner(ledger, principal, kind.upper(), key)
        except WarehouseError as error:
            missing = error.error_class != "INSUFFICIENT_PERMISSIONS"
            status, code = (404, "NOT_FOUND") if missing else (403, "PERMISSION_DENIED")
            raise RestError(status, code, str(error)) from error
        return {"policies": [policy_json(p) for p in policies_on(ledger, kind.upper(), key)]}

    def _execute(self, principal: Principal, args: Json) -> Json:
        """Run one statement and return all rows inline, as text."""
        if args.get("disposition", "INLINE") != "INLINE" or args.get("format") not in (
            None,
            "JSON_ARRAY",
        ):
            raise RestError(
                400,
                "INVALID_PARAMETER_VALUE",
                "The loopback warehouse supports only INLINE JSON_ARRAY.",
            )
        self._warehouse.require_running()
        session = self._warehouse.session(principal, args.get("catalog"), args.get("schema"))
        answer: Json = {"statement_id": session.name}
        self._statements[session.name] = answer
        if self._warehouse.busy:
            answer["status"] = {"state": "PENDING"}
            return answer
        try:
            text = with_parameters(args["statement"], args.get("parameters", []))
            rows = session.execute(text)
            answer |= {"status": {"state": "SUCCEEDED"}, **as_json(rows, args.get("row_limit"))}
        except WarehouseError as error:
            answer["status"] = {
                "state": "FAILED",
                "sql_state": error.sqlstate,
                "error": {"error_code": "BAD_REQUEST", "message": str(error)},
            }
        return answer

    def _statement(self, principal: Principal, args: Json, statement: str) -> Json:
        if statement not in self._statements:
            raise RestError(404, "NOT_FOUND", f"The statement {statement} was not found.")
        return self._statements[statement]

    def _cancel(self, principal: Principal, args: Json, statement: str) -> Json:
        answer = self._statement(principal, args, statement)
        if answer["status"]["state"] == "PENDING":
            answer["status"] = {"state": "CANCELED"}
        return {}


def policy_json(policy: AttributePolicy) -> Json:
    """Return a policy as the REST API describes it."""
    options: Json = {"function_name": ".".join(policy.function)}
    if policy.using:
        options["using"] = [{"alias": alias} for alias in policy.using]
    if policy.column:
        options["on_column"] = policy.column
    return {
        "name": policy.name,
        "policy_type": f"POLICY_TYPE_{policy.kind}",
        "on_securable_type": policy.on[0],
        "on_securable_fullname": ".".join(policy.on[1]),
        "for_securable_type": "TABLE",
        "to_principals": list(policy.to),
        "except_principals": list(policy.exempt),
        "match_columns": [{"condition": c, "alias": a} for c, a in policy.matches],
        "created_by": policy.created_by,
        policy.kind.lower(): options,
        **({"when_condition": policy.when} if policy.when else {}),
        **({"comment": policy.comment} if policy.comment else {}),
    }


def as_json(rows: pa.Table, limit: int | None) -> Json:
    """Return rows as in the Statement Execution API: every value is text or null."""
    shown = rows if limit is None else rows.slice(0, limit)
    columns = [
        {"name": f.name, "position": i, "type_name": type_name(f.type), "type_text": str(f.type)}
        for i, f in enumerate(rows.schema)
    ]
    data = [[_text(v) for v in row.values()] for row in shown.to_pylist()]
    return {
        "manifest": {
            "format": "JSON_ARRAY",
            "schema": {"column_count": len(columns), "columns": columns},
            "total_row_count": shown.num_rows,
            "total_chunk_count": 1,
            "truncated": shown.num_rows < rows.num_rows,
        },
        "result": {"chunk_index": 0, "row_offset": 0, "row_count": len(data), "data_array": data},
    }


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).replace("+00:00", "Z")
    return str(value)


def with_parameters(text: str, parameters: list[Json]) -> str:
    """Return a statement with its named markers (:name) replaced by typed literals."""
    values = {p["name"].lower(): p for p in parameters}
    tokens, edits = tokenize(text), []
    for marker, name in itertools.pairwise(tokens):
        if marker.text != ":" or marker.end != name.start or name.kind != "word":
            continue
        if name.text.lower() not in values:
            raise WarehouseError(
                "UNBOUND_SQL_PARAMETER", f"Found the unbound parameter: {name.text}.", "42P02"
            )
        given = values[name.text.lower()]
        value = given.get("value")
        literal = "null" if value is None else string_literal(value)
        edits.append(
            (marker.start, name.end, f"cast({literal} as {given.get('type') or 'STRING'})")
        )
    return edited(text, edits)


_Handler = Callable[..., Json]
_ROUTES: list[tuple[str, str, _Handler]] = [
    ("GET", "/api/2.0/preview/scim/v2/Me", Rest._me),
    ("POST", "/api/2.0/workspace/mkdirs", Rest._nothing),
    ("POST", "/api/2.0/workspace/import", Rest._import),
    ("GET", "/api/2.0/workspace/get-status", Rest._status),
    ("POST", r"/api/2\.\d/jobs/runs/submit", Rest._submit),
    ("GET", r"/api/2\.\d/jobs/runs/get", Rest._run),
    ("GET", r"/api/2\.\d/jobs/runs/get-output", Rest._output),
    ("GET", r"/api/2\.0/permissions/(jobs|notebooks)/\w+", Rest._nothing),
    ("PUT", r"/api/2\.0/permissions/(jobs|notebooks)/\w+", Rest._nothing),
    ("PATCH", r"/api/2\.0/permissions/(jobs|notebooks)/\w+", Rest._nothing),
    ("GET", r"/api/2\.1/unity-catalog/policies/(\w+)/([\w.]+)", Rest._policies),
    ("GET", r"/api/2\.0/sql/warehouses/(\w+)", Rest._warehouse_state),
    ("POST", "/api/2.0/sql/statements/?", Rest._execute),
    ("GET", r"/api/2\.0/sql/statements/([\w-]+)", Rest._statement),
    ("POST", r"/api/2\.0/sql/statements/([\w-]+)/cancel", Rest._cancel),
]
