"""Frames as the client library reads them, but for properties and headers of a message that it cannot decode.

Over these it would give up the connection, and the message would come again until it is a dead letter and nobody knows
why. Here it is read without them.
"""

from collections.abc import Callable

Frame = tuple[int, int, bytes]
"""Type, channel, and what it holds."""

_HEADER = 2
"""The type of frame that holds class, weight and size of a body, and behind them the properties."""
_BEFORE_PROPERTIES = 12
_NO_PROPERTIES = b"\0\0"


class Frames:
    """Stands before what reads the frames of a connection."""

    def __init__(self, read: Callable[[Frame], bool]) -> None:
        """``read`` tells whether something is complete with a frame."""
        self._read = read
        self.is_decoded = True
        """Whether the properties of the latest message could be decoded."""

    def __call__(self, frame: Frame) -> bool:
        """Read a frame, if need be without properties."""
        kind, channel, held = frame
        if kind != _HEADER:
            return self._read(frame)
        self.is_decoded = True
        try:
            return self._read(frame)
        except Exception:  # noqa: BLE001 - it fails in many ways on what it does not know
            self.is_decoded = False
            return self._read((kind, channel, held[:_BEFORE_PROPERTIES] + _NO_PROPERTIES))
