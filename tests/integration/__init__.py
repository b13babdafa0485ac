"""Tests of the rooms against real servers and databases."""
