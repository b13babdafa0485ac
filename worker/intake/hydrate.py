"""Hydrate: claim one hint, ask its source for the person's record, and put what is new into the inbox.

No transaction is open while the source is asked. What comes of it is written in one transaction that holds the hint by
its fence: a worker that is late changes nothing, and one that is killed before has changed nothing.
"""

import random
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from worker.events import Event, EventInvalid, EventType, parse_event
from worker.intake.context import Intake
from worker.intake.offers import Receipt, insert_valid
from worker.roster import Record, fold
from worker.sources.hinted import WITHOUT_RECORD, Heard, events_of
from worker.sources.hydration import LONGEST_FETCH, Absent, Answer, CredentialsRefused, Failed, Fetched, Throttled
from worker.sources.snapshot import is_gone
from worker.store import agreement, deliveries, erased, events, hint_pauses, hints, jobs, people
from worker.store.database import DatabaseFailure, Session
from worker.store.hints import Claim
from worker.store.states import HintState
from worker.store.tables import HintRow

_log = structlog.get_logger(__name__)

LEASE = 2 * LONGEST_FETCH
_FIRST_PAUSE, _LONGEST_PAUSE, _GIVE_UP_AFTER = timedelta(minutes=1), timedelta(hours=6), timedelta(days=2)
_NEW_SINCE = timedelta(minutes=15)
"""So long a record that is not there may be on its way: not every server of a source knows everything at once."""
_HIGHEST_POWER = 16


def hydrate_next(intake: Intake) -> bool:
    """Ask for the record of one person who is due. Returns whether there was one that may be asked for now."""
    now, at_once = intake.clock.now(), intake.hydration.at_once
    with intake.database.read() as session:
        if not at_once or not hints.due_count(session, now, at_most=1):
            return False  # most bells ring for work that is done; on SQLite asking so waits for no writer
    with intake.database.write() as session:
        mine = hints.claim(session, at_once, lease=LEASE, now=now)
    if mine is None:
        return False
    asked_at = intake.clock.now()
    try:
        answer = intake.hydration.fetch(mine.source, mine.subject)
        told = _conclude(intake, mine, answer, asked_at)
        _wake_who_waits(intake, mine, told)
    except DatabaseFailure as error:  # the lease runs out, and the record is asked for anew
        _log.warning("the database does not take a record", hint=mine.id, error=type(error).__name__)
        return True
    except Exception:  # noqa: BLE001 - the rim of a fetch: whatever it is becomes a recorded failure
        _log.exception("a defect stopped a hydration", hint=mine.id)
        _conclude(intake, mine, Failed("a defect of ours stopped it; the log has the details"), asked_at)
        return True
    for _ in range(told):
        intake.bell.ring_apply()
    return True


def _conclude(intake: Intake, mine: Claim, answer: Answer, asked_at: datetime) -> int:
    """Write down what came of a fetch. Returns how many events are new."""
    now = intake.clock.now()
    with intake.database.write() as session:
        row = hints.locked(session, mine)
        if row is None:
            _log.warning("the hint was taken over; this fetch is void", hint=mine.id, fence=mine.fence)
            return 0
        match answer:
            case Fetched() | Absent():
                hint_pauses.end(session, mine.source, now)
                return _Stating(session, intake, row, mine, asked_at, now).state(answer)
            case CredentialsRefused() | Throttled():
                _leave_alone(session, row, mine, answer, now)
            case Failed():
                _fail(row, mine, answer, now)
            case _:
                assert_never(answer)
    return 0


def _wake_who_waits(intake: Intake, mine: Claim, told: int) -> None:
    """Have the job go on that waits for this answer, in a transaction of its own: jobs are locked before hints.

    Where it is missed the job looks by itself. What was told is to be applied before.
    """
    now, record = intake.clock.now(), (mine.source, mine.subject)
    with intake.database.read() as session:
        _, person_id = people.load_record(session, *record) or (None, None)
        if person_id is None or agreement.waiting_job(session, person_id) is None:
            return
        if agreement.is_to_be_asked(session, record):
            return
    with intake.database.write() as session:
        woken = agreement.wake(session, person_id, now + jobs.FOR_THE_INBOX if told else now, now)
    if woken and not told:
        intake.bell.ring_run()


