"""A step: one call that changes one object at the mail host, with what it changes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from worker.mail import Address, FieldValue, SharedKey, rewrite_key

RANDOM_PASSWORD = "(random)"  # noqa: S105 - a placeholder
"""Stands in a plan where the executor puts a fresh random password; the password itself is never part of a plan."""


class Operation(StrEnum):
    """What a step does; the names that jobs, plans and pages show."""

    CREATE_MAILBOX = "create-mailbox"
    UPDATE_MAILBOX = "update-mailbox"
    BLOCK_MAILBOX = "block-mailbox"
    """Close the doors and set a random password."""
    SUSPEND_MAILBOX = "suspend-mailbox"
    """Close the doors and nothing else."""
    REOPEN_MAILBOX = "reopen-mailbox"
    """Give the doors back that were closed; after a block the password stays unknown to everyone."""
    RESET_PASSWORD = "reset-password"  # noqa: S105 - a name
    """Set a fresh password, for an operator who asked for one. No plan holds it: see ``execution.passwords``."""
    DELETE_MAILBOX = "delete-mailbox"
    SET_AUTOREPLY = "set-autoreply"
    """Write a stage's autoreply; the person's own is kept for the way back."""
    END_AUTOREPLY = "end-autoreply"
    """Give the person's own autoreply back."""
    CREATE_FORWARDING = "create-forwarding"
    DELETE_FORWARDING = "delete-forwarding"
    CREATE_IDENTITY = "create-identity"
    UPDATE_IDENTITY = "update-identity"
    BLOCK_IDENTITY = "block-identity"
    """Close the doors of an identity with a password of its own, and set a random one."""
    SUSPEND_IDENTITY = "suspend-identity"
    """Close the doors of an identity that signs in, and nothing else."""
    REOPEN_IDENTITY = "reopen-identity"
    DELETE_IDENTITY = "delete-identity"
    CREATE_ALIAS = "create-alias"
    UPDATE_ALIAS = "update-alias"
    DELETE_ALIAS = "delete-alias"
    RELEASE_ADDRESS = "release-address"
    """Give an address up in our own ledger."""
    CREATE_REWRITE = "create-rewrite"
    UPDATE_REWRITE = "update-rewrite"
    DELETE_REWRITE = "delete-rewrite"
    ERASE_PERSON = "erase-person"
    """Remove all that is personal from our own tables. No plan of a mailbox holds it: see ``execution.erasure``."""


ON_REWRITES = frozenset({Operation.CREATE_REWRITE, Operation.UPDATE_REWRITE, Operation.DELETE_REWRITE})
ON_ALIASES = (Operation.CREATE_ALIAS, Operation.UPDATE_ALIAS, Operation.DELETE_ALIAS)
ON_FORWARDINGS = (Operation.CREATE_FORWARDING, Operation.DELETE_FORWARDING)
NO_CALLS = (Operation.RELEASE_ADDRESS, Operation.ERASE_PERSON)
"""What is done in our own tables alone."""


class Brake(StrEnum):
    """The sliding windows that stop mass changes (`contracts.md` 5)."""

    BLOCK = "block"
    DELETE = "delete"
    """Deletions of mailboxes, and erasures of people: neither can be taken back."""
    IMMEDIATE = "immediate"
    LISTS = "lists"
    """Deletions of shared addresses. The roster can bring each back, but mail that is sent to it meanwhile is refused;
    and many at once are rather a mistake on the roster than the end of so many teams."""


StepFields = Mapping[str, FieldValue]


@dataclass(frozen=True, slots=True)
class Step:
    """One call.

    ``before`` and ``after`` hold the fields that change: ``name``, writable mailbox fields by Migadu's name,
    ``password`` (only as RANDOM_PASSWORD), ``password_method``, ``password_use``, ``destinations`` (sorted),
    ``is_internal`` of an alias, ``local_part_rule`` and ``order_num`` of a rewrite.
    """

    operation: Operation
    target: Address
    """The object's own address; of a forwarding, where it leads; of a rewrite NAME@DOMAIN; of who is erased, the last
    address that was theirs, or a word for who never had one."""
    before: StepFields
    after: StepFields
    mailbox: Address | None = None
    """For identities and forwardings: the mailbox they belong to."""
    brake: Brake | None = None

    @property
    def is_call(self) -> bool:
        """Whether the mail host is told."""
        return self.operation not in NO_CALLS

    @property
    def key(self) -> SharedKey:
        """What the ledger calls the object: its address, unless it is a rewrite."""
        return rewrite_key(self.target) if self.operation in ON_REWRITES else self.target

    def hash(self) -> str:
        """Return a stable hash of what this step does, whatever was there before."""
        content = [self.operation, self.target, self.mailbox, dict(self.after), self.brake]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
