"""The command line: commands, their output and their exit codes.

Commands call the rooms below; no rule of the house lives here.
"""

from worker.cli.errors import main

__all__ = ["main"]
