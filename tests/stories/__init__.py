"""Lifecycle stories: what happens to people, and the mail that must come of it, as files that HR can read.

Each file in ``data`` is played twice: by the pure rooms alone, and end to end by real processes on a sandbox.
"""
