"""Statements on a SQL warehouse, whose refusal is an answer and no failure."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from project.errors import UserError
from workspace.client import translate_errors

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_POLL_SECONDS: Final = 2
# A serverless warehouse starts in seconds, another in minutes.
_WAIT_SECONDS: Final = 600


@dataclass(frozen=True)
class Result:
    """The columns and rows of a statement as text; `error` is its message, or ''."""

    columns: Sequence[str] = ()
    # The SDK declares text, but a null arrives as None.
    rows: Sequence[Sequence[str | None]] = ()
    error: str = ""

    @property
    def error_class(self) -> str:
        """The class of the error, such as TABLE_OR_VIEW_NOT_FOUND, or its first words."""
        found = re.search(r"\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\]", self.error)
        return found[1] if found else " ".join(self.error.split()[:8])


class Warehouse:
    """One SQL warehouse. Each statement has a session of its own."""

    def __init__(
        self, client: WorkspaceClient, warehouse_id: str, wait_seconds: float = _WAIT_SECONDS
    ) -> None:
        self._client = client
        self._id = warehouse_id
        self._wait_seconds = wait_seconds

    def run(self, statement: str) -> Result:
        """Run a statement and wait for it; raises UserError if the warehouse does not answer."""
        from databricks.sdk.errors import BadRequest
        from databricks.sdk.service.sql import StatementState

        api, place = self._client.statement_execution, f"warehouse {self._id}"
        with translate_errors(
            place,
            forbidden="ask an owner of the warehouse for CAN USE on it",
            missing="correct DATABRICKS_HTTP_PATH or --warehouse-id",
        ):
            try:
                answer = api.execute_statement(statement, self._id)
                until = time.monotonic() + self._wait_seconds
                while answer.status and answer.status.state in (
                    StatementState.PENDING,
                    StatementState.RUNNING,
                ):
                    if time.monotonic() > until:
                        raise TimeoutError(f"no answer in {self._wait_seconds} seconds")
                    time.sleep(_POLL_SECONDS)
                    answer = api.get_statement(str(answer.statement_id))
            except BadRequest as error:
                raise UserError(
                    f"{place}: {str(error).rstrip('.')}; start it, or correct DATABRICKS_HTTP_PATH"
                ) from error
        status = answer.status
        if status is None or status.state is not StatementState.SUCCEEDED:
            message = status.error.message if status and status.error else None
            return Result(error=message or "no reason given")
        schema = answer.manifest.schema if answer.manifest else None
        columns = [str(column.name) for column in (schema.columns if schema else None) or []]
        return Result(columns, (answer.result.data_array if answer.result else None) or [])
