"""Measures the platform beside what it is compared with: `python -m benchmarks --events N`."""
