"""What the API and the command line's ``--json`` show: rows as JSON objects, in the one form that both share.

Ids are texts, instants ISO 8601 in UTC with a Z. Personal data from outside the organisation is in an object only where
the caller says that the reader may see it (``personal=True``: operators).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from worker.planning.urgency import Urgency
from worker.policy import Change
from worker.store import jobs, quarantines, steps
from worker.store.database import Session
from worker.store.holds import Hold
from worker.store.jobs import JobFilter
from worker.store.quarantines import object_of
from worker.store.settled import is_settled
from worker.store.states import JobState
from worker.store.tables import AttemptRow, EventRow, JobRow, QuarantineRow, StepRow
from worker.store.undos import ways_back
from worker.web.policy_change_object import policy_change_object

JsonObject = dict[str, object]


def id_text(value: int | None) -> str | None:
    """Return an id as it is shown."""
    return None if value is None else str(value)


def instant(at: datetime | None) -> str | None:
    """Return an instant as it is shown: ISO 8601, UTC, Z."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def listing(name: str, found: Sequence[JsonObject], *, limit: int) -> JsonObject:
    """Return one page of a list: ``{name: [...], "next": id or null}``.

    ``found`` holds one object more than ``limit`` if there is another page; ``next`` is what to ask for as ``after``.
    """
    page = list(found[:limit])
    return {name: page, "next": page[-1]["id"] if len(found) > limit else None}


def change_object(change: Change, zone: ZoneInfo) -> JsonObject:
    """Return a change that will come: in UTC, and as the clocks of the person's zone show it."""
    return {
        "at": instant(change.at),
        "local": change.at.astimezone(zone).isoformat(),
        "step": change.step,
        "irreversible": change.irreversible,
        "undoableUntil": instant(change.undoable_until),
    }


def event_object(row: EventRow) -> JsonObject:
    """Return an event without its document."""
    return {
        "id": str(row.id),
        "source": row.source,
        "ceSource": row.ce_source,
        "ceId": row.ce_id,
        "type": row.type,
        "subject": row.subject,
        "time": instant(row.time),
        "receivedAt": instant(row.received_at),
        "appliedAt": instant(row.applied_at),
        "state": row.state.value,
        "reason": row.reason,
        "failures": row.failures,
        "retryAt": instant(row.retry_at),
        "person": id_text(row.person_id),
    }


def event_detail(session: Session, row: EventRow, *, personal: bool) -> JsonObject:
    """Return an event with whether its jobs are settled and, if the reader may see personal data, its document."""
    document = {"document": row.document} if personal else {}
    return event_object(row) | {"settled": is_settled(session, row)} | document


def job_object(row: JobRow) -> JsonObject:
    """Return a job without its steps."""
    return {
        "id": str(row.id),
        "subject": {"kind": row.subject_kind, "key": row.subject_key},
        "person": id_text(row.person_id),
        "state": row.state.value,
        "urgency": Urgency(row.urgency).name.lower(),
        "runAt": instant(row.run_at),
        "reason": row.reason,
        "event": id_text(row.event_id),
        "failures": row.failures,
        "hold": id_text(row.hold_id),
        "createdAt": instant(row.created_at),
        "updatedAt": instant(row.updated_at),
        "finishedAt": instant(row.finished_at),
    }


def job_objects(session: Session, rows: Sequence[JobRow]) -> list[JsonObject]:
    """Return jobs without their steps, with whether and until when each can be undone, and what undid it."""
    ways = ways_back(session, rows)
    return [
        job_object(row)
        | {
            "undoable": ways[row.id].is_open,
            "undoableUntil": instant(ways[row.id].until),
            "undoneBy": id_text(ways[row.id].undone_by),
        }
        for row in rows
    ]


def job_detail(session: Session, row: JobRow) -> JsonObject:
    """Return a job with its latest plan, its steps, the requests made for it, and what it leaves alone for a while."""
    (shown,) = job_objects(session, [row])
    return shown | {
        "plan": row.plan,
        "planHash": row.plan_hash,
        "leftAlone": [_left_alone(each) for each in quarantines.of_job(session, row.id) if each.until is not None],
        "steps": [step_object(step) for step in steps.of_job(session, row.id)],
        "attempts": [_attempt(attempt) for attempt in steps.attempts_of(session, row.id)],
    }


def _left_alone(row: QuarantineRow) -> JsonObject:
    """Return an object that keeps failing, so that its job does what else there is to do."""
    return {
        "object": str(object_of(row)),
        "operation": row.operation,
        "failures": row.failures,
        "since": instant(row.since),
        "until": instant(row.until),
    }


def step_object(row: StepRow) -> JsonObject:
    """Return one step with what it changes and what is known of it."""
    return {
        "id": str(row.id),
        "operation": row.operation,
        "target": row.target,
        "mailbox": row.mailbox,
        "before": row.before,
        "after": row.after,
        "brake": row.brake,
        "state": row.state.value,
        "reason": row.reason,
        "intendedAt": instant(row.intended_at),
        "sentAt": instant(row.sent_at),
        "settledAt": instant(row.settled_at),
    }


def hold_object(hold: Hold, stopped: Sequence[JobRow]) -> JsonObject:
    """Return a hold with the jobs it stops, or the policy; ``plan`` is the hash that an approval must name."""
    return {
        "id": str(hold.id),
        "kind": hold.kind,
        "brake": hold.brake.value if hold.brake else None,
        "source": hold.source,
        "state": hold.state.value,
        "openedAt": instant(hold.opened_at),
        "counted": hold.counted,
        "allowed": hold.allowed,
        "population": hold.population,
        "plan": hold.hash,
        "decidedAt": instant(hold.decided_at),
        "decidedBy": hold.decided_by,
        "jobs": [job_object(row) for row in stopped],
        "policy": policy_change_object(hold.policy) if hold.policy else None,
    }


def jobs_of_hold(session: Session, hold: Hold) -> list[JobRow]:
    """Return the jobs that a hold stops now."""
    stopped = JobFilter(states=(JobState.HELD,), hold_id=hold.id)
    return jobs.page(session, stopped, after=0, limit=len(hold.job_ids)) if hold.job_ids else []


def _attempt(row: AttemptRow) -> JsonObject:
    return {
        "step": id_text(row.step_id),
        "operation": row.operation,
        "method": row.method,
        "startedAt": instant(row.started_at),
        "durationS": round(row.duration_s, 3),
        "status": row.status,
        "failure": row.failure,
        "excerpt": row.excerpt,
    }
