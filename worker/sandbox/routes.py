"""Migadu's paths: which call does what to the world. Every answer is the object or list that Migadu would show.

Forwardings and rewrites are not held; their paths are unknown here and answer 404.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.sandbox.aliases import create_alias, delete_alias, update_alias
from worker.sandbox.identities import create_identity, delete_identity, update_identity
from worker.sandbox.mailboxes import create_mailbox, delete_mailbox, update_mailbox
from worker.sandbox.refusals import BadRequest, NotFound
from worker.sandbox.wire import Fields, Unreadable, parse
from worker.sandbox.world import Domain, Mailbox, World


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that was let in: what it names in its path, what it sent, and when."""

    world: World
    path: Mapping[str, str]
    raw: bytes
    now: datetime

    @property
    def domain(self) -> Domain:
        """The domain in the path. Raises NotFound."""
        return self.world.domain(self.path["domain"])

    @property
    def mailbox(self) -> Mailbox:
        """The mailbox in the path. Raises NotFound."""
        return self.domain.mailbox(self.path["mailbox"])

    @property
    def identity(self) -> Fields:
        """The identity in the path. Raises NotFound."""
        return self.mailbox.identity(self.path["identity"])

    @property
    def alias(self) -> Fields:
        """The alias in the path. Raises NotFound."""
        return self.domain.alias(self.path["alias"])

    @property
    def body(self) -> Fields:
        """The object that was sent. Raises BadRequest if it is none."""
        try:
            value = parse(self.raw)
        except Unreadable as error:
            raise BadRequest(str(error)) from error
        if not isinstance(value, dict):
            raise BadRequest("the body is not an object")
        return value


Handler = Callable[[Asked], Fields]


def _list_domains(asked: Asked) -> Fields:
    return {"domains": [domain.shown() for domain in asked.world.domains.values()]}


def _show_domain(asked: Asked) -> Fields:
    return asked.domain.shown()


def _list_mailboxes(asked: Asked) -> Fields:
    return {"mailboxes": [mailbox.shown(asked.now) for mailbox in asked.domain.mailboxes.values()]}


def _create_mailbox(asked: Asked) -> Fields:
    return create_mailbox(asked.domain, asked.body, asked.now).shown(asked.now)


def _show_mailbox(asked: Asked) -> Fields:
    return asked.mailbox.shown(asked.now)


def _update_mailbox(asked: Asked) -> Fields:
    mailbox = asked.mailbox
    update_mailbox(mailbox, asked.body, asked.now)
    return mailbox.shown(asked.now)


def _delete_mailbox(asked: Asked) -> Fields:
    mailbox = asked.mailbox
    delete_mailbox(asked.domain, mailbox)
    return mailbox.shown(asked.now)


def _list_identities(asked: Asked) -> Fields:
    return {"identities": list(asked.mailbox.identities.values())}


def _create_identity(asked: Asked) -> Fields:
    return create_identity(asked.domain, asked.mailbox, asked.body)


def _show_identity(asked: Asked) -> Fields:
    return asked.identity


def _update_identity(asked: Asked) -> Fields:
    return update_identity(asked.mailbox, asked.identity, asked.body)


def _delete_identity(asked: Asked) -> Fields:
    identity = asked.identity
    delete_identity(asked.domain, asked.mailbox, identity)
    return identity


def _list_aliases(asked: Asked) -> Fields:
    # Not `aliases`, as two clients believed (migadu-behaviour.md 1.2).
    return {"address_aliases": list(asked.domain.aliases.values())}


def _create_alias(asked: Asked) -> Fields:
    return create_alias(asked.domain, asked.body, asked.now)


def _show_alias(asked: Asked) -> Fields:
    return asked.alias


def _update_alias(asked: Asked) -> Fields:
    return update_alias(asked.domain, asked.alias, asked.body, asked.now)


def _delete_alias(asked: Asked) -> Fields:
    alias = asked.alias
    delete_alias(asked.domain, alias)
    return alias


def unknown_path(_asked: Asked) -> Fields:
    """Refuse a path or method that Migadu, or this stand-in, does not have."""
    raise NotFound("there is no such path or method")


_DOMAIN = "/v1/domains/{domain}"
_MAILBOX = _DOMAIN + "/mailboxes/{mailbox}"
_IDENTITY = _MAILBOX + "/identities/{identity}"
_ALIAS = _DOMAIN + "/aliases/{alias}"

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", _MAILBOX, _show_mailbox),
    ("PUT", _MAILBOX, _update_mailbox),
    ("DELETE", _MAILBOX, _delete_mailbox),
    ("GET", _DOMAIN + "/mailboxes", _list_mailboxes),
    ("POST", _DOMAIN + "/mailboxes", _create_mailbox),
    ("GET", _IDENTITY, _show_identity),
    ("PUT", _IDENTITY, _update_identity),
    ("DELETE", _IDENTITY, _delete_identity),
    ("GET", _MAILBOX + "/identities", _list_identities),
    ("POST", _MAILBOX + "/identities", _create_identity),
    ("GET", _ALIAS, _show_alias),
    ("PUT", _ALIAS, _update_alias),
    ("DELETE", _ALIAS, _delete_alias),
    ("GET", _DOMAIN + "/aliases", _list_aliases),
    ("POST", _DOMAIN + "/aliases", _create_alias),
    ("GET", "/v1/domains", _list_domains),
    ("GET", _DOMAIN, _show_domain),
)
"""Method, path, and what is done."""
