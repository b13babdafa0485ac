"""Tests of the pure rooms and of the repository itself: no server, no process, no network."""
