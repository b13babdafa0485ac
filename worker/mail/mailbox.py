"""A mailbox with its identities and forwardings, as far as they can be read and written."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.mail.address import Address
from worker.mail.fields import FieldValue
from worker.mail.forwarding import Forwarding
from worker.mail.identity import Identity


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox as the host shows it: its own address, its display name, writable fields and what belongs to it."""

    address: Address
    name: str
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    """By Migadu's field name; only names of WRITABLE_FIELDS. ``null`` booleans are kept as None."""
    identities: frozenset[Identity] = frozenset()
    forwardings: frozenset[Forwarding] = frozenset()
    """May be empty although mail is forwarded (`migadu-behaviour.md` 1.3): only their own index is sure."""
    other: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What else the host shows, as it came: read-only fields (``changed_at`` is a text for people, "17:12" or
    "26/07/26"), and fields that nobody here knows."""

    @property
    def writable(self) -> Mapping[str, FieldValue]:
        """All that a write can change, by Migadu's names, as far as the host shows it."""
        return {**self.fields, "name": self.name}
