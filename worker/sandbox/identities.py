"""Identities of a mailbox: create, change and delete, by Migadu's rules (`migadu-behaviour.md` 1.4 and 5)."""

from worker.sandbox.asked import IDENTITIES, Asked
from worker.sandbox.entry import Entry
from worker.sandbox.fields import defaults, written
from worker.sandbox.objects import IDENTITY, PasswordUse
from worker.sandbox.passwords import carries_password
from worker.sandbox.refusals import BadRequest


def create_identity(asked: Asked) -> Entry:
    """Make an identity. Raises BadRequest: address taken or not valid, no name, ``custom`` without a password.

    A password without ``password_use`` means a password of its own: the official example sends just that.
    """
    mailbox, body = asked.mailbox, asked.body
    if "name" not in body:
        raise BadRequest("the name is missing")
    use = PasswordUse.CUSTOM if carries_password(body) else PasswordUse.NONE
    fields = {**defaults(IDENTITY), "password_use": use, **written(IDENTITY, body)}
    if fields["password_use"] == PasswordUse.CUSTOM and not carries_password(body):
        raise BadRequest("password_use custom needs a password")
    named = asked.domain.claim(body.get("local_part"))
    identity = Entry({**named, **fields})
    asked.store_mailbox(mailbox.with_child(IDENTITIES, str(named["local_part"]), identity))
    return identity


def update_identity(asked: Asked, identity: Entry) -> Entry:
    """Change the fields that the body names, and no others. Raises BadRequest before anything is changed."""
    changed = identity.changed(written(IDENTITY, asked.body))
    becomes_custom = PasswordUse.CUSTOM == changed.fields["password_use"] != identity.fields["password_use"]
    if not carries_password(asked.body) and becomes_custom:
        raise BadRequest("password_use custom needs a password")
    asked.store_mailbox(asked.mailbox.with_child(IDENTITIES, str(identity.fields["local_part"]), changed))
    return changed


def delete_identity(asked: Asked, identity: Entry) -> None:
    """Delete an identity; its address is free again."""
    local = str(identity.fields["local_part"])
    asked.store_mailbox(asked.mailbox.without_child(IDENTITIES, local))
    asked.domain.taken.remove(local)
