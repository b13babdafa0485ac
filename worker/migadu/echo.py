"""Comparing what was sent with what the host shows after it.

The host answers 200 also where it ignores a field (`migadu-behaviour.md` 2.16), so only the echo proves a write.
"""

from collections.abc import Mapping

from worker.mail import ACCESS_FLAGS, FieldValue
from worker.migadu import wire
from worker.migadu.answers import Object

DECISIVE = frozenset({*ACCESS_FLAGS, "destinations"})
"""Fields where a difference means that someone has access, or gets mail, who should not."""

# Optional on read (`migadu-behaviour.md` 1.4), so that its absence says nothing.
_NOT_ALWAYS_SHOWN = frozenset({"password_use"})


class EchoDiffers(ValueError):
    """The echo shows something decisive otherwise than sent; ``names`` are the fields."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(", ".join(names))
        self.names = names


def ignored(sent: Mapping[str, FieldValue], echo: Object, fields: Mapping[str, type]) -> tuple[str, ...]:
    """Return the names of the fields that the host did not take over, sorted.

    Raises EchoDiffers if one of them is decisive.
    """
    names = _differing(sent, echo, fields)
    if decisive := tuple(name for name in names if name in DECISIVE):
        raise EchoDiffers(decisive)
    return names


def _differing(sent: Mapping[str, FieldValue], echo: Object, fields: Mapping[str, type]) -> tuple[str, ...]:
    return tuple(sorted(name for name, value in sent.items() if not _took(name, value, echo, fields[name])))


def _took(name: str, sent: FieldValue, echo: Object, kind: type) -> bool:
    if name not in echo:
        return name in _NOT_ALWAYS_SHOWN
    shown = wire.field(echo, name, kind)
    if name in DECISIVE:
        return _alike(sent, shown)
    # The host keeps "nothing" as null, where false, an empty text or an empty list was sent.
    return _alike(sent, shown) or not (sent or shown)


def _alike(sent: FieldValue, shown: FieldValue) -> bool:
    return _comparable(sent) == _comparable(shown)


def _comparable(value: FieldValue) -> object:
    if isinstance(value, tuple):
        return {each.strip().lower() for each in value}
    if isinstance(value, str):
        return value.replace("\r\n", "\n").strip()
    return value
