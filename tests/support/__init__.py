"""Helpers of the tests: runs of the platform, doubles of Databricks, data."""
