"""The calls that can be made, and the hooks through which their maker hears of every attempt on the wire.

Neither a call nor its outcome holds anybody's address or what was sent: both are personal data.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Verb(StrEnum):
    """What is done with an object or an index."""

    LIST = "list"
    SHOW = "show"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ACTIVATE = "activate"


class CallName(StrEnum):
    """What a call does. The names of writes are those of the steps that plans show."""

    LIST_DOMAINS = "list-domains"
    SHOW_DOMAIN = "show-domain"
    CREATE_DOMAIN = "create-domain"
    UPDATE_DOMAIN = "update-domain"
    ACTIVATE_DOMAIN = "activate-domain"
    SHOW_RECORDS = "show-records"
    SHOW_DIAGNOSTICS = "show-diagnostics"
    SHOW_USAGE = "show-usage"
    LIST_MAILBOXES = "list-mailboxes"
    SHOW_MAILBOX = "show-mailbox"
    CREATE_MAILBOX = "create-mailbox"
    UPDATE_MAILBOX = "update-mailbox"
    DELETE_MAILBOX = "delete-mailbox"
    LIST_IDENTITIES = "list-identities"
    SHOW_IDENTITY = "show-identity"
    CREATE_IDENTITY = "create-identity"
    UPDATE_IDENTITY = "update-identity"
    DELETE_IDENTITY = "delete-identity"
    LIST_FORWARDINGS = "list-forwardings"
    SHOW_FORWARDING = "show-forwarding"
    CREATE_FORWARDING = "create-forwarding"
    UPDATE_FORWARDING = "update-forwarding"
    DELETE_FORWARDING = "delete-forwarding"
    LIST_ALIASES = "list-aliases"
    SHOW_ALIAS = "show-alias"
    CREATE_ALIAS = "create-alias"
    UPDATE_ALIAS = "update-alias"
    DELETE_ALIAS = "delete-alias"
    LIST_REWRITES = "list-rewrites"
    SHOW_REWRITE = "show-rewrite"
    CREATE_REWRITE = "create-rewrite"
    UPDATE_REWRITE = "update-rewrite"
    DELETE_REWRITE = "delete-rewrite"

    @property
    def verb(self) -> Verb:
        """The first word."""
        return Verb(self.partition("-")[0])

    @property
    def method(self) -> str:
        """The HTTP method of this call."""
        return _ODD_METHODS.get(self) or _METHODS[self.verb]

    @property
    def is_list(self) -> bool:
        """Whether the answer holds all objects of a kind."""
        return self.verb is Verb.LIST

    @property
    def is_write(self) -> bool:
        """Whether the call changes something at the host, whatever its HTTP method."""
        return self.verb not in (Verb.LIST, Verb.SHOW)


_METHODS = {Verb.LIST: "GET", Verb.SHOW: "GET", Verb.CREATE: "POST", Verb.UPDATE: "PUT", Verb.DELETE: "DELETE"}
_ODD_METHODS = {CallName.UPDATE_DOMAIN: "PATCH", CallName.ACTIVATE_DOMAIN: "GET"}  # `migadu-behaviour.md` 1.1


class FailureClass(StrEnum):
    """The classes of failure; what follows from each is decided by who made the call."""

    TRANSIENT = "transient"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    FULL = "full"
    ACCOUNT = "account"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Call:
    """A call about to be made."""

    operation: CallName
    path: str
    """Below the API's address, with ``*`` in the place of each object's own name, which might be somebody's."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.operation.method

    @property
    def is_write(self) -> bool:
        """Whether the call changes something at the host."""
        return self.operation.is_write


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt."""

    status: int | None
    """None where no answer came."""
    failure: FailureClass | None
    """None where it succeeded."""
    duration_s: float
    excerpt: str
    """The redacted beginning of a failure's answer; empty after a success, whose answer is personal data."""
    answered_bytes: int
    retry_after_s: float | None = None
    """How many seconds the host asked to be left alone, where it did."""


class Hooks(Protocol):
    """What the maker of calls wants to know. Both run in the calling thread, around every attempt on the wire."""

    def before(self, attempt: Call) -> float | None:
        """Hear that this call is about to be sent. Raising prevents it; the caller gets what was raised.

        Returns since when its deadline counts, by ``elapsed_s``, so that whoever is suspended behind that instant for
        too long sends nothing when they wake; None: from its sending on.
        """

    def after(self, attempt: Call, outcome: Outcome) -> None:
        """Hear what came of it, before the caller does. Not called where the process was interrupted meanwhile."""
