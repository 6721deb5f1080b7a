"""Measures speed and memory of the platform beside plain DuckDB and PySpark."""
