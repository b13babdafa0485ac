"""The mail host's wire: a typed client for Migadu's HTTP API, and one error type per class of failure.

Every method makes one call and reports it to hooks; repeating, recording and judging calls is not done here.
"""

from worker.migadu.calls import Call, CallName, FailureClass, Hooks, Outcome, Verb
from worker.migadu.client import MigaduClient, Written
from worker.migadu.errors import (
    AccountRefused,
    EchoMismatch,
    Full,
    MigaduError,
    NotFound,
    Refused,
    Throttled,
    Transient,
    Unknown,
)
from worker.migadu.places import (
    Index,
    Place,
    alias_at,
    aliases_of,
    domain_at,
    domains,
    forwarding_at,
    forwardings_of,
    identities_of,
    identity_at,
    mailbox_at,
    mailboxes_of,
    rewrite_at,
    rewrites_of,
)
from worker.migadu.readback import Fate, Sending, fate, read_back
from worker.migadu.writes import Invitation, Password, Write, activate, create, delete, listed, update
from worker.wire import CALL_DEADLINE, ThreadClients, elapsed_s

__all__ = [
    "CALL_DEADLINE",
    "AccountRefused",
    "Call",
    "CallName",
    "EchoMismatch",
    "FailureClass",
    "Fate",
    "Full",
    "Hooks",
    "Index",
    "Invitation",
    "MigaduClient",
    "MigaduError",
    "NotFound",
    "Outcome",
    "Password",
    "Place",
    "Refused",
    "Sending",
    "ThreadClients",
    "Throttled",
    "Transient",
    "Unknown",
    "Verb",
    "Write",
    "Written",
    "activate",
    "alias_at",
    "aliases_of",
    "create",
    "delete",
    "domain_at",
    "domains",
    "elapsed_s",
    "fate",
    "forwarding_at",
    "forwardings_of",
    "identities_of",
    "identity_at",
    "listed",
    "mailbox_at",
    "mailboxes_of",
    "read_back",
    "rewrite_at",
    "rewrites_of",
    "update",
]
