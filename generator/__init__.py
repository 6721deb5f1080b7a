"""Generates click streams in the published format, calibrated on the published figures."""
