"""An alias: an address without a mailbox, which hands its mail to others of the same domain."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.mail.address import Address
from worker.mail.fields import FieldValue


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias as the host shows it. Writing destinations replaces the whole list (`migadu-behaviour.md` 1.6)."""

    address: Address
    destinations: frozenset[Address]
    fields: Mapping[str, FieldValue] = field(default_factory=dict, hash=False)
    """By Migadu's field name; only names of ALIAS_FIELDS."""
    other: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What else the host shows, as it came."""

    @property
    def writable(self) -> Mapping[str, FieldValue]:
        """All that a write can change, by Migadu's names, as far as the host shows it."""
        return {**self.fields, "destinations": tuple(sorted(self.destinations))}
