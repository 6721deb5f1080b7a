"""Measures speed and memory of the platform beside plain DuckDB, PySpark and other engines."""
