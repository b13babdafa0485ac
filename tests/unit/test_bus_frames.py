"""Frames that begin a message, as the client library reads them behind us."""

from contextlib import suppress

from amqp import spec
from amqp.serialization import dumps, loads
from hypothesis import given
from hypothesis import strategies as st

from worker.bus.frames import legible

names = st.binary(max_size=255)
numbers = st.integers(0, 2**64 - 1)


def short(name: bytes) -> bytes:
    """Return a short string of AMQP."""
    return bytes([len(name)]) + name


@given(consumer=st.text(max_size=60), tag=numbers, back=st.integers(0, 1), exchange=names, key=names)
def test_a_delivery_keeps_all_but_what_is_no_utf_8(
    consumer: str, tag: int, back: int, exchange: bytes, key: bytes
) -> None:
    """What can be decoded stays as it is; of the rest what is ASCII stays."""
    head = dumps("sLo", (consumer, tag, back))
    read, _ = loads("sLoss", legible(b"\0\x3c\0\x3c" + head + short(exchange) + short(key)), 4)
    assert read[:3] == [consumer, tag, back]
    for sent, told in zip((exchange, key), read[3:], strict=True):
        assert told == _marked(sent)


@given(tag=numbers, back=st.integers(0, 1), exchange=names, key=names, left=st.integers(0, 2**32 - 1))
def test_a_fetched_one_keeps_how_many_are_left(tag: int, back: int, exchange: bytes, key: bytes, left: int) -> None:
    """The number stands behind the names."""
    held = b"\0\x3c\0\x47" + dumps("Lo", (tag, back)) + short(exchange) + short(key) + dumps("l", (left,))
    read, _ = loads("Lossl", legible(held), 4)
    assert (read[0], read[1], read[4]) == (tag, back, left)


@given(st.binary(max_size=40))
def test_other_methods_are_left_alone(rest: bytes) -> None:
    """Only what begins a message is looked into."""
    held = b"\0\x3c\0\x50" + rest
    assert legible(held) == held
    assert spec.Basic.Deliver == (60, 60)
    assert spec.Basic.GetOk == (60, 71)


def _marked(sent: bytes) -> str:
    with suppress(UnicodeDecodeError):
        return sent.decode()
    return "".join(chr(each) if each < 0x80 else "?" for each in sent)