class _Stating:
    """Turning an answer into events, in the transaction that holds the hint."""

    def __init__(
        self, session: Session, intake: Intake, row: HintRow, mine: Claim, asked_at: datetime, now: datetime
    ) -> None:
        self.session, self.intake, self.row, self.mine = session, intake, row, mine
        self.asked_at, self.now = asked_at, now

    def state(self, answer: Fetched | Absent) -> int:
        known, was_erased = self._known(), self._was_erased()
        stated = self._state(answer, known, was_erased=was_erased)
        is_back = any(event.type is EventType.JOINED for event, _ in stated)
        # Not yet where a delivery came meanwhile: it may say that they are back.
        if was_erased and known is None and not is_back and self.row.state is HintState.SETTLED:
            subjects = [(self.mine.source, self.mine.subject)]
            deliveries.forget_subjects(self.session, subjects)
            hints.forget(self.session, subjects)
        return sum(not receipt.duplicate for _, receipt in stated)

    def _state(
        self, answer: Fetched | Absent, known: Record | None, *, was_erased: bool
    ) -> list[tuple[Event, Receipt]]:
        if isinstance(answer, Absent) and not any(kind in WITHOUT_RECORD for kind, _ in self.mine.words):
            self._without_record(answer, known)
            return []
        # Of somebody who was erased only the source's own word makes a new person: that it lists them does not.
        creates = self.mine.source in self.intake.creators and not was_erased
        facts = answer.facts if isinstance(answer, Fetched) else None
        heard = Heard(
            known or Record(self.mine.source, self.mine.subject), self.mine.words, facts, self.asked_at, creates
        )
        try:
            documents = events_of(heard)
            parsed = [(parse_event(document, now=self.now), document) for document in documents]
        except EventInvalid as error:
            hints.park(
                self.row, self.mine, self.now, f"its record cannot be used: {'; '.join(map(str, error.problems))}"
            )
            return []
        hints.settle(self.row, self.mine, self.now, None)
        source = self.mine.source
        return [(event, insert_valid(self.session, source, event, doc, self.now)) for event, doc in parsed]

    def _known(self) -> Record | None:
        """Return what the source stated until now, also what is not applied yet.

        Events are read first: one that is applied in between is then in both, and folding it twice does no harm.
        """
        source, subject = self.mine.source, self.mine.subject
        waiting = events.waiting_of(self.session, source, subject)
        known = people.stated_by(self.session, source, subject)
        for row in waiting:
            event = parse_event(row.document, now=row.received_at)
            known = fold(known or Record(source, subject), event, row.received_at)
        return known

    def _was_erased(self) -> bool:
        return erased.until(self.session, [erased.of_record(self.mine.source, self.mine.subject)]) is not None

    def _without_record(self, answer: Absent, known: Record | None) -> None:
        """Absence is no departure: wait whether the record comes, then have a person look who is known here.

        Of somebody who left by its own word nothing is missing, and where no delivery has news none is on its way.
        """
        said = f"it has no record of this key (it answered {answer.status})"
        has_news = self.row.generation > 0
        is_missed = known is not None and not _has_left(known, self.now) and (has_news or bool(known.employment))
        if (is_missed or has_news) and self.now - (self.row.failing_since or self.now) < _NEW_SINCE:
            hints.put_off(self.row, self.now + _pause(self.row), self.now, said)
        elif not is_missed:
            hints.settle(self.row, self.mine, self.now, said)
        else:
            hints.park(self.row, self.mine, self.now, f"{said}, which is not taken for a departure: look there")


def _has_left(known: Record, now: datetime) -> bool:
    return is_gone(known, now) or (known.purged is not None and bool(known.purged.value))


def _leave_alone(
    session: Session, row: HintRow, mine: Claim, answer: CredentialsRefused | Throttled, now: datetime
) -> None:
    """Ask nobody's record of this source for a while: it counts as no failure of this hint."""
    is_refusal = isinstance(answer, CredentialsRefused)
    wait_s = 0.0 if isinstance(answer, CredentialsRefused) else answer.wait_s
    until, is_first = hint_pauses.pause(
        session, mine.source, answer.reason, now, is_refusal=is_refusal, at_least=timedelta(seconds=wait_s)
    )
    hints.give_back(row, now, answer.reason)  # due at once when the pause is ended
    if is_first:
        tell = _log.error if is_refusal else _log.warning
        tell("a source is not asked for a while", source=mine.source, until=until.isoformat(), reason=answer.reason)


def _fail(row: HintRow, mine: Claim, answer: Failed, now: datetime) -> None:
    is_given_up = now - (row.failing_since or now) >= _GIVE_UP_AFTER
    if answer.is_final or is_given_up:
        tried = f" ({row.failures + 1} times in {_GIVE_UP_AFTER.days} days)" if is_given_up else ""
        _log.warning("a record was given up", hint=mine.id, source=mine.source, reason=answer.reason)
        hints.park(row, mine, now, answer.reason + tried)
    else:
        pause = max(_pause(row), timedelta(seconds=answer.wait_s))
        hints.put_off(row, now + min(pause, _LONGEST_PAUSE), now, answer.reason)


def _pause(row: HintRow) -> timedelta:
    longest: timedelta = min(_FIRST_PAUSE * 2 ** min(row.failures, _HIGHEST_POWER), _LONGEST_PAUSE)
    return timedelta(seconds=longest.total_seconds() * random.uniform(0.75, 1.0))  # noqa: S311 - jitter, no secret
