"""Taking messages: their events into the inbox, or a message, with the reason, among what was rejected.

Either is committed when a function of these returns, so that the broker may forget the message.
"""

import json
from collections.abc import Iterable
from enum import StrEnum

import structlog

from worker.bus.message import Message, documents, raw_of
from worker.intake import EventsRefused, Intake, Offer, accept, commit_together, offer, refuse
from worker.intake.accept import rehearse
from worker.sources import BodyInvalid
from worker.sources.trial import event_told
from worker.store.database import DatabaseFailure

_log = structlog.get_logger(__name__)
FAILED = "the intake failed on it several times, for reasons that the log tells"


class Taken(StrEnum):
    """What became of a message."""

    ACCEPTED = "accepted"
    """All of its events are in the inbox; some may have been there before."""
    REFUSED = "refused"
    """What could not be read of it is kept with the reason: the rest is for the dead letters."""


def take(intake: Intake, source: str, message: Message) -> Taken:
    """Commit what a message tells as its source's word. Idempotent. Raises whatever the database raises.

    Of a list of events those that are valid are accepted, because no sender waits who could mend the others.
    """
    _heard(intake, source)
    try:
        told = documents(message)
    except BodyInvalid as error:
        return _refused(source, refuse(intake, source, message.text, str(error)).id, str(error))
    try:
        accept(intake, source, told, raw=raw_of(message))
    except EventsRefused as refused:
        if len(told) == 1:
            return _refused(source, refused.ids[0], refused.reasons[0])
    else:
        return Taken.ACCEPTED
    return _one_by_one(intake, source, told)


def take_together(intake: Intake, source: str, messages: Iterable[Message]) -> int:
    """Commit as many messages, from the first on, as can be read, in one transaction and in their order.

    Returns how many these are; whatever follows them is for ``take``. Idempotent. Raises whatever the database raises;
    then none of them is taken.
    """
    offers: list[Offer] = []
    for message in messages:
        if (offered := _offered(intake, source, message)) is None:
            break
        offers.append(offered)
    if offers:
        _heard(intake, source)
        commit_together(intake, offers)
    return len(offers)


def set_aside(intake: Intake, source: str, message: Message, reason: str) -> Taken:
    """Keep a message as rejected without reading it. Raises whatever the database raises."""
    _heard(intake, source)
    return _refused(source, refuse(intake, source, message.text, reason).id, reason)


def tried(intake: Intake, source: str, message: Message) -> bytes:
    """Return what to answer to a trial: what would have been read of it. Nothing is committed, and nothing raised."""
    try:
        events = rehearse(intake, source, documents(message))
    except (BodyInvalid, EventsRefused) as error:
        return json.dumps({"detail": str(error)}).encode()
    except DatabaseFailure as error:
        return json.dumps({"detail": f"the database takes nothing now ({type(error).__name__})"}).encode()
    _log.info("a trial of a source came through", source=source)
    return json.dumps({"test": True, "events": [event_told(each) for each in events]}).encode()


def _heard(intake: Intake, source: str) -> None:
    if intake.tallies is not None:
        intake.tallies.heard(source)


def _offered(intake: Intake, source: str, message: Message) -> Offer | None:
    try:
        return offer(intake, source, documents(message), raw=raw_of(message))
    except BodyInvalid:
        return None


def _one_by_one(intake: Intake, source: str, told: list[object]) -> Taken:
    for document in told:
        try:
            accept(intake, source, [document])
        except EventsRefused as refused:
            _refused(source, refused.ids[0], refused.reasons[0])
    return Taken.REFUSED


def _refused(source: str, kept: int, reason: str) -> Taken:
    _log.warning("a message of the bus is refused", source=source, kept_as=kept, reason=reason)
    return Taken.REFUSED
