"""Client of a Databricks workspace: signing in, its errors, and starting a deployed job."""
