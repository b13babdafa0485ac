"""What was found at the mail host for one subject, joined with what our own ledger knows of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.mail import Address, Alias, FieldValue, Mailbox, Rewrite


@dataclass(frozen=True, slots=True)
class ClosedLogin:
    """What only we know of an identity with a login of its own that we closed."""

    sealed: bool = False
    """We confirmed a block: its password is random and known to nobody."""
    former_doors: Mapping[str, FieldValue] = field(default_factory=dict)
    """Its doors as they were before we closed them; empty while we hold none closed."""

    @property
    def is_closed(self) -> bool:
        """Whether there is anything to give back."""
        return self.sealed or bool(self.former_doors)


@dataclass(frozen=True, slots=True)
class ObservedPerson:
    """A person's mailbox as found, what stands at their other addresses, and what only we know of it."""

    mailbox: Mailbox | None
    ours: bool = True
    """We created or adopted it. What is foreign is never changed (`design.md` 1.4)."""
    sealed: bool = False
    """We confirmed a block: the password is random and known to nobody. Cannot be read back from the host."""
    former_doors: Mapping[str, FieldValue] = field(default_factory=dict)
    """The doors as they were before we closed them; empty while we hold none closed."""
    former_autoreply: Mapping[str, FieldValue] = field(default_factory=dict)
    """The autoreply as it was before a stage wrote its own; empty while none of ours is there."""
    logins: Mapping[Address, ClosedLogin] = field(default_factory=dict)
    """The identities that we closed."""
    forwards_to: Address | None = None
    """Where the forwarding leads that we made; those of the person's own are none of our business."""
    aliases: frozenset[Alias] = frozenset()
    """The aliases that stand at addresses of this person."""
    our_aliases: frozenset[Address] = frozenset()
    """Those of them that we made."""
    held: frozenset[Address] = frozenset()
    """The addresses that are promised to this person."""


@dataclass(frozen=True, slots=True)
class ObservedShared:
    """A shared address as found."""

    alias: Alias | None
    ours: bool = True


@dataclass(frozen=True, slots=True)
class ObservedRewrite:
    """A rewrite as found."""

    rewrite: Rewrite | None
    ours: bool = True
