"""An alias: an address without a mailbox, which hands its mail to others of the same domain."""

from dataclasses import dataclass

from worker.mail.address import Address


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias as the host shows it. Writing destinations replaces the whole list (`migadu-behaviour.md` 1.6)."""

    address: Address
    destinations: frozenset[Address]
