"""The core steps in other engines: load, exact deduplication, sessions, a table by day.

Each is written to win and keeps what it builds: events with their session, sessions, days. Run as
`python -m benchmarks.peers.NAME FOLDER WORK`; prints its steps and its days.
"""
