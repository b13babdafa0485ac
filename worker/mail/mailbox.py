"""A mailbox and its identities, as far as they can be read and written."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.mail.address import Address

FieldValue = bool | int | str | None | tuple[str, ...]
"""What a field of a mailbox may hold; lists are tuples, so that values can be compared and hashed."""

DOORS = ("may_send", "may_access_imap", "may_access_pop3", "may_access_managesieve")
"""The flags that let a person in. Closing them suspends; ``may_receive`` stays, or senders' mail would bounce."""

ACCESS_FLAGS = (*DOORS, "may_receive")

WRITABLE_FIELDS: Mapping[str, type] = {
    "is_internal": bool,
    "may_send": bool,
    "may_receive": bool,
    "may_access_imap": bool,
    "may_access_pop3": bool,
    "may_access_managesieve": bool,
    "wildcard_sender": bool,
    "password_recovery_email": str,
    "spam_action": str,
    "spam_aggressiveness": str,
    "sender_denylist": tuple,
    "sender_allowlist": tuple,
    "recipient_denylist": tuple,
    "autorespond_active": bool,
    "autorespond_subject": str,
    "autorespond_body": str,
    "autorespond_expires_on": str,
    "footer_active": bool,
    "footer_plain_body": str,
    "footer_html_body": str,
    "expireable": bool,
    "expires_on": str,
    "remove_upon_expiry": bool,
    "daily_incoming_limit": int,
    "weekly_incoming_limit": int,
    "monthly_incoming_limit": int,
    "daily_outgoing_limit": int,
    "weekly_outgoing_limit": int,
}
"""Fields of a mailbox that a write changes, with the type each holds, ``name`` and the password apart.

`monthly_outgoing_limit` is missing on purpose: it mirrors the daily one, and setting it alone does nothing
(`migadu-behaviour.md` 1.3).
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """A further address of a mailbox; mail to it arrives in the mailbox (`migadu-behaviour.md` 3)."""

    address: Address
    name: str
    password_use: str | None = None
    """``none``, ``mailbox`` or ``custom``; optional on read (`migadu-behaviour.md` 1.4)."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox as the host shows it: its own address, its display name, writable fields and identities."""

    address: Address
    name: str
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    """By Migadu's field name; only names of WRITABLE_FIELDS. ``null`` booleans are kept as None."""
    identities: frozenset[Identity] = frozenset()
