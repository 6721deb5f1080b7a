"""The Thrift service for databricks-sql-connector: every result is one direct response."""

import uuid
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from databricks.sql.thrift_api.TCLIService import TCLIService, ttypes
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.TTransport import TMemoryBuffer

from .errors import WarehouseError
from .ledger import Principal
from .session import Session

_OK = ttypes.TStatus(statusCode=ttypes.TStatusCode.SUCCESS_STATUS)
_TYPES: list[tuple[Callable[[pa.DataType], bool], str]] = [
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_int8, "TINYINT"),
    (pa.types.is_int16, "SMALLINT"),
    (pa.types.is_int32, "INT"),
    (pa.types.is_int64, "BIGINT"),
    (pa.types.is_float32, "FLOAT"),
    (pa.types.is_float64, "DOUBLE"),
    (pa.types.is_timestamp, "TIMESTAMP"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_binary, "BINARY"),
    (pa.types.is_list, "ARRAY"),
    (pa.types.is_map, "MAP"),
    (pa.types.is_struct, "STRUCT"),
    (pa.types.is_null, "NULL"),
]


def type_name(kind: pa.DataType) -> str:
    """Return the Databricks name of an Arrow type, without precision."""
    if pa.types.is_decimal(kind):
        return "DECIMAL"
    return next((name for matches, name in _TYPES if matches(kind)), "STRING")


def _type(kind: pa.DataType) -> Any:
    qualifiers = None
    if pa.types.is_decimal(kind):
        values = {"precision": kind.precision, "scale": kind.scale}
        qualifiers = ttypes.TTypeQualifiers(
            {k: ttypes.TTypeQualifierValue(i32Value=v) for k, v in values.items()}
        )
    entry = ttypes.TPrimitiveTypeEntry(
        type=getattr(ttypes.TTypeId, f"{type_name(kind)}_TYPE"), typeQualifiers=qualifiers
    )
    return ttypes.TTypeDesc(types=[ttypes.TTypeEntry(primitiveEntry=entry)])


def _direct(rows: pa.Table) -> Any:
    """Return all rows, the schema and a closed operation as one response."""
    columns = [
        ttypes.TColumnDesc(columnName=f.name, typeDesc=_type(f.type), position=i + 1)
        for i, f in enumerate(rows.schema)
    ]
    metadata = ttypes.TGetResultSetMetadataResp(
        status=_OK,
        schema=ttypes.TTableSchema(columns=columns),
        lz4Compressed=False,
        resultFormat=ttypes.TSparkRowSetType.ARROW_BASED_SET,
        arrowSchema=rows.schema.serialize().to_pybytes(),
    )
    batches = [
        ttypes.TSparkArrowBatch(batch=b.serialize().to_pybytes(), rowCount=b.num_rows)
        for b in rows.combine_chunks().to_batches()
    ]
    result = ttypes.TFetchResultsResp(
        status=_OK,
        hasMoreRows=False,
        results=ttypes.TRowSet(startRowOffset=0, rows=[], arrowBatches=batches),
    )
    state = ttypes.TGetOperationStatusResp(
        status=_OK, operationState=ttypes.TOperationState.FINISHED_STATE, hasResultSet=True
    )
    return ttypes.TSparkDirectResults(
        operationStatus=state,
        resultSetMetadata=metadata,
        resultSet=result,
        closeOperation=ttypes.TCloseOperationResp(status=_OK),
    )


class Service:
    """The methods of TCLIService for one request of one principal.

    `open_session(principal, catalog, schema, configuration)` opens a session; `sessions` has the
    open ones, by handle.
    """

    def __init__(
        self,
        principal: Principal,
        sessions: dict[bytes, Session],
        open_session: Callable[..., Session],
    ) -> None:
        self._principal, self._sessions, self._open = principal, sessions, open_session

    def OpenSession(self, request: Any) -> Any:
        """Open a session in the requested catalog and schema."""
        place = request.initialNamespace
        configuration = dict(request.configuration or {})
        session = self._open(
            self._principal,
            place.catalogName if place else None,
            place.schemaName if place else None,
            configuration,
        )
        guid = uuid.UUID(session.name).bytes
        self._sessions[guid] = session
        handle = ttypes.THandleIdentifier(guid=guid, secret=guid)
        return ttypes.TOpenSessionResp(
            status=_OK,
            sessionHandle=ttypes.TSessionHandle(sessionId=handle),
            configuration={},
            initialNamespace=place,
            canUseMultipleCatalogs=True,
            serverProtocolVersion=ttypes.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7,
        )

    def CloseSession(self, request: Any) -> Any:
        """Close a session; closing it twice is not an error."""
        self._sessions.pop(request.sessionHandle.sessionId.guid, None)
        return ttypes.TCloseSessionResp(status=_OK)

    def ExecuteStatement(self, request: Any) -> Any:
        """Run a statement to its end."""
        session = self._sessions.get(request.sessionHandle.sessionId.guid)
        if session is None or session.context.principal.name != self._principal.name:
            refused = ttypes.TStatus(
                statusCode=ttypes.TStatusCode.INVALID_HANDLE_STATUS,
                errorMessage="Invalid SessionHandle: the session is closed or unknown",
            )
            return ttypes.TExecuteStatementResp(status=refused)
        guid = uuid.uuid4().bytes
        handle = ttypes.TOperationHandle(
            operationId=ttypes.THandleIdentifier(guid=guid, secret=guid),
            operationType=ttypes.TOperationType.EXECUTE_STATEMENT,
            hasResultSet=True,
        )
        try:
            results = _direct(session.execute(request.statement))
        except WarehouseError as error:
            state = ttypes.TGetOperationStatusResp(
                status=_OK,
                operationState=ttypes.TOperationState.ERROR_STATE,
                errorMessage=str(error),
                displayMessage=str(error),
                sqlState=error.sqlstate,
            )
            results = ttypes.TSparkDirectResults(operationStatus=state)
        return ttypes.TExecuteStatementResp(
            status=_OK, operationHandle=handle, directResults=results
        )

    def CloseOperation(self, request: Any) -> Any:
        """Operations end with their response: there is nothing to close."""
        return ttypes.TCloseOperationResp(status=_OK)

    def CancelOperation(self, request: Any) -> Any:
        """Operations end with their response: there is nothing to cancel."""
        return ttypes.TCancelOperationResp(status=_OK)


def answer(service: Service, body: bytes) -> bytes:
    """Return the response to one Thrift message; an unknown method raises in the client."""
    out = TMemoryBuffer()
    processor = TCLIService.Processor(service)
    processor.process(TBinaryProtocol(TMemoryBuffer(body)), TBinaryProtocol(out))
    return bytes(out.getvalue())
