"""Fields of the host's objects, by Migadu's names: what a write can change, and when two values say the same."""

from collections.abc import Mapping
from types import MappingProxyType

FieldValue = bool | int | str | None | tuple[str, ...]
"""What a field may hold; lists are tuples, so that values can be compared and hashed."""

Table = Mapping[str, type]
"""The fields that a write changes, the password apart, with the type that each holds."""

DOORS = ("may_send", "may_access_imap", "may_access_pop3", "may_access_managesieve")
"""The flags that let a person in. Closing them suspends; ``may_receive`` stays, or senders' mail would bounce."""

ACCESS_FLAGS = (*DOORS, "may_receive")

_FOOTER: Table = {"footer_active": bool, "footer_plain_body": str, "footer_html_body": str}
_EXPIRY: Table = {"expires_on": str, "remove_upon_expiry": bool}

WRITABLE_FIELDS: Table = MappingProxyType(
    {
        "is_internal": bool,
        **dict.fromkeys(ACCESS_FLAGS, bool),
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
        **_FOOTER,
        "expireable": bool,
        **_EXPIRY,
        "daily_incoming_limit": int,
        "weekly_incoming_limit": int,
        "monthly_incoming_limit": int,
        "daily_outgoing_limit": int,
        "weekly_outgoing_limit": int,
    }
)
"""Of a mailbox, ``name`` apart.

`monthly_outgoing_limit` is missing on purpose: it mirrors the daily one, and setting it alone does nothing
(`migadu-behaviour.md` 1.3).
"""

IDENTITY_FIELDS: Table = MappingProxyType({**dict.fromkeys(ACCESS_FLAGS, bool), **_FOOTER})
"""Of an identity, ``name`` and ``password_use`` apart (`migadu-behaviour.md` 1.4)."""

ALIAS_FIELDS: Table = MappingProxyType({"is_internal": bool, "expireable": bool, **_EXPIRY})
"""Of an alias, ``destinations`` apart (`migadu-behaviour.md` 1.6)."""

FORWARDING_FIELDS: Table = MappingProxyType({"is_active": bool, **_EXPIRY})
"""Of a forwarding, whose address is set once (`migadu-behaviour.md` 1.5)."""

DOMAIN_FIELDS: Table = MappingProxyType(
    {
        "description": str,
        "tags": tuple,
        "mx_proxy_enabled": bool,
        "greylisting_enabled": bool,
        "subject_rewriting_enabled": bool,
        "junk_subject_keyword_spam": bool,
        "spam_aggressiveness": str,
        "sender_denylist": tuple,
        "sender_allowlist": tuple,
        "recipient_denylist": tuple,
        "catchall_destinations": tuple,
        "mailbox_default_incoming_limit": int,
        "mailbox_default_outgoing_limit": int,
        "mailbox_default_storage_limit": int,
        "mailbox_default_sending_enabled": bool,
        "mailbox_default_receiving_enabled": bool,
        "mailbox_default_imap_enabled": bool,
        "mailbox_default_pop3_enabled": bool,
        "mailbox_default_managesieve_enabled": bool,
    }
)
"""Of a domain (`migadu-behaviour.md` 1.8). What it can do (``can_send`` and others) is the host's to say."""

DECISIVE = frozenset({*ACCESS_FLAGS, "is_active", "destinations", "local_part_rule", "catchall_destinations"})
"""Fields where a difference means that somebody has access, or gets mail, who should not."""


_DAY = len("2026-11-25")


def took(name: str, wanted: FieldValue, shown: FieldValue) -> bool:
    """Tell whether a field that was written shows what was wanted.

    The host keeps "nothing" as null where false, 0, an empty text or an empty list was sent, and of an instant the day
    (`migadu-behaviour.md` 1.5); a decisive field must be seen as it was sent.
    """
    if _comparable(wanted) == _comparable(shown):
        return True
    if name.endswith("expires_on") and isinstance(wanted, str) and isinstance(shown, str):
        return wanted[:_DAY] == shown[:_DAY] != ""
    return name not in DECISIVE and not wanted and not shown


def _comparable(value: FieldValue) -> object:
    """Even out what the host may change without changing the meaning: order, case and doubles of lists, line ends."""
    if isinstance(value, tuple):
        return frozenset(each.strip().lower() for each in value)
    if isinstance(value, str):
        return value.replace("\r\n", "\n").strip()
    return value
