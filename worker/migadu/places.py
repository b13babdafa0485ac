"""Where things are at the host: the path of each index and of each object.

Domains are in punycode here, whatever they were given in; every part of a path is percent-encoded, and no part can name
what lies above it.
"""

from dataclasses import dataclass, field
from typing import Generic
from urllib.parse import quote

from worker.mail import Address, Alias, Domain, Forwarding, Identity, Mailbox, Rewrite, domain_name, local_part_of
from worker.mail import domain_of as domain_part
from worker.migadu.calls import Call, CallName, Verb
from worker.migadu.resources import ALIAS, DOMAIN, FORWARDING, IDENTITY, MAILBOX, REWRITE, Resource, T_co, Value

_HIDDEN = "*"


@dataclass(frozen=True, slots=True)
class Index(Generic[T_co]):
    """All objects of one kind, in a domain, in a mailbox or in the account."""

    resource: Resource[T_co]
    domain: str = ""
    """The domain they are in; empty for the domains themselves."""
    mailbox: str = field(default="", repr=False)
    """The local part of the mailbox they belong to; empty for those that belong to a domain."""

    @property
    def path(self) -> str:
        """The path below the API's address."""
        return self._path(self.mailbox)

    @property
    def call(self) -> Call:
        """The call that lists them."""
        return Call(CallName(f"{Verb.LIST}-{self.resource.plural}"), self.public_path)

    @property
    def public_path(self) -> str:
        """The path without the name of the mailbox."""
        return self._path(_HIDDEN)

    def _path(self, mailbox: str) -> str:
        above = ("domains", self.domain) if self.domain else ()
        inside = ("mailboxes", mailbox) if self.mailbox else ()
        return "/".join(("", *map(_segment, (*above, *inside)), self.resource.plural))


@dataclass(frozen=True, slots=True)
class Place(Generic[T_co]):
    """Where one object is, or would be."""

    index: Index[T_co]
    key: str = field(repr=False)
    """What its path ends with: a local part, a full address, a name."""

    @property
    def resource(self) -> Resource[T_co]:
        """What kind of object."""
        return self.index.resource

    @property
    def domain(self) -> str:
        """The domain it is in, or is."""
        return self.index.domain or self.key

    @property
    def path(self) -> str:
        """The path below the API's address."""
        return f"{self.index.path}/{_segment(self.key)}"

    def call(self, verb: Verb) -> Call:
        """Return the call of this verb."""
        public = f"{self.index.public_path}/{_HIDDEN if self.index.domain else _segment(self.key)}"
        return Call(CallName(f"{verb}-{self.resource.noun}"), _path_of(verb, self.index.public_path, public))

    def path_of(self, verb: Verb) -> str:
        """Return the path of the call of this verb: a creation goes to the index."""
        return _path_of(verb, self.index.path, self.path)

    def is_at(self, value: Value) -> bool:
        """Tell whether a value that was answered is the object of this place."""
        return _key_of(value) == self.key and (isinstance(value, Domain) or self._is_inside(value))

    def renamed(self, key: str) -> "Place[T_co]":
        """Return the place of the same object under another name."""
        return Place(self.index, key)

    def _is_inside(self, value: Mailbox | Identity | Forwarding | Alias | Rewrite) -> bool:
        match value:
            case Forwarding():
                return True  # its address is anywhere
            case Rewrite():
                return value.domain == self.domain
            case _:
                return domain_part(value.address) == self.domain


def domains() -> Index[Domain]:
    """All domains of the account."""
    return Index(DOMAIN)


def mailboxes_of(domain: str) -> Index[Mailbox]:
    """The mailboxes of a domain, each with its identities and forwardings."""
    return Index(MAILBOX, domain_name(domain))


def identities_of(mailbox: Address) -> Index[Identity]:
    """The identities of a mailbox."""
    return Index(IDENTITY, domain_part(mailbox), _checked(local_part_of(mailbox)))


def forwardings_of(mailbox: Address) -> Index[Forwarding]:
    """The forwardings of a mailbox."""
    return Index(FORWARDING, domain_part(mailbox), _checked(local_part_of(mailbox)))


def aliases_of(domain: str) -> Index[Alias]:
    """The aliases of a domain."""
    return Index(ALIAS, domain_name(domain))


def rewrites_of(domain: str) -> Index[Rewrite]:
    """The rewrites of a domain."""
    return Index(REWRITE, domain_name(domain))


def domain_at(name: str) -> Place[Domain]:
    """A domain of the account."""
    return Place(domains(), domain_name(name))


def mailbox_at(address: Address) -> Place[Mailbox]:
    """The mailbox of this address."""
    return Place(mailboxes_of(domain_part(address)), _checked(local_part_of(address)))


def identity_at(mailbox: Address, address: Address) -> Place[Identity]:
    """The identity of this address at a mailbox. Raises ValueError if they are on different domains."""
    if domain_part(mailbox) != domain_part(address):
        raise ValueError("an identity is on the domain of its mailbox")
    return Place(identities_of(mailbox), _checked(local_part_of(address)))


def forwarding_at(mailbox: Address, address: Address) -> Place[Forwarding]:
    """The forwarding from a mailbox to this address."""
    return Place(forwardings_of(mailbox), _checked(address))


def alias_at(address: Address) -> Place[Alias]:
    """The alias of this address."""
    return Place(aliases_of(domain_part(address)), _checked(local_part_of(address)))


def rewrite_at(domain: str, name: str) -> Place[Rewrite]:
    """The rewrite of this name."""
    return Place(rewrites_of(domain), _checked(name))


def _path_of(verb: Verb, index: str, own: str) -> str:
    match verb:
        case Verb.CREATE:
            return index
        case Verb.ACTIVATE:
            return f"{own}/activate"
        case _:
            return own


def _key_of(value: Value) -> str:
    match value:
        case Rewrite() | Domain():
            return value.name
        case Forwarding():
            return value.address
        case _:
            return local_part_of(value.address)


def _checked(key: str) -> str:
    # A part of dots would address what lies above: deleting that would be a disaster.
    if not key.strip("."):
        raise ValueError("an object without a name of its own cannot be asked for")
    return key


def _segment(text: str) -> str:
    return text if text == _HIDDEN else quote(text, safe="")
