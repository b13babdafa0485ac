"""What ``desired`` is shown of a subject. The store fills these; the policy reads nothing else."""

from dataclasses import dataclass
from datetime import datetime

from worker.mail import Address, SharedKey
from worker.roster import Profile


@dataclass(frozen=True, slots=True)
class Manager:
    """Whoever stands in for a person's manager now: works here, and their mailbox exists."""

    address: Address
    """Of their mailbox, the primary one."""
    display_name: str
    """What correspondents see of them."""


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person as the roster reads them, and what the ledger says they hold."""

    profile: Profile
    address: Address | None = None
    """The primary address that was allocated, if one was."""
    identities: frozenset[Address] = frozenset()
    """Further addresses that were allocated to this person (former ones, new names)."""
    aliases: frozenset[Address] = frozenset()
    """Those that a rename brought while the policy's strategy was aliases."""
    received: frozenset[Address] = frozenset()
    """Of all these addresses, those that once existed at the host and so may receive mail."""
    redirected: frozenset[Address] = frozenset()
    """Of all these addresses, those at which an alias of ours stands now."""
    adopted: frozenset[Address] = frozenset()
    """Those of the identities that were there before us: they stay as their holder made them."""
    instead_of: Address | None = None
    """What the policy would have given where another address was adopted; held by nobody, and a sign of the name that
    the person had then."""
    withdrawn: frozenset[Address] = frozenset()
    """Further addresses that came of something an operator took back: they are to go."""
    mailbox_exists: bool = False
    """We know that the mailbox exists at the host."""
    blocked_at: datetime | None = None
    """When a block was last confirmed and not undone since; it stays when the blocked mailbox is deleted."""
    manager: Manager | None = None
    """The stated manager if they work here and their mailbox exists, else the next in line upwards; None: nobody."""

    @property
    def held(self) -> frozenset[Address]:
        """All addresses of this person."""
        primary = frozenset() if self.address is None else frozenset({self.address})
        return primary | self.identities | self.aliases


@dataclass(frozen=True, slots=True)
class SharedView:
    """A shared address or a rewrite, and the mailboxes of its members that exist at the host now."""

    key: SharedKey
    members: frozenset[Address] = frozenset()
    staying: frozenset[Address] = frozenset()
    """Who is a member no more and stays for now, because something that comes first is not done yet."""
