// DuckDB's module imports Arrow as a module; the package's one file is a plain script.
export const { RecordBatchReader, Table, Type, tableToIPC } = globalThis.Arrow;
