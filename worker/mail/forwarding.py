"""A forwarding: what arrives in a mailbox goes to an address elsewhere too."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.mail.address import Address
from worker.mail.fields import FieldValue


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A forwarding as the host shows it (`migadu-behaviour.md` 1.5).

    Its times are texts as they came, or None. Mail flows from ``confirmed_at`` on, whatever ``is_active`` says
    (`migadu-behaviour.md` 3).
    """

    address: Address
    confirmed_at: str | None = None
    """When the recipient agreed; at once where the address is on an active domain of the account."""
    confirmation_sent_at: str | None = None
    blocked_at: str | None = None
    fields: Mapping[str, FieldValue] = field(default_factory=dict, hash=False)
    """By Migadu's field name; only names of FORWARDING_FIELDS."""
    other: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What else the host shows, as it came."""

    @property
    def writable(self) -> Mapping[str, FieldValue]:
        """All that a write can change, by Migadu's names, as far as the host shows it."""
        return self.fields
