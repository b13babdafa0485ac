"""Crashes: a worker is killed at every commit and around every call, and a fresh one finishes what it began."""
