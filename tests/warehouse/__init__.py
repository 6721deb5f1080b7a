"""A loopback double of a Databricks SQL warehouse, for tests: see README.md."""
