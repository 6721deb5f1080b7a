"""The main job on one machine: data, bronze, dbt build, docs, summary; and what cleans up."""
