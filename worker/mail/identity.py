"""An identity: a further address of a mailbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.mail.address import Address
from worker.mail.fields import FieldValue


@dataclass(frozen=True, slots=True)
class Identity:
    """A further address of a mailbox; mail to it arrives in the mailbox (`migadu-behaviour.md` 3)."""

    address: Address
    name: str
    password_use: str | None = None
    """``none``, ``mailbox`` or ``custom``; optional on read (`migadu-behaviour.md` 1.4)."""
    fields: Mapping[str, FieldValue] = field(default_factory=dict, hash=False)
    """By Migadu's field name; only names of IDENTITY_FIELDS."""
    other: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What else the host shows, as it came."""

    @property
    def writable(self) -> Mapping[str, FieldValue]:
        """All that a write can change, by Migadu's names, as far as the host shows it."""
        use = {} if self.password_use is None else {"password_use": self.password_use}
        return {**self.fields, **use, "name": self.name}
