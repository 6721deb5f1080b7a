"""The main job on one machine: data, bronze, dbt build, docs, summary; its cleaning and checks."""
