"""The rim of the command line: whatever happens inside, a person reads one sentence and a script gets an exit code.

0 done; 1 it failed, with one sentence; 2 the command was not written as it must be; 3 it needs a person.
"""

import logging
import sys
from typing import NoReturn

import structlog

from worker.cli.application import application
from worker.cli.output import warn
from worker.log import configure_logging

_log = structlog.get_logger(__name__)


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    configure_logging(level=logging.WARNING)
    try:
        application()(prog_name="mailroster")
    except Exception as error:  # noqa: BLE001 - the rim: whatever it is, a person gets a sentence and the log the rest
        from worker.cli.sentences import FORESEEN, sentence  # noqa: PLC0415 - it imports every room for its errors

        if isinstance(error, FORESEEN):
            _fail(sentence(error))
        _log.critical("a defect stopped the command", exc_info=error)
        _fail(f"a defect of ours stopped this ({type(error).__name__}); the log above has the details")


def _fail(said: str) -> NoReturn:
    warn(f"mailroster: {said}")
    sys.exit(1)
