"""Agreement: before what cannot be undone, sources are asked anew for a person's records, as they are after a hint.

The asking itself is that of hints: an outstanding row, whoever made it, is fetched by ``intake.hydrate``. One that no
delivery stands behind has the generation 0. Jobs that wait for an answer are known by how their reason begins.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from worker.store import jobs
from worker.store.states import HINT_MOVES, HintState, JobState, move
from worker.store.subjects import Subject, SubjectKind
from worker.store.tables import HintPauseRow, HintRow, JobRow

BEFORE = "before what cannot be undone"
"""So begins the reason of a job that waits for an answer, or is held without one."""
_PATIENCE = timedelta(minutes=15)
"""So long a source may fail before a person is told that it holds something up."""
_PARKED_FOR = timedelta(hours=12)
"""A record that was given up so long ago is asked for once more."""

RecordKey = tuple[str, str]
"""Source and subject."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """A source from which no answer is to be expected soon."""

    source: str
    why: str


def lacking(session: Session, records: Collection[RecordKey], since: datetime) -> tuple[RecordKey, ...]:
    """Return the records that were not had from their source since an instant, or of which it has news by now."""
    return tuple(record for record in sorted(records) if not _is_told(session, record, since))


def any_asked_for(session: Session, records: Collection[RecordKey]) -> bool:
    """Tell whether any of these records is to be asked for, or was given up."""
    return any(_outstanding(session, record) is not None for record in records)


def ask(session: Session, record: RecordKey, now: datetime) -> Stuck | None:
    """Have a record asked for, unless it is to be anyway. Tells what is in the way of an answer. Locks the hint.

    The caller rings when the job is written down as waiting.
    """
    source, subject = record
    new = {
        "source": source,
        "subject": subject,
        "occurred_at": now,
        "words": [],
        "state": HintState.WAITING,
        "generation": 0,
        "fence": 0,
        "run_at": now,
        "failures": 0,
        "heard_at": now,
    }
    dialect: Any = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    inserting = dialect.insert(HintRow).values(new)
    where = {"index_elements": ["source", "subject"], "index_where": text("state <> 'settled'")}
    session.execute(inserting.on_conflict_do_nothing(**where))
    row = _outstanding(session, record, lock=True)
    if row is None:  # answered at this very moment
        return None
    why = _in_the_way(row, session.get(HintPauseRow, source), now)
    if row.state is HintState.PARKED and row.run_at <= now - _PARKED_FOR:
        row.state, row.run_at = move(HINT_MOVES, row.state, HintState.WAITING), now
    return Stuck(source, why) if why else None


def waiting_job(session: Session, person_id: int, *, lock: bool = False) -> JobRow | None:
    """Return a person's job that waits for an answer, or is held without one."""
    row = jobs.outstanding(session, Subject(SubjectKind.PERSON, str(person_id)))
    if row is not None and lock:
        row = jobs.get(session, row.id, lock=True)
    waits = row is not None and row.state in (JobState.WAITING, JobState.HELD)
    return row if row is not None and waits and (row.reason or "").startswith(BEFORE) else None


def wake(session: Session, person_id: int, at: datetime, now: datetime) -> bool:
    """Have a person's job that waits for an answer run at an instant. Locks the job."""
    row = waiting_job(session, person_id, lock=True)
    if row is None:
        return False
    if row.state is JobState.HELD:
        jobs.requeue(row, now)
    row.run_at = at
    return True


def is_to_be_asked(session: Session, record: RecordKey) -> bool:
    """Tell whether a record is still to be asked for."""
    row = _outstanding(session, record)
    return row is not None and row.state is not HintState.PARKED


def _is_told(session: Session, record: RecordKey, since: datetime) -> bool:
    if _outstanding(session, record) is not None:
        return False
    newest = session.scalar(
        select(func.max(HintRow.settled_at)).where(HintRow.source == record[0], HintRow.subject == record[1])
    )
    return newest is not None and newest >= since


def _outstanding(session: Session, record: RecordKey, *, lock: bool = False) -> HintRow | None:
    found = select(HintRow).where(HintRow.source == record[0], HintRow.subject == record[1], text("state <> 'settled'"))
    found = found.with_for_update().execution_options(populate_existing=True) if lock else found
    return session.scalars(found).one_or_none()


def _in_the_way(row: HintRow, pause: HintPauseRow | None, now: datetime) -> str | None:
    long_ago = now - _PATIENCE
    if pause is not None and (pause.is_refusal or pause.since <= long_ago):
        return pause.reason
    if row.state is HintState.PARKED or (row.failing_since is not None and row.failing_since <= long_ago):
        return row.reason
    return None
