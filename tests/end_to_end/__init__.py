"""Tests that start real processes and look at them from outside."""
