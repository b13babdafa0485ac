"""A stand-in Migadu, in memory, for trying out, tests and benchmarks: its paths, its JSON, its rules and its moods.

It shares no code with the other rooms, so that a mistake in our client cannot hide behind the same mistake here.
"""

from worker.sandbox.app import create_app
from worker.sandbox.latency import parse_latency
from worker.sandbox.limits import parse_rate_limit
from worker.sandbox.seed import InvalidSeed, read_seed
from worker.sandbox.server import Options, RunningSandbox, serve

__all__ = [
    "InvalidSeed",
    "Options",
    "RunningSandbox",
    "create_app",
    "parse_latency",
    "parse_rate_limit",
    "read_seed",
    "serve",
]
