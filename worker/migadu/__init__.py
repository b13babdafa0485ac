"""The mail host's wire: a typed client for Migadu's HTTP API, and one error type per class of failure.

Every method makes one call and reports it to hooks; repeating, recording and judging calls is not done here.
"""

from worker.migadu.calls import Call, CallName, FailureClass, Hooks, Outcome
from worker.migadu.client import MigaduClient, Written
from worker.migadu.connection import CALL_DEADLINE_S, ThreadClients
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

__all__ = [
    "CALL_DEADLINE_S",
    "AccountRefused",
    "Call",
    "CallName",
    "EchoMismatch",
    "FailureClass",
    "Full",
    "Hooks",
    "MigaduClient",
    "MigaduError",
    "NotFound",
    "Outcome",
    "Refused",
    "ThreadClients",
    "Throttled",
    "Transient",
    "Unknown",
    "Written",
]
