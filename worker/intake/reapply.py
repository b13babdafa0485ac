"""Apply again: what the stored events make of their people, folded anew, as after a defect or a restored backup.

Folding is idempotent and what has not changed makes no job, so where everything was right this changes nothing. Each
subject is one short transaction: it may run beside the workers, be interrupted, and be repeated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

import structlog

from worker.events import parse_event
from worker.intake.apply import place
from worker.intake.context import Intake
from worker.intake.erased import is_of_the_erased
from worker.intake.evaluate import evaluate
from worker.roster.document import to_document
from worker.store import events, inbox, people
from worker.store.database import DatabaseFailure, Session
from worker.store.inbox import Heard
from worker.store.refolding import folded
from worker.store.states import EventState
from worker.store.tables import EventRow

_log = structlog.get_logger(__name__)
_PAGE = 500


class Replayable(StrEnum):
    """The states of events that can be applied again. Those that are accepted are applied anyway."""

    APPLIED = "applied"
    PARKED = "parked"
    DISMISSED = "dismissed"


UNLESS_TOLD = (Replayable.APPLIED, Replayable.PARKED)


class Outcome(StrEnum):
    """What came of applying a subject's events, or one event, again."""

    SAME = "same"
    """Everything was right."""
    MENDED = "mended"
    """What is known of the subject, whose it is, or what is to be done for its person is another now."""
    RETRIED = "retried"
    """It had not been applied: it is accepted again, its failures forgotten."""
    FAILED = "failed"
    """It cannot be applied; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one subject's events, or of one event."""

    source: str
    subject: str
    event: int
    outcome: Outcome
    said: str | None = None
    """Why it failed; names no value."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are applied again."""

    states: Sequence[Replayable] = UNLESS_TOLD
    source: str | None = None
    since: datetime | None = None
    """Received then or later."""


def reapply(intake: Intake, wanted: Wanted, *, dry_run: bool = False) -> Iterator[Told]:
    """Apply stored events again, and yield what came of each subject, and of each event that had not been applied.

    Of a subject all applied events are folded, also those that are not wanted. A dry run changes nothing.
    """
    seen: set[tuple[str, str]] = set()
    for state in dict.fromkeys(wanted.states):
        heard = Heard(EventState(state), wanted.source, wanted.since)
        for event_id, source, subject in _chosen(intake, heard):
            match state:
                case Replayable.APPLIED:
                    if (source, subject) not in seen:
                        seen.add((source, subject))
                        yield _fold_anew(intake, event_id, source, subject, dry_run=dry_run)
                case Replayable.PARKED | Replayable.DISMISSED:
                    yield _try_again(intake, event_id, source, subject, dry_run=dry_run)
                case _:
                    assert_never(state)


def _chosen(intake: Intake, heard: Heard) -> Iterator[tuple[int, str, str]]:
    behind = 0
    while True:
        with intake.database.read() as session:
            page = inbox.subjects(session, heard, behind=behind, limit=_PAGE)
        if not page:
            return
        yield from page
        behind = page[-1][0]


def _try_again(intake: Intake, event_id: int, source: str, subject: str, *, dry_run: bool) -> Told:
    with intake.database.write() as session:
        row = inbox.lock(session, event_id)
        if row is not None and row.state in (EventState.PARKED, EventState.DISMISSED):  # else somebody was faster
            inbox.try_again(row)
        if dry_run:
            session.rollback()
    if not dry_run:
        intake.bell.ring_apply()
    return Told(source, subject, event_id, Outcome.RETRIED)


def _fold_anew(intake: Intake, event_id: int, source: str, subject: str, *, dry_run: bool) -> Told:
    try:
        with intake.database.write() as session:
            mended, jobs = _fold(session, intake, source, subject)
            if dry_run:
                session.rollback()
    except DatabaseFailure:
        raise
    except Exception as error:  # noqa: BLE001 - the rim of one subject, which stops no other
        _log.warning("events could not be applied again", event_id=event_id, exc_info=error)
        return Told(source, subject, event_id, Outcome.FAILED, f"could not be applied: {type(error).__name__}")
    for _ in range(0 if dry_run else jobs):
        intake.bell.ring_run()
    return Told(source, subject, event_id, Outcome.MENDED if mended else Outcome.SAME)


def _fold(session: Session, intake: Intake, source: str, subject: str) -> tuple[bool, int]:
    """Return whether something is another now, and how many jobs were refreshed."""
    now = intake.clock.now()
    people.lock_linking(session)
    known = people.kept_record(session, source, subject)
    told = events.applied_of_subject(session, source, subject)
    if not told or (known is None and _is_erased(session, intake, source, told)):
        return False, 0
    # Where the record itself is lost, the events still say whose it was.
    former, owner = known or (None, next((row.person_id for row in told if row.person_id is not None), None))
    (record,) = folded(0, told).records
    person_id, _ = place(session, intake, record, owner, linking=True, now=now)
    is_news = (to_document(record), person_id) != (former, owner)
    if person_id is None:
        return is_news, 0
    jobs = evaluate(session, intake, people.lock(session, person_id), told[-1].id if is_news else None)
    return is_news or jobs > 0, jobs


def _is_erased(session: Session, intake: Intake, source: str, told: Sequence[EventRow]) -> bool:
    newest = max((parse_event(row.document, now=row.received_at) for row in told), key=lambda event: event.time)
    return is_of_the_erased(session, intake, source, newest, is_known=False)
