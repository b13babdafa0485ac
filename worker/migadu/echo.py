"""Comparing what was sent with what the host shows after it.

The host answers 200 also where it ignores a field (`migadu-behaviour.md` 2.16), so only the echo proves a write.
"""

from collections.abc import Mapping

from worker.mail import FieldValue
from worker.mail.fields import DECISIVE, took

# Optional on read (`migadu-behaviour.md` 1.4), so that its absence says nothing.
_NOT_ALWAYS_SHOWN = frozenset({"password_use"})


class EchoDiffers(ValueError):
    """The echo shows something decisive otherwise than sent; ``names`` are the fields."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(", ".join(names))
        self.names = names


def ignored(sent: Mapping[str, FieldValue], shown: Mapping[str, FieldValue]) -> tuple[str, ...]:
    """Return the names of the fields that the host did not take over, sorted.

    Raises EchoDiffers if one of them is decisive.
    """
    names = differing(sent, shown)
    if decisive := tuple(name for name in names if name in DECISIVE):
        raise EchoDiffers(decisive)
    return names


def differing(sent: Mapping[str, FieldValue], shown: Mapping[str, FieldValue]) -> tuple[str, ...]:
    """Return the names of the fields that are not shown as they were sent, sorted; a field not shown is one of them."""
    return tuple(sorted(name for name, value in sent.items() if not _seen(name, value, shown)))


def _seen(name: str, sent: FieldValue, shown: Mapping[str, FieldValue]) -> bool:
    return took(name, sent, shown[name]) if name in shown else name in _NOT_ALWAYS_SHOWN
