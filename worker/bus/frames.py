"""Frames as the client library reads them, but for what it cannot decode of a message.

Over that it would give up the connection, and the message would come again until it is a dead letter and nobody knows
why. Here a message is read without such properties and headers, and with ``?`` in such a routing key.
"""

from collections.abc import Callable
from itertools import pairwise

Frame = tuple[int, int, bytes]
"""Type, channel, and what it holds."""

_METHOD, _HEADER = 1, 2
"""The types of frame that begin a message: where it was sent; then class, weight, size of its body, and properties."""
_BEFORE_PROPERTIES = 12
_NO_PROPERTIES = b"\0\0"
_DELIVER, _GET_OK = b"\0\x3c\0\x3c", b"\0\x3c\0\x47"
_BEFORE_NAMES = 9
"""Bytes of a delivery's number and of whether it came back, behind which exchange and routing key are named."""


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
        if kind == _METHOD:
            return self._read((kind, channel, legible(bytes(held))))
        if kind != _HEADER:
            return self._read(frame)
        self.is_decoded = True
        try:
            return self._read(frame)
        except Exception:  # noqa: BLE001 - it fails in many ways on what it does not know
            self.is_decoded = False
            return self._read((kind, channel, held[:_BEFORE_PROPERTIES] + _NO_PROPERTIES))


def legible(held: bytes) -> bytes:
    """Return what a method's frame holds; if it begins a message, with its exchange and routing key in UTF-8."""
    method, at = held[:4], 4
    if method == _DELIVER:
        at += 1 + held[at]  # behind the consumer's name, which is ours
    elif method != _GET_OK:
        return held
    at += _BEFORE_NAMES
    exchange = at + 1 + held[at]
    key = exchange + 1 + held[exchange]
    names = [held[start : start + 1] + _utf8(held[start + 1 : end]) for start, end in pairwise((at, exchange, key))]
    return held[:at] + b"".join(names) + held[key:]


def _utf8(name: bytes) -> bytes:
    try:
        name.decode()
    except UnicodeDecodeError:
        return bytes(each if each < 0x80 else ord("?") for each in name)  # as long as it was
    return name
