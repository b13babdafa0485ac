"""Everything the stand-in holds, and where to find it: domains, their addresses, and who has them.

One address space per domain: a mailbox, an identity and an alias never share a local part (`migadu-behaviour.md` 2,
"Namespaces"). Pure: no HTTP, no clock.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from worker.sandbox.fields import local_part
from worker.sandbox.objects import DOMAIN_SHOWN
from worker.sandbox.refusals import BadRequest, NotFound
from worker.sandbox.wire import Fields, Json

FIRST_DOMAIN = "example.org"

T = TypeVar("T")


@dataclass(slots=True)
class Mailbox:
    """A mailbox: its plain fields as shown, its times as instants (UTC), its identities by local part.

    Passwords are checked and dropped; nothing here ever holds one.
    """

    fields: dict[str, Json]
    activated_at: datetime | None = None
    changed_at: datetime | None = None
    last_login_at: datetime | None = None
    identities: dict[str, Fields] = field(default_factory=dict)

    def shown(self, now: datetime) -> Fields:
        """Return the mailbox as the API shows it, children inside."""
        return {
            **self.fields,
            "activated_at": shown_time(self.activated_at, now),
            "changed_at": shown_time(self.changed_at, now),
            "last_login_at": shown_time(self.last_login_at, now),
            "identities": list(self.identities.values()),
            "forwardings": [],
        }

    def identity(self, local: str) -> Fields:
        """Return one identity. Raises NotFound."""
        return found(self.identities, local, "identity")


@dataclass(slots=True)
class Domain:
    """A domain with its mailboxes and aliases by local part."""

    name: str
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    aliases: dict[str, Fields] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def shown(self) -> Fields:
        """Return the domain as the API shows it."""
        return {"name": self.name, **DOMAIN_SHOWN}

    def mailbox(self, local: str) -> Mailbox:
        """Return one mailbox. Raises NotFound."""
        return found(self.mailboxes, local, "mailbox")

    def alias(self, local: str) -> Fields:
        """Return one alias. Raises NotFound."""
        return found(self.aliases, local, "alias")

    def claim(self, given: Json) -> dict[str, Json]:
        """Take an address and return the three fields that name it. Raises BadRequest if it is taken or not valid.

        To be called last, when nothing else can be refused any more.
        """
        local = local_part(given)
        if local in self.taken:
            raise BadRequest("the address is taken")
        self.taken.add(local)
        return {"local_part": local, "domain_name": self.name, "address": f"{local}@{self.name}"}


@dataclass(slots=True)
class World:
    """All domains of the account, by name in lower case and punycode."""

    domains: dict[str, Domain] = field(default_factory=dict)

    def domain(self, name: str) -> Domain:
        """Return one domain. Raises NotFound, which is the answer on every path below an unknown domain."""
        return found(self.domains, name, "domain")


def new_world() -> World:
    """Return what a new sandbox holds: one empty domain."""
    return World({FIRST_DOMAIN: Domain(FIRST_DOMAIN)})


def found(those: dict[str, T], key: str, kind: str) -> T:
    """Return the object of that key, compared in lower case. Raises NotFound."""
    try:
        return those[key.lower()]
    except KeyError as error:
        raise NotFound(f"there is no such {kind}") from error


def shown_time(at: datetime | None, now: datetime) -> str | None:
    """Return an instant as Migadu displays it: HH:MM (UTC) today, dd/mm/yy before (`migadu-behaviour.md` 1.3)."""
    if at is None:
        return None
    return at.strftime("%H:%M" if at.date() == now.date() else "%d/%m/%y")
