"""What a call can come to instead of a value.

    MigaduError
    ├── Transient         may be made again, a write too
    ├── Throttled         the call limit is closed for everyone
    ├── Unknown           a write whose fate only reading back can tell
    ├── Refused           the request itself is at fault
    │   └── EchoMismatch  answered well, but what matters was not taken over
    ├── Full              the plan's limit is reached
    ├── AccountRefused    the credentials or the account are at fault
    └── NotFound          an outcome of its own: the object is not there

That one object keeps failing is seen over time only, so it is no error of this room.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from worker.migadu.calls import Call, FailureClass

_SERVER_ERROR = 500


class MigaduError(Exception):
    """The mail host did not do what was asked.

    The text of the error holds no personal data. ``path`` is the call's, with ``*`` in the place of each object's own
    name; ``reason`` is a few words on what happened on the wire; ``status`` is None where no answer came; ``excerpt``
    is the redacted beginning of the answer, at most 300 characters; ``retry_after_s`` is how many seconds the host
    asked to be left alone, where it did.
    """

    failure: ClassVar[FailureClass]
    sentence: ClassVar[str]

    def __init__(
        self,
        call: Call,
        reason: str,
        *,
        status: int | None = None,
        excerpt: str = "",
        retry_after_s: float | None = None,
        answered_bytes: int = 0,
    ) -> None:
        super().__init__(f"{call.operation} ({call.method} {call.path}) {reason}: {self.sentence}")
        self.operation = call.operation
        self.method = call.method
        self.path = call.path
        self.reason = reason
        self.status = status
        self.excerpt = excerpt
        self.retry_after_s = retry_after_s
        self.answered_bytes = answered_bytes

    @property
    def is_of_the_object(self) -> bool:
        """Whether the host itself failed at it, which may be due to this one object (`migadu-behaviour.md` 2.13)."""
        return self.status == _SERVER_ERROR


class Transient(MigaduError):
    """A passing failure. If it was a write, the host has not begun it."""

    failure = FailureClass.TRANSIENT
    sentence = "the mail host could not serve the call now, and it may be made again."


class Throttled(MigaduError):
    """The proxy before the host forbids calls for a while, for all of them (`migadu-behaviour.md` 2.8)."""

    failure = FailureClass.THROTTLED
    sentence = "the mail host's call limit is closed."


class Unknown(MigaduError):
    """A write that may or may not have taken effect. It must be read back before anything else."""

    failure = FailureClass.UNKNOWN
    sentence = "the write may or may not have taken effect."


class Refused(MigaduError):
    """The host does not accept this request; the same request will be refused again."""

    failure = FailureClass.REFUSED
    sentence = "the mail host refused the request."


class EchoMismatch(Refused):
    """The host answered 200 and shows access flags or destinations other than those sent.

    ``differing`` names the fields. The write has happened, with these fields as the host shows them.
    """

    sentence = "the mail host did not take over what was sent."

    def __init__(
        self, call: Call, differing: tuple[str, ...], *, status: int, excerpt: str, answered_bytes: int
    ) -> None:
        reason = f"was answered with other {', '.join(differing)}"
        super().__init__(call, reason, status=status, excerpt=excerpt, answered_bytes=answered_bytes)
        self.differing = differing


class Full(MigaduError):
    """A limit of the plan is reached; a person has to raise it (`migadu-behaviour.md` 2.9)."""

    failure = FailureClass.FULL
    sentence = "the plan's limit is reached."


class AccountRefused(MigaduError):
    """The host does not accept the credentials or the account; every other call will fail too."""

    failure = FailureClass.ACCOUNT
    sentence = "the mail host does not accept the account or its key."


class NotFound(MigaduError):
    """The object, or the mailbox or domain it belongs to, is not there. After a delete that is the goal."""

    failure = FailureClass.ABSENT
    sentence = "there is no such object."


ERRORS: Mapping[FailureClass, type[MigaduError]] = MappingProxyType(
    {kind.failure: kind for kind in (Transient, Throttled, Unknown, Refused, Full, AccountRefused, NotFound)}
)
"""The error type of each class of failure."""
