"""Writes as values: what is to be changed, said once for sending it and for recognising it when it is read back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Generic

from worker.mail import Address, Domain, FieldValue, domain_name
from worker.migadu.calls import Call, Verb
from worker.migadu.places import Place
from worker.migadu.resources import DOMAIN, IDENTITY, MAILBOX, Resource, T, T_co, Value

Fields = Mapping[str, FieldValue]

_NO_FIELDS: Fields = MappingProxyType({})
_ADDRESSES = ("destinations", "catchall_destinations", "password_recovery_email")
"""Fields whose domains the host takes in punycode alone (`migadu-behaviour.md` 2.19)."""


@dataclass(frozen=True, slots=True)
class Password:
    """A password to set. Never shown; the host does not show it either."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation to set a password, sent to an address where the owner of a new mailbox reads mail."""

    to: str = field(repr=False)


Credential = Password | Invitation


@dataclass(frozen=True, slots=True)
class Write(Generic[T_co]):
    """One change of one object. Made by the functions below, which refuse what makes no sense."""

    verb: Verb
    place: Place[T_co]
    fields: Fields = field(default_factory=dict, repr=False)
    """What the object will show, by Migadu's names."""
    credential: Credential | None = None
    unseen: Fields = field(default_factory=dict, repr=False)
    """What is sent besides and never shown."""

    @property
    def call(self) -> Call:
        """The call that this is."""
        return self.place.call(self.verb)

    @property
    def path(self) -> str:
        """The path below the API's address."""
        return self.place.path_of(self.verb)

    @property
    def goes_to(self) -> Place[T_co]:
        """The place where the object is afterwards; another one if it is renamed."""
        name = self.fields.get(self.place.resource.key_field)
        return self.place.renamed(name) if isinstance(name, str) and self._renames else self.place

    @property
    def body(self) -> Mapping[str, object] | None:
        """The JSON object to send, if any."""
        if self.verb in (Verb.DELETE, Verb.ACTIVATE):
            return None
        key = {self.place.resource.key_field: self.place.key} if self.verb is Verb.CREATE else {}
        return {**key, **self._written(), **_secrets(self.credential)}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that no excerpt of an answer may show."""
        private = (self.fields.get("password_recovery_email"), *_secrets(self.credential).values())
        return tuple(each for each in private if isinstance(each, str))

    @property
    def _renames(self) -> bool:
        return self.verb is Verb.UPDATE and self.place.resource.key_field in self.place.resource.fields

    def _written(self) -> dict[str, object]:
        return {name: self._sent(value) for name, value in {**self.fields, **self.unseen}.items()}

    def _sent(self, value: FieldValue) -> object:
        if not isinstance(value, tuple):
            return value
        return ",".join(value) if self.place.resource.lists_as_text else list(value)


def create(place: Place[T], fields: Fields = _NO_FIELDS, credential: Credential | None = None) -> Write[T]:
    """Make an object. A mailbox takes a password or an invitation; an identity may take a password of its own.

    Raises ValueError for a field that a creation does not set, a domain that is none, a credential that does not fit.
    """
    resource = place.resource
    if resource.noun == MAILBOX.noun and credential is None:
        raise ValueError("a mailbox is created with a password or by an invitation")
    _require(resource, credential, invitation=resource.noun == MAILBOX.noun)
    if resource.noun == IDENTITY.noun:
        fields = {"password_use": "none" if credential is None else "custom", **fields}
    unseen = {name: value for name, value in fields.items() if name in resource.create_only}
    shown = _known(resource, {name: value for name, value in fields.items() if name not in unseen})
    if resource.key_field in shown:
        raise ValueError(f"{resource.key_field} is in the place of the new {resource.noun}")
    if isinstance(credential, Invitation):
        shown = {**shown, "password_recovery_email": _in_punycode(credential.to)}
    return Write(Verb.CREATE, place, shown, credential, unseen)


def update(place: Place[T], changes: Fields = _NO_FIELDS, credential: Password | None = None) -> Write[T]:
    """Change these fields of an object, and the password if one is given; nothing else. Lists are replaced as a whole.

    Raises ValueError for a domain that is none, and for a field that a write does not change: the host would answer 200
    and ignore it (`migadu-behaviour.md` 2.16).
    """
    _require(place.resource, credential, invitation=False)
    return Write(Verb.UPDATE, place, _known(place.resource, changes), credential)


def delete(place: Place[T]) -> Write[T]:
    """Take an object away; a mailbox goes with its mail, its identities and its forwardings.

    Raises ValueError for a domain: the API cannot do that (`migadu-behaviour.md` 1.1).
    """
    if place.resource.noun == DOMAIN.noun:
        raise ValueError("a domain cannot be deleted by the API")
    return Write(Verb.DELETE, place)


def activate(place: Place[Domain]) -> Write[Domain]:
    """Have the host check a domain's DNS and handle its mail from then on. Refused: the DNS is not right yet."""
    return Write(Verb.ACTIVATE, place, {"state": "active"})


def listed(addresses: Iterable[Address]) -> tuple[str, ...]:
    """Return destinations as a field's value."""
    return tuple(sorted(set(addresses)))


def _require(resource: Resource[Value], credential: Credential | None, *, invitation: bool) -> None:
    if isinstance(credential, Password) and not resource.takes_password:
        raise ValueError(f"no password goes with the {resource.noun}: only mailboxes and identities have one")
    if isinstance(credential, Invitation) and not invitation:
        raise ValueError("only a new mailbox comes with an invitation")


def _known(resource: Resource[Value], fields: Fields) -> Fields:
    if strange := sorted(fields.keys() - resource.fields.keys()):
        raise ValueError(f"no write changes {', '.join(strange)} of a {resource.noun}")
    return {name: _as_sent(value) if name in _ADDRESSES else value for name, value in fields.items()}


def _as_sent(value: FieldValue) -> FieldValue:
    if isinstance(value, tuple):
        return tuple(map(_in_punycode, value))
    return _in_punycode(value) if isinstance(value, str) else value


def _in_punycode(text: str) -> str:
    local, at, domain = text.rpartition("@")
    return f"{local}@{domain_name(domain)}" if at else text


def _secrets(credential: Credential | None) -> dict[str, object]:
    match credential:
        case Password(text):
            return {"password": text}
        case Invitation():  # where it goes is a field that the mailbox shows
            return {"password_method": "invitation"}
        case None:
            return {}
