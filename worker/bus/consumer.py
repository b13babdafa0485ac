"""The consumer of one source: connects, takes what has come together, and begins anew whatever breaks.

A transaction costs much more than an event in it, so messages that wait share one, in the order in which they came; a
message that comes alone is taken at once. Where one of them cannot be taken, each is taken by itself.

Redeliveries are counted by the broker, which makes a dead letter of a message that came back too often; at its last
delivery we do so ourselves, because we can say why. So that only what kills consumers becomes one, and never what was
merely in hand when a database, a broker or a process went away, nothing is taken before the database answers, a message
that the database does not take is kept and tried again in place, and what came back is taken by itself: each connection
begins with it, and with no other message in hand.
"""

import time
from collections.abc import Sequence
from contextlib import closing
from threading import Event

import structlog
from pydantic import SecretStr

from worker.bus.heartbeat import Heartbeat
from worker.bus.link import Link, LinkLost
from worker.bus.message import Message
from worker.bus.pauses import Pauses
from worker.bus.taking import FAILED, Taken, set_aside, take, take_together, tried
from worker.intake import Intake
from worker.log_errors import without_messages
from worker.mail import counted
from worker.sources import AmqpSource
from worker.store.database import DatabaseFailure

_RECONNECT_S = 0.5, 15.0
_DATABASE_S = 0.2, 30.0
_IDLE_S = 0.25
_STRIKES = 5
"""So often the intake may fail on a message while the database takes other things; then it is the message's doing."""

_log = structlog.get_logger(__name__)


class Consumer:
    """Runs until ``stop`` is set; then it finishes what it is committing and gives the others back."""

    def __init__(self, source: AmqpSource, url: SecretStr, intake: Intake, stop: Event) -> None:
        self._source, self._url, self._intake, self._stop = source, url, intake, stop
        self._log = _log.bind(source=source.name)
        self._heartbeat = Heartbeat(intake.database, source.name)
        self._reconnects = Pauses(*_RECONNECT_S)

    def run(self) -> None:
        """Consume, and never raise."""
        while not self._stop.is_set():
            try:
                self._consume()
            except LinkLost as lost:
                self._log.warning("not connected to the broker", reason=str(lost))
            except Exception as error:  # noqa: BLE001 - the rim of a thread that must outlive any defect
                self._log.error("the consumer failed", exception=without_messages(error))
            self._heartbeat.end()
            if not self._stop.is_set():
                self._stop.wait(self._reconnects.after_failure())

    def _consume(self) -> None:
        if not self._database_answered():
            return
        with closing(Link(self._source, self._url)) as link:
            link.open()
            self._log.info("connected to the broker", queue=self._source.queue_name)
            self._take_what_came_back(link)
            link.consume()
            while not self._stop.is_set():
                self._listen(link)
                self._take_waiting(link)

    def _database_answered(self) -> bool:
        """Wait until the database answers. False: stopped before."""
        pauses = Pauses(*_DATABASE_S)
        while not self._stop.is_set():
            if self._heartbeat.end():
                return True
            self._log.warning("nothing is taken from the broker before the database answers")
            self._stop.wait(pauses.after_failure())
        return False

    def _take_what_came_back(self, link: Link) -> None:
        came_back = 1
        while came_back and not self._stop.is_set() and link.fetch():
            came_back = link.waiting[0].came_back
            self._take_waiting(link)

    def _take_waiting(self, link: Link) -> None:
        """Settle what was delivered, unless stopped."""
        while link.waiting and not self._stop.is_set():
            self._settle_some(link)

    def _listen(self, link: Link) -> None:
        link.listen(_IDLE_S)
        self._heartbeat.beat()
        if not link.waiting:  # it lives, and what was in hand has not broken it
            self._reconnects.after_success()

    def _settle_some(self, link: Link) -> None:
        """Settle what can be taken together, or else alone."""
        together = link.together()
        taken = self._taken_together(together)
        if taken:
            link.acknowledge(together[taken - 1])
            return
        for message in together if taken is None else [link.waiting[0]]:
            if not self._settle(link, message):
                return

    def _taken_together(self, messages: Sequence[Message]) -> int | None:
        """Return how many were taken, from the first on. None: they failed together, which tells of none of them."""
        if len(messages) < 2:  # it needs nobody
            return 0
        try:
            return take_together(self._intake, self._source.name, messages)
        except Exception as error:  # noqa: BLE001 - whatever it is, it will show again at whose it is
            self._log.warning("messages are taken one by one", number=len(messages), error=type(error).__name__)
        return None

    def _settle(self, link: Link, message: Message) -> bool:
        """Acknowledge or reject a message once what became of it is committed. False: stopped before."""
        if message.is_trial:
            link.answer(message, tried(self._intake, self._source.name, message))
            link.acknowledge(message)
            return True
        pauses, strikes = Pauses(*_DATABASE_S), 0
        while (taken := self._taken(message, may_be_ours=strikes < _STRIKES)) is None:
            strikes = strikes + 1 if strikes < _STRIKES and self._heartbeat.beat(at_once=True) else 0
            self._pause(link, pauses.after_failure())
            if self._stop.is_set():
                return False
        if taken is Taken.ACCEPTED:
            link.acknowledge(message)
        else:
            link.reject(message)
        return True

    def _taken(self, message: Message, *, may_be_ours: bool) -> Taken | None:
        """Try once. None: nothing is committed."""
        try:
            if (reason := self._hopeless(message, may_be_ours=may_be_ours)) is not None:
                return set_aside(self._intake, self._source.name, message, reason)
            return take(self._intake, self._source.name, message)
        except DatabaseFailure as error:
            self._log.warning("the database does not take a message, which is kept", error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the messages behind it
            self._log.error("the intake failed on a message", exception=without_messages(error))
            return None if may_be_ours else Taken.REFUSED  # it cannot even be kept; the dead letters have it
        return None

    def _hopeless(self, message: Message, *, may_be_ours: bool) -> str | None:
        """Say why a message is not worth another try. At its limit the broker alone would let it go without a word."""
        if message.came_back >= self._source.delivery_limit:
            return f"it came back {counted(message.came_back, 'time')}: whoever has it in hand dies of it or is killed"
        return None if may_be_ours else FAILED

    def _pause(self, link: Link, pause_s: float) -> None:
        """Wait with what is in hand. The broker is listened to, lest it take us for dead."""
        until = time.monotonic() + pause_s
        while not self._stop.is_set() and (left_s := until - time.monotonic()) > 0:
            link.listen(min(left_s, _IDLE_S))
