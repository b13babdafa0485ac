"""The kinds of objects at the host, as a table: what each is called, where it is listed, what a write may change."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from worker.mail import WRITABLE_FIELDS, Alias, Domain, Forwarding, Identity, Mailbox, Rewrite
from worker.mail.fields import ALIAS_FIELDS, DOMAIN_FIELDS, FORWARDING_FIELDS, IDENTITY_FIELDS, Table
from worker.migadu import objects
from worker.migadu.answers import Object

Value = Mailbox | Identity | Forwarding | Alias | Rewrite | Domain
"""What a call can show."""

T = TypeVar("T", bound=Value)
T_co = TypeVar("T_co", bound=Value, covariant=True)


@dataclass(frozen=True, slots=True, eq=False)
class Resource(Generic[T_co]):
    """One kind of object."""

    noun: str
    plural: str
    """The last part of the path of its index."""
    key_field: str
    """The field of a creation that holds what the path of the object ends with."""
    read: Callable[[Object], T_co]
    fields: Table
    """What a creation sets and an update changes, the password apart."""
    create_only: Table = field(default_factory=dict)
    """What a creation sets besides, and no answer shows."""
    list_key: str = ""
    """The key of the list in the answer of an index, where it is not the plural (`migadu-behaviour.md` 1.2)."""
    lists_as_text: bool = False
    """Whether lists are written as comma-separated text."""
    takes_password: bool = False


MAILBOX: Resource[Mailbox] = Resource(
    noun="mailbox",
    plural="mailboxes",
    key_field="local_part",
    read=objects.mailbox,
    fields={"name": str, **WRITABLE_FIELDS},
    takes_password=True,
)
IDENTITY: Resource[Identity] = Resource(
    noun="identity",
    plural="identities",
    key_field="local_part",
    read=objects.identity,
    fields={"name": str, "password_use": str, **IDENTITY_FIELDS},
    takes_password=True,
)
FORWARDING: Resource[Forwarding] = Resource(
    noun="forwarding",
    plural="forwardings",
    key_field="address",
    read=objects.forwarding,
    fields=FORWARDING_FIELDS,
)
ALIAS: Resource[Alias] = Resource(
    noun="alias",
    plural="aliases",
    key_field="local_part",
    read=objects.alias,
    fields={"destinations": tuple, **ALIAS_FIELDS},
    list_key="address_aliases",
)
REWRITE: Resource[Rewrite] = Resource(
    noun="rewrite",
    plural="rewrites",
    key_field="name",
    read=objects.rewrite,
    fields={"name": str, "local_part_rule": str, "destinations": tuple, "order_num": int},
    lists_as_text=True,  # what clients of the real API found necessary here (`migadu-behaviour.md` 1.7)
)
DOMAIN: Resource[Domain] = Resource(
    noun="domain",
    plural="domains",
    key_field="name",
    read=objects.domain,
    fields=DOMAIN_FIELDS,
    create_only={"create_default_addresses": bool},
)
