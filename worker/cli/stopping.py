"""Ending in order: a signal unwinds the ``with`` blocks of a command that stays, and counts as done."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class _Stop(BaseException):
    """Somebody asked this process to end. Not an Exception, so that no rim on the way swallows it."""


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Have SIGINT and SIGTERM end the block, from the inside out, without an error.

    uvicorn takes the signals while it serves, ends, gives the handlers back and raises the signal once more.
    """
    former = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with suppress(_Stop):
            yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of signal handlers
    # A second signal must not interrupt the unwinding that the first began.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise _Stop
