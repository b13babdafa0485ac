"""Mailboxes: create, change and delete, by Migadu's rules (`migadu-behaviour.md` 1.3 and 5)."""

from datetime import datetime

from worker.sandbox.asked import FORWARDINGS, IDENTITIES, Asked
from worker.sandbox.entry import Entry
from worker.sandbox.fields import defaults, refuse_past_days, written
from worker.sandbox.forwardings import forwarding_to
from worker.sandbox.objects import MAILBOX, MAILBOX_SHOWN
from worker.sandbox.passwords import carries_password, require_credential
from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Fields, Json
from worker.sandbox.world import Domain

_SET_BY_DOMAIN = {
    "may_send": "mailbox_default_sending_enabled",
    "may_receive": "mailbox_default_receiving_enabled",
    "may_access_imap": "mailbox_default_imap_enabled",
    "may_access_pop3": "mailbox_default_pop3_enabled",
    "may_access_managesieve": "mailbox_default_managesieve_enabled",
    "daily_incoming_limit": "mailbox_default_incoming_limit",
    "daily_outgoing_limit": "mailbox_default_outgoing_limit",
    "monthly_outgoing_limit": "mailbox_default_outgoing_limit",
}
"""Which field of the domain gives a new mailbox its value (`migadu-behaviour.md` 1.8). That the domain's limits are
daily ones is assumed; the storage limit has no counterpart in a mailbox."""


def mailbox_defaults(domain: Domain) -> dict[str, Json]:
    """Return what a mailbox of this domain holds where nobody said anything."""
    of_domain = {name: domain.entry.fields[source] for name, source in _SET_BY_DOMAIN.items()}
    return {**defaults(MAILBOX_SHOWN), **defaults(MAILBOX), **of_domain}


def create_mailbox(asked: Asked) -> Entry:
    """Make a mailbox. Raises BadRequest: address taken or not valid, no name, no credential, bad field."""
    domain, body, now = asked.domain, asked.body, asked.now
    require_credential(body)
    if "name" not in body:
        raise BadRequest("the name is missing")
    changes = _changes(body, {}, now)
    forwardings = forwarding_to(asked.world, body.get("forwarding_to"), now)
    named = domain.claim(body.get("local_part"))
    mailbox = Entry(
        {**named, **mailbox_defaults(domain), **changes},
        {"activated_at": now, "changed_at": now, "last_login_at": None},
        {IDENTITIES: {}, FORWARDINGS: forwardings},
    )
    domain.mailboxes[str(named["local_part"])] = mailbox
    return mailbox


def update_mailbox(asked: Asked, mailbox: Entry) -> Entry:
    """Change the fields that the body names, and no others. Raises BadRequest before anything is changed."""
    carries_password(asked.body)
    changes = _changes(asked.body, mailbox.fields, asked.now)
    return asked.store_mailbox(mailbox.changed(changes, changed_at=asked.now))


def delete_mailbox(asked: Asked, mailbox: Entry) -> None:
    """Delete a mailbox with its children. Aliases and rewrites keep naming it (`migadu-behaviour.md` 7.3)."""
    local = str(mailbox.fields["local_part"])
    del asked.domain.mailboxes[local]
    asked.domain.taken -= {local, *mailbox.children[IDENTITIES]}


def _changes(body: Fields, current: Fields, now: datetime) -> dict[str, Json]:
    changes = written(MAILBOX, body)
    refuse_past_days(changes, current, now.date())
    if "daily_outgoing_limit" in changes:
        changes["monthly_outgoing_limit"] = changes["daily_outgoing_limit"]
    return changes
