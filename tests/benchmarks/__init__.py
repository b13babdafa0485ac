"""Measurements, run on purpose and never by the test suite."""
