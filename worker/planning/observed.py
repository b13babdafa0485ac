"""What was found at the mail host for one subject, joined with what our own ledger knows of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.mail import Alias, FieldValue, Mailbox


@dataclass(frozen=True, slots=True)
class ObservedPerson:
    """A person's mailbox as found, and what only we know of it."""

    mailbox: Mailbox | None
    ours: bool = True
    """We created or adopted it. What is foreign is never changed (`design.md` 1.4)."""
    sealed: bool = False
    """We confirmed a block: the password is random and known to nobody. Cannot be read back from the host."""
    former_doors: Mapping[str, FieldValue] = field(default_factory=dict)
    """The doors as they were before we closed them; empty while we hold none closed."""


@dataclass(frozen=True, slots=True)
class ObservedShared:
    """A shared address as found."""

    alias: Alias | None
    ours: bool = True
