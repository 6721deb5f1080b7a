"""Statements on a SQL warehouse, whose refusal is an answer and no failure."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from project.errors import UserError
from workspace.client import translate_errors

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.sql import StatementResponse

_POLL_SECONDS: Final = 2
# A serverless warehouse starts in seconds, another in minutes.
_WAIT_SECONDS: Final = 600


@dataclass(frozen=True)
class Result:
    """The columns and rows of a statement as text; `error` is its message, or ''."""

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str | None]] = ()
    """The SDK declares text, but a null arrives as None."""
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
        """Run a statement and wait for all its rows; raises UserError if they do not arrive."""
        from databricks.sdk.errors import BadRequest
        from databricks.sdk.service.sql import StatementState

        api, place = self._client.statement_execution, f"warehouse {self._id}"
        with translate_errors(
            place,
            forbidden="ask an owner of the warehouse for CAN USE on it",
            missing="correct DATABRICKS_HTTP_PATH or --warehouse-id",
        ):
            try:
                answer = self._ended(api.execute_statement(statement, self._id))
                status, shape = answer.status, answer.manifest
                if status and status.state in (StatementState.CANCELED, StatementState.CLOSED):
                    raise UserError(f"{place}: the statement was canceled there; run again")
                if status is None or status.state is not StatementState.SUCCEEDED:
                    message = status.error.message if status and status.error else None
                    return Result(error=message or "no reason given")
                rows: list[Sequence[str | None]] = []
                # One response has a part of what is large.
                part = answer.result
                while part is not None:
                    rows += part.data_array or []
                    following = part.next_chunk_index
                    part = (
                        api.get_statement_result_chunk_n(str(answer.statement_id), following)
                        if following
                        else None
                    )
            except BadRequest as error:
                raise UserError(
                    f"{place}: {str(error).rstrip('.')}; start it, or correct DATABRICKS_HTTP_PATH"
                ) from error
        expected = (shape.total_row_count if shape else None) or 0
        if len(rows) != expected or (shape and shape.truncated):
            more = "more" if shape and shape.truncated else f"{expected:,}"
            raise UserError(f"{place}: {len(rows):,} of {more} rows arrived; run again")
        schema = shape.schema if shape else None
        columns = [str(column.name) for column in (schema.columns if schema else None) or []]
        return Result(columns, rows)

    def _ended(self, answer: StatementResponse) -> StatementResponse:
        """Wait for the end of a statement, and cancel it if that fails; raises TimeoutError."""
        from databricks.sdk.errors.base import DatabricksError
        from databricks.sdk.service.sql import StatementState

        api, until = self._client.statement_execution, time.monotonic() + self._wait_seconds
        try:
            while answer.status and answer.status.state in (
                StatementState.PENDING,
                StatementState.RUNNING,
            ):
                if time.monotonic() > until:
                    raise TimeoutError(
                        f"no answer in {self._wait_seconds} seconds; its cancellation was requested"
                    )
                time.sleep(_POLL_SECONDS)
                answer = api.get_statement(str(answer.statement_id))
        except BaseException:
            # Also after Ctrl-C. The first error is the one to report.
            with suppress(DatabricksError, OSError):
                api.cancel_execution(str(answer.statement_id))
            raise
        return answer
