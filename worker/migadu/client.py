"""Mailboxes, identities and aliases of a Migadu account: index, show, create, update, delete.

Each method makes exactly one call. All of them raise a MigaduError where the host does not do it, and what the hooks
raise; ValueError for a request that makes no sense.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar
from urllib.parse import quote

import httpx

from worker.mail import Address, Alias, FieldValue, Identity, Mailbox, domain_of, local_part_of
from worker.mail.address import domain_name
from worker.migadu import echo, wire
from worker.migadu.answers import MalformedAnswer, Object
from worker.migadu.calls import Call, CallName, Hooks
from worker.migadu.connection import open_client
from worker.migadu.exchange import Exchange, Request

T = TypeVar("T", Mailbox, Identity, Alias)

_NO_FIELDS: Mapping[str, FieldValue] = {}


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """What the host shows after a write."""

    value: T
    ignored: tuple[str, ...] = ()
    """Names of fields that were sent and that the host did not take over. Where access flags or destinations are among
    them, EchoMismatch is raised instead."""


class MigaduClient:
    """Speaks to one account, in one thread.

    ``http`` comes from `ThreadClients.client` and stays the caller's; without it the client opens one of its own, which
    `close` closes.
    """

    def __init__(
        self, base_url: str, user: str, key: str, *, http: httpx.Client | None = None, hooks: Hooks | None = None
    ) -> None:
        self._opened = [] if http is not None else [open_client(httpx.create_ssl_context())]
        self._exchange = Exchange(base_url, user, key, http or self._opened[0], hooks)

    def close(self) -> None:
        """Close what this client opened itself."""
        for each in self._opened:
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def mailboxes(self, domain: str) -> list[Mailbox]:
        """Return all mailboxes of a domain, with their identities. NotFound: the domain is not in the account."""
        request = Request(Call(CallName.LIST_MAILBOXES), _path(domain, "mailboxes"), domain)
        return self._exchange.make(request, lambda found: wire.listed(found, "mailboxes", wire.mailbox))

    def mailbox(self, address: Address) -> Mailbox:
        """Return a mailbox with its identities."""
        request = _request(CallName.SHOW_MAILBOX, address, _mailbox_path(address))
        return self._exchange.make(request, _shown(address, wire.mailbox))

    def create_mailbox(
        self,
        address: Address,
        name: str,
        *,
        password: str | None = None,
        invitation_to: str | None = None,
        fields: Mapping[str, FieldValue] = _NO_FIELDS,
    ) -> Written[Mailbox]:
        """Create a mailbox, either with a password or by an invitation to an address where its owner reads mail.

        Refused also means that the address is taken (`migadu-behaviour.md` 2.5).
        """
        credential = _credential(password, invitation_to)
        sent = {"name": name, **fields}
        body = {"local_part": local_part_of(address), **wire.body(sent, wire.MAILBOX_FIELDS), **credential}
        path = _path(domain_of(address), "mailboxes")
        request = _request(CallName.CREATE_MAILBOX, address, path, body)
        return self._exchange.make(request, _written(address, sent, wire.MAILBOX_FIELDS, wire.mailbox))

    def update_mailbox(
        self, address: Address, changes: Mapping[str, FieldValue], *, password: str | None = None
    ) -> Written[Mailbox]:
        """Change these fields (``name`` or any of WRITABLE_FIELDS), and the password if one is given; nothing else."""
        body = {**wire.body(changes, wire.MAILBOX_FIELDS), **_password(password)}
        request = _request(CallName.UPDATE_MAILBOX, address, _mailbox_path(address), body)
        return self._exchange.make(request, _written(address, changes, wire.MAILBOX_FIELDS, wire.mailbox))

    def delete_mailbox(self, address: Address) -> None:
        """Delete a mailbox with its mail and its identities. NotFound: it was not there."""
        request = _request(CallName.DELETE_MAILBOX, address, _mailbox_path(address))
        self._exchange.make(request, _nothing)

    def identities(self, mailbox: Address) -> list[Identity]:
        """Return all identities of a mailbox."""
        request = _request(CallName.LIST_IDENTITIES, mailbox, _identities_path(mailbox))
        return self._exchange.make(request, lambda found: wire.listed(found, "identities", wire.identity))

    def identity(self, mailbox: Address, address: Address) -> Identity:
        """Return one identity of a mailbox."""
        request = _request(CallName.SHOW_IDENTITY, address, _identity_path(mailbox, address))
        return self._exchange.make(request, _shown(address, wire.identity))

    def create_identity(
        self,
        mailbox: Address,
        address: Address,
        name: str,
        *,
        password_use: str = "none",  # noqa: S107  the name of a way to log in, not a password
        password: str | None = None,
    ) -> Written[Identity]:
        """Add an address to a mailbox. A password goes with the use ``custom`` only (`migadu-behaviour.md` 1.4)."""
        sent: dict[str, FieldValue] = {"name": name, "password_use": password_use}
        body = {
            "local_part": local_part_of(address),
            **wire.body(sent, wire.IDENTITY_FIELDS),
            **_password(password),
        }
        request = _request(CallName.CREATE_IDENTITY, address, _identities_path(mailbox), body)
        return self._exchange.make(request, _written(address, sent, wire.IDENTITY_FIELDS, wire.identity))

    def update_identity(
        self, mailbox: Address, address: Address, changes: Mapping[str, FieldValue], *, password: str | None = None
    ) -> Written[Identity]:
        """Change these fields of an identity (those of `wire.IDENTITY_FIELDS`), and the password if one is given."""
        body = {**wire.body(changes, wire.IDENTITY_FIELDS), **_password(password)}
        request = _request(CallName.UPDATE_IDENTITY, address, _identity_path(mailbox, address), body)
        return self._exchange.make(request, _written(address, changes, wire.IDENTITY_FIELDS, wire.identity))

    def delete_identity(self, mailbox: Address, address: Address) -> None:
        """Take an address from a mailbox. NotFound: it was not there."""
        request = _request(CallName.DELETE_IDENTITY, address, _identity_path(mailbox, address))
        self._exchange.make(request, _nothing)

    def aliases(self, domain: str) -> list[Alias]:
        """Return all aliases of a domain. NotFound: the domain is not in the account."""
        request = Request(Call(CallName.LIST_ALIASES), _path(domain, "aliases"), domain)
        return self._exchange.make(request, lambda found: wire.listed(found, "address_aliases", wire.alias))

    def alias(self, address: Address) -> Alias:
        """Return an alias."""
        request = _request(CallName.SHOW_ALIAS, address, _alias_path(address))
        return self._exchange.make(request, _shown(address, wire.alias))

    def create_alias(self, address: Address, destinations: Iterable[Address]) -> Written[Alias]:
        """Create an alias to addresses of its own domain; the host replaces other domains (`migadu-behaviour.md` 1.6).

        EchoMismatch: it did so.
        """
        sent = _destinations(destinations)
        body = {"local_part": local_part_of(address), **wire.body(sent, wire.ALIAS_FIELDS)}
        request = _request(CallName.CREATE_ALIAS, address, _path(domain_of(address), "aliases"), body)
        return self._exchange.make(request, _written(address, sent, wire.ALIAS_FIELDS, wire.alias))

    def update_alias(self, address: Address, destinations: Iterable[Address]) -> Written[Alias]:
        """Replace the whole list of an alias's destinations. EchoMismatch: the host shows another list."""
        sent = _destinations(destinations)
        request = _request(CallName.UPDATE_ALIAS, address, _alias_path(address), wire.body(sent, wire.ALIAS_FIELDS))
        return self._exchange.make(request, _written(address, sent, wire.ALIAS_FIELDS, wire.alias))

    def delete_alias(self, address: Address) -> None:
        """Delete an alias. NotFound: it was not there."""
        self._exchange.make(_request(CallName.DELETE_ALIAS, address, _alias_path(address)), _nothing)


