"""The objects' fields, as tables: which can be written, which are only shown, and their defaults.

Defaults follow the official sample (`migadu-api.txt`, Mailboxes/CREATE); fields it does not show are in
`migadu-behaviour.md` 1.3 to 1.8.
"""

from enum import StrEnum

from worker.sandbox.fields import (
    Field,
    Table,
    amount,
    choice,
    count,
    day,
    display_name,
    flag,
    rule,
    slug,
    text,
    texts,
)


class SpamAction(StrEnum):
    """What happens to mail that is taken for spam (`migadu-behaviour.md` 1.3)."""

    NONE = "none"
    SUBJECT = "subject"
    FOLDER = "folder"
    DROP = "drop"


class SpamAggressiveness(StrEnum):
    """How readily mail is taken for spam, from least to most (`migadu-behaviour.md` 1.3)."""

    MOST_PERMISSIVE = "most_permissive"
    MORE_PERMISSIVE = "more_permissive"
    PERMISSIVE = "permissive"
    DEFAULT = "default"
    STRICT = "strict"
    STRICTER = "stricter"
    STRICTEST = "strictest"


class PasswordUse(StrEnum):
    """How one signs in as an identity (`migadu-behaviour.md` 1.4)."""

    NONE = "none"
    """Not at all: it is an address of the mailbox."""
    MAILBOX = "mailbox"
    """With the mailbox's password."""
    CUSTOM = "custom"
    """With a password of its own."""


class DomainSpamAggressiveness(StrEnum):
    """The same for a whole domain, in words of its own (`migadu-behaviour.md` 1.3)."""

    PARANOID = "paranoid"
    AGGRESSIVE = "aggressive"
    DEFAULT = "default"
    SUSPICIOUS = "suspicious"
    PERMISSIVE = "permissive"


class DomainState(StrEnum):
    """Whether a domain was activated (`migadu-behaviour.md` 1.8)."""

    ACTIVE = "active"
    INACTIVE = "inactive"


_AUTOREPLY = """Hi there,

Thank you for your message. I will be out of the office from [mm/dd] to [mm/dd] and will have limited access to email. \
If this is urgent, please contact [NAME] at [EMAIL] or [PHONE]. \
I will do my best to respond promptly to your email when I return on [mm/dd].

Best,

[MY NAME]
"""

_SENDER: Table = {
    "name": Field(display_name),
    "may_send": Field(flag, default=True),
    "may_receive": Field(flag, default=True),
    "may_access_imap": Field(flag, default=True),
    "may_access_pop3": Field(flag, default=True),
    "may_access_managesieve": Field(flag, default=False),
    "footer_active": Field(flag, default=False),
    "footer_plain_body": Field(text),
    "footer_html_body": Field(text),
}
"""What mailboxes and identities have in common."""

_EXPIRY: Table = {
    "is_internal": Field(flag, default=False),
    "expireable": Field(flag, default=False),
    "expires_on": Field(day),
    "remove_upon_expiry": Field(flag, default=False),
}
"""What mailboxes and aliases have in common."""

MAILBOX: Table = {
    **_SENDER,
    **_EXPIRY,
    "wildcard_sender": Field(flag, default=False),
    "password_recovery_email": Field(text),
    "spam_action": Field(choice(SpamAction), default=SpamAction.FOLDER, blank_keeps=True),
    "spam_aggressiveness": Field(choice(SpamAggressiveness), default=SpamAggressiveness.DEFAULT, blank_keeps=True),
    "sender_denylist": Field(texts, default=()),
    "sender_allowlist": Field(texts, default=()),
    "recipient_denylist": Field(texts, default=()),
    "autorespond_active": Field(flag),
    "autorespond_subject": Field(text, default="Autoreply: {{subject}}"),
    "autorespond_body": Field(text, default=_AUTOREPLY),
    "autorespond_expires_on": Field(day),
    "daily_incoming_limit": Field(count, default=0),
    "weekly_incoming_limit": Field(count, default=0),
    "monthly_incoming_limit": Field(count, default=0),
    "daily_outgoing_limit": Field(count, default=0),
    "weekly_outgoing_limit": Field(count, default=0),
}

MAILBOX_SHOWN: Table = {
    "is_active": Field(flag, default=True),
    "storage_usage": Field(amount, default=0.0),
    "delegations": Field(texts, default=()),
    "monthly_outgoing_limit": Field(count, default=0),
}
"""Fields of a mailbox that are shown and cannot be written; the monthly limit mirrors the daily one."""

IDENTITY: Table = {
    **_SENDER,
    "password_use": Field(choice(PasswordUse), default=PasswordUse.NONE, blank_keeps=True),
}

ALIAS: Table = _EXPIRY
"""Fields of an alias, its destinations apart."""

FORWARDING: Table = {
    "is_active": Field(flag, default=True),
    "expires_on": Field(day),
    "remove_upon_expiry": Field(flag, default=False),
}
"""Fields of a forwarding, its address apart, which can only be given at first."""

FORWARDING_TIMES = ("blocked_at", "confirmation_sent_at", "confirmed_at")
"""When what happened to a forwarding. How Migadu shows them is not known; here they look like a mailbox's times."""

REWRITE: Table = {
    "name": Field(slug),
    "local_part_rule": Field(rule),
    "order_num": Field(count, default=0),
    "destinations": Field(texts, default=()),
}
"""Fields of a rewrite. Where nobody gave an order it is 0, which is assumed."""

DOMAIN: Table = {
    "description": Field(text),
    "tags": Field(texts, default=()),
    "can_send": Field(flag, default=True),
    "can_access": Field(flag, default=True),
    "mx_proxy_enabled": Field(flag, default=False),
    "greylisting_enabled": Field(flag, default=False),
    "subject_rewriting_enabled": Field(flag, default=False),
    "junk_subject_keyword_spam": Field(flag, default=False),
    "spam_aggressiveness": Field(
        choice(DomainSpamAggressiveness), default=DomainSpamAggressiveness.DEFAULT, blank_keeps=True
    ),
    "sender_denylist": Field(texts, default=()),
    "sender_allowlist": Field(texts, default=()),
    "recipient_denylist": Field(texts, default=()),
    "catchall_destinations": Field(texts, default=()),
    "mailbox_default_incoming_limit": Field(count, default=0),
    "mailbox_default_outgoing_limit": Field(count, default=0),
    "mailbox_default_storage_limit": Field(count, default=0),
    "mailbox_default_sending_enabled": Field(flag, default=True),
    "mailbox_default_receiving_enabled": Field(flag, default=True),
    "mailbox_default_imap_enabled": Field(flag, default=True),
    "mailbox_default_pop3_enabled": Field(flag, default=True),
    "mailbox_default_managesieve_enabled": Field(flag, default=False),
}
"""Fields of a domain that can be written."""

DOMAIN_SHOWN: Table = {
    "state": Field(choice(DomainState), default=DomainState.ACTIVE),
    "can_receive": Field(flag, default=True),
    "hosted_dns": Field(flag, default=False),
}
"""Fields of a domain that are shown and cannot be written."""

DOMAIN_TIMES = ("activated_at", "deactivated_at")
MAILBOX_TIMES = ("activated_at", "changed_at", "last_login_at")
