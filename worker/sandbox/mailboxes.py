"""Mailboxes: create, change and delete, by Migadu's rules (`migadu-behaviour.md` 1.3 and 5)."""

from datetime import datetime

from worker.sandbox.fields import defaults, refuse_past_days, written
from worker.sandbox.objects import MAILBOX, MAILBOX_SHOWN
from worker.sandbox.passwords import carries_password, require_credential
from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Fields, Json
from worker.sandbox.world import Domain, Mailbox


def create_mailbox(domain: Domain, body: Fields, now: datetime) -> Mailbox:
    """Make a mailbox. Raises BadRequest: address taken or not valid, no name, no credential, bad field."""
    require_credential(body)
    if "name" not in body:
        raise BadRequest("the name is missing")
    if body.get("forwarding_to"):
        raise BadRequest("forwarding_to: the sandbox holds no forwardings")
    changes = _changes(body, {}, now)
    named = domain.claim(body.get("local_part"))
    fields = {**named, **defaults(MAILBOX_SHOWN), **defaults(MAILBOX), **changes}
    mailbox = Mailbox(fields, activated_at=now, changed_at=now)
    domain.mailboxes[str(named["local_part"])] = mailbox
    return mailbox


def update_mailbox(mailbox: Mailbox, body: Fields, now: datetime) -> None:
    """Change the fields that the body names, and no others. Raises BadRequest before anything is changed."""
    carries_password(body)
    mailbox.fields.update(_changes(body, mailbox.fields, now))
    mailbox.changed_at = now


def delete_mailbox(domain: Domain, mailbox: Mailbox) -> None:
    """Delete a mailbox with its identities. Aliases keep naming it (`migadu-behaviour.md` 7.3)."""
    local = str(mailbox.fields["local_part"])
    del domain.mailboxes[local]
    domain.taken -= {local, *mailbox.identities}


def _changes(body: Fields, current: Fields, now: datetime) -> dict[str, Json]:
    changes = written(MAILBOX, body)
    refuse_past_days(changes, current, now.date())
    if "daily_outgoing_limit" in changes:
        changes["monthly_outgoing_limit"] = changes["daily_outgoing_limit"]
    return changes
