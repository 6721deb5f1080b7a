"""A guided tour of gold as notebooks: for this machine, and for Databricks."""
