"""A call that was let in: what it names in its path, what it sent, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.sandbox.entry import Entry
from worker.sandbox.refusals import BadRequest
from worker.sandbox.wire import Fields, Json
from worker.sandbox.world import Domain, World, found

IDENTITIES = "identities"
FORWARDINGS = "forwardings"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule needs to know of a call. Everything in the path that is not there raises NotFound when asked for."""

    world: World
    keys: Sequence[str]
    """What stands in the path in the places of keys, decoded: the domain's name, then the mailbox's local part, ..."""
    sent: Json
    flaw: str | None
    """Why nothing could be read of what was sent."""
    now: datetime

    @property
    def domain(self) -> Domain:
        """The domain in the path. Raises NotFound."""
        return self.world.domain(self.keys[0])

    @property
    def mailbox(self) -> Entry:
        """The mailbox in the path. Raises NotFound."""
        return found(self.domain.mailboxes, self.keys[1], "mailbox")

    @property
    def body(self) -> Fields:
        """The object that was sent. Raises BadRequest if it is none."""
        if self.flaw is not None:
            raise BadRequest(self.flaw)
        if not isinstance(self.sent, dict):
            raise BadRequest("the body is JSON, but no object")
        return self.sent

    def store_mailbox(self, mailbox: Entry) -> Entry:
        """Put a mailbox in the place of the one in the path."""
        self.domain.mailboxes[self.keys[1].lower()] = mailbox
        return mailbox
