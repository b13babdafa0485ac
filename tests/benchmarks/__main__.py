"""Run one benchmark by name: ``python -m tests.benchmarks sandbox``. One JSON document on standard output.

A benchmark is a module of this package with a function ``measure`` that returns what it measured.
"""

import importlib
import json
import pkgutil
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Run the benchmark of that name and print what it measured."""
    names = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    there_are = [name for name in names if not name.startswith("_")]
    if len(arguments) != 1 or arguments[0] not in there_are:
        sys.stderr.write(f"usage: python -m tests.benchmarks {'|'.join(there_are)}\n")
        return 2
    measured = importlib.import_module(f"tests.benchmarks.{arguments[0]}").measure()
    sys.stdout.write(json.dumps(measured, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
