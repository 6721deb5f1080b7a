"""Removes a user from every table, from the landed files and from the copies of a platform."""
