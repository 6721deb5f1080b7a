"""Exports: the tables of gold as files that other tools read."""
