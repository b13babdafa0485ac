"""Measurements, run on purpose. Of the test suite one test alone has one of them made, for what holds anywhere."""
