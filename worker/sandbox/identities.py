"""Identities of a mailbox: create, change and delete, by Migadu's rules (`migadu-behaviour.md` 1.4 and 5)."""

from worker.sandbox.fields import defaults, written
from worker.sandbox.objects import IDENTITY, PasswordUse
from worker.sandbox.passwords import carries_password
from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Fields
from worker.sandbox.world import Domain, Mailbox


def create_identity(domain: Domain, mailbox: Mailbox, body: Fields) -> Fields:
    """Make an identity. Raises BadRequest: address taken or not valid, no name, ``custom`` without a password.

    A password without ``password_use`` means a password of its own: the official example sends just that.
    """
    if "name" not in body:
        raise BadRequest("the name is missing")
    use = PasswordUse.CUSTOM if carries_password(body) else PasswordUse.NONE
    fields = {**defaults(IDENTITY), "password_use": use, **written(IDENTITY, body)}
    if fields["password_use"] == PasswordUse.CUSTOM and not carries_password(body):
        raise BadRequest("password_use custom needs a password")
    named = domain.claim(body.get("local_part"))
    mailbox.identities[str(named["local_part"])] = {**named, **fields}
    return {**named, **fields}


def update_identity(mailbox: Mailbox, identity: Fields, body: Fields) -> Fields:
    """Change the fields that the body names, and no others. Raises BadRequest before anything is changed."""
    changed = {**identity, **written(IDENTITY, body)}
    becomes_custom = PasswordUse.CUSTOM == changed["password_use"] != identity["password_use"]
    if not carries_password(body) and becomes_custom:
        raise BadRequest("password_use custom needs a password")
    mailbox.identities[str(identity["local_part"])] = changed
    return changed


def delete_identity(domain: Domain, mailbox: Mailbox, identity: Fields) -> None:
    """Delete an identity; its address is free again."""
    local = str(identity["local_part"])
    del mailbox.identities[local]
    domain.taken.remove(local)