def _request(operation: CallName, address: Address, path: str, body: Mapping[str, object] | None = None) -> Request:
    private = (str((body or {}).get(name) or "") for name in ("password", "password_recovery_email"))
    return Request(Call(operation), path, domain_of(address), body, tuple(private))


def _credential(password: str | None, invitation_to: str | None) -> dict[str, object]:
    if (password is None) == (invitation_to is None):
        raise ValueError("a mailbox is created either with a password or by invitation")
    if password is not None:
        return _password(password)
    return {"password_method": "invitation", "password_recovery_email": invitation_to}


def _password(password: str | None) -> dict[str, object]:
    return {} if password is None else {"password": password}


def _destinations(destinations: Iterable[Address]) -> dict[str, FieldValue]:
    return {"destinations": tuple(sorted(set(destinations)))}


def _shown(address: Address, read: Callable[[Object], T]) -> Callable[[Object], T]:
    """Return a reader that takes no other object than the one asked for."""

    def checked(found: Object) -> T:
        value = read(found)
        if value.address != address:
            raise MalformedAnswer("the answer shows another object")
        return value

    return checked


def _written(
    address: Address, sent: Mapping[str, FieldValue], fields: Mapping[str, type], read: Callable[[Object], T]
) -> Callable[[Object], Written[T]]:
    """Return a reader that also compares the echo with what was sent."""
    shown = _shown(address, read)

    def compared(found: Object) -> Written[T]:
        return Written(shown(found), echo.ignored(sent, found, fields))

    return compared


def _nothing(_: Object) -> None:
    """Read nothing: a deleted object is of no use to anyone."""


def _mailbox_path(address: Address) -> str:
    return _path(domain_of(address), "mailboxes", local_part_of(address))


def _identities_path(mailbox: Address) -> str:
    return f"{_mailbox_path(mailbox)}/identities"


def _identity_path(mailbox: Address, address: Address) -> str:
    return f"{_identities_path(mailbox)}/{_segment(local_part_of(address))}"


def _alias_path(address: Address) -> str:
    return _path(domain_of(address), "aliases", local_part_of(address))


def _path(domain: str, *parts: str) -> str:
    return "/".join(("/domains", *map(_segment, (domain_name(domain), *parts))))


def _segment(text: str) -> str:
    """Return one part of a path. A part of dots would address what lies above: deleting it would be a disaster."""
    if not text.strip("."):
        raise ValueError("an address without a local part cannot be asked for")
    return quote(text, safe="")
