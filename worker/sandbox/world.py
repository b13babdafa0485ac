"""Everything the stand-in holds, and where to find it: domains, their addresses, and who has them.

One address space per domain: a mailbox, an identity and an alias never share a local part (`migadu-behaviour.md` 2,
"Namespaces"). Pure: no HTTP, no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from worker.sandbox.entry import Entry, Listing
from worker.sandbox.fields import defaults, local_part
from worker.sandbox.objects import DOMAIN, DOMAIN_SHOWN, DOMAIN_TIMES
from worker.sandbox.refusals import BadRequest, NotFound
from worker.sandbox.wire import Json

FIRST_DOMAIN = "example.org"

T = TypeVar("T")


@dataclass(slots=True)
class Domain:
    """A domain: what it shows of itself, whether its DNS is right, and its objects by key in order of creation."""

    entry: Entry
    dns_ok: bool
    mailboxes: dict[str, Entry] = field(default_factory=dict)
    aliases: dict[str, Entry] = field(default_factory=dict)
    rewrites: dict[str, Entry] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    _listings: dict[str, Listing] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name, in lower case and punycode."""
        return str(self.entry.fields["name"])

    @property
    def is_active(self) -> bool:
        """Whether it was activated."""
        return self.entry.fields["state"] == "active"

    def listing(self, key: str) -> Listing:
        """Return what keeps the JSON of the list that was last shown under this key."""
        return self._listings.setdefault(key, Listing(key))

    def claim(self, given: Json) -> dict[str, Json]:
        """Take an address and return the three fields that name it. Raises BadRequest if it is taken or not valid.

        To be called last, when nothing else can be refused any more.
        """
        local = local_part(given)
        if local in self.taken:
            raise BadRequest("the address is taken")
        self.taken.add(local)
        return {"local_part": local, "domain_name": self.name, "address": f"{local}@{self.name}"}

    def copied(self) -> "Domain":
        """Return a copy that no later change of this one reaches."""
        return replace(
            self,
            mailboxes=dict(self.mailboxes),
            aliases=dict(self.aliases),
            rewrites=dict(self.rewrites),
            taken=set(self.taken),
        )


@dataclass(slots=True)
class World:
    """All domains of the account, by name in lower case and punycode."""

    domains: dict[str, Domain] = field(default_factory=dict)

    def domain(self, name: str) -> Domain:
        """Return one domain. Raises NotFound, which is the answer on every path below an unknown domain."""
        return found(self.domains, name, "domain")

    def copied(self) -> "World":
        """Return a copy that no later change of this one reaches."""
        return World({name: domain.copied() for name, domain in self.domains.items()})


def new_world() -> World:
    """Return what a new sandbox holds: one domain, active and empty."""
    times = dict.fromkeys(DOMAIN_TIMES)
    entry = Entry({"name": FIRST_DOMAIN, **defaults(DOMAIN_SHOWN), **defaults(DOMAIN)}, times)
    return World({FIRST_DOMAIN: Domain(entry, dns_ok=True)})


def found(those: Mapping[str, T], key: str, kind: str) -> T:
    """Return the object of that key, compared in lower case. Raises NotFound."""
    try:
        return those[key.lower()]
    except KeyError as error:
        raise NotFound(f"there is no such {kind}") from error
