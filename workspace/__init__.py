"""Talks to a Databricks workspace: sign-in, errors, the bundle, and runs of a deployed job."""
