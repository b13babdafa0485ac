"""What the API and the command line's ``--json`` show: rows as JSON objects, in the one form that both share.

Ids are texts, instants ISO 8601 in UTC with a Z. Personal data from outside the organisation is in an object only where
the caller says that the reader may see it (``personal=True``: operators).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from worker.events import FactValue
from worker.mail import bare, is_rewrite
from worker.planning.urgency import Urgency
from worker.policy import Change
from worker.roster import Person, Profile, Said, profile, spoken
from worker.store import addresses, events, gate, jobs, memberships, merges, pauses, people, steps, workers
from worker.store.addresses import Role
from worker.store.database import Session, database_now
from worker.store.figures import read_figures
from worker.store.gate import ClosedGate
from worker.store.holds import Hold, list_holds
from worker.store.jobs import JobFilter, Subject, SubjectKind
from worker.store.policies import active_policy
from worker.store.settled import is_settled
from worker.store.states import JobState
from worker.store.tables import AddressRow, AttemptRow, EventRow, JobRow, PauseRow, PersonRow, StepRow
from worker.store.undos import ways_back
from worker.web.policy_change_object import policy_change_object

JsonObject = dict[str, object]

PERSONAL_FACTS = frozenset({"personalEmail"})
"""Facts whose value only operators see; everybody else sees that it is there."""

_PAGE = 200


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
        "person": _id(row.person_id),
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
        "person": _id(row.person_id),
        "state": row.state.value,
        "urgency": Urgency(row.urgency).name.lower(),
        "runAt": instant(row.run_at),
        "reason": row.reason,
        "event": _id(row.event_id),
        "failures": row.failures,
        "hold": _id(row.hold_id),
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
            "undoneBy": _id(ways[row.id].undone_by),
        }
        for row in rows
    ]


def job_detail(session: Session, row: JobRow) -> JsonObject:
    """Return a job with its latest plan, its steps and the requests that were made for it."""
    (shown,) = job_objects(session, [row])
    return shown | {
        "plan": row.plan,
        "planHash": row.plan_hash,
        "steps": [step_object(step) for step in steps.of_job(session, row.id)],
        "attempts": [_attempt(attempt) for attempt in steps.attempts_of(session, row.id)],
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


def person_object(row: PersonRow, address: str | None) -> JsonObject:
    """Return a person with the address of their mailbox, None while they hold none."""
    return {
        "id": str(row.id),
        "name": row.name,
        "phase": row.phase or None,
        "address": address,
        "nextChangeAt": instant(row.next_change_at),
        "nextStep": row.next_step,
        "erasedAt": instant(row.erased_at),
    }


def person_objects(session: Session, rows: Sequence[PersonRow]) -> list[JsonObject]:
    """Return people with their addresses."""
    held = addresses.primaries(session, [row.id for row in rows])
    return [person_object(row, held.get(row.id)) for row in rows]


def person_detail(session: Session, row: PersonRow, precedence: Mapping[str, int], *, personal: bool) -> JsonObject:
    """Return a person with facts, employment, addresses, groups, rewrites and everything that happened, oldest first.

    What comes next is ``nextStep`` at ``nextChangeAt``, and what is under way is ``job``. Of somebody who was erased
    nothing is told but that.
    """
    if row.erased_at is not None:
        return person_object(row, None)
    held = addresses.of_person(session, row.id)
    person = people.load(session, row.id)
    known = profile(person, precedence)
    open_job = jobs.outstanding(session, Subject(SubjectKind.PERSON, str(row.id)))
    return person_object(row, _primary(held)) | {
        "mergedInto": _id(merges.merged_into(session, row.id)),
        "records": [{"source": record.source, "subject": record.subject} for record in person.records],
        "facts": _facts(person, known, precedence, personal=personal),
        "employment": known.employment.kind.value if known.employment else None,
        "suspended": known.suspended,
        "addresses": [address_object(address) for address in addresses.history_of_person(session, row.id)],
        **_lists(session, row.id),
        "job": job_object(open_job) if open_job else None,
        "timeline": _timeline(session, row.id),
    }


def _lists(session: Session, person_id: int) -> JsonObject:
    keys = sorted(memberships.of_person(session, person_id))
    return {
        "groups": [key for key in keys if not is_rewrite(key)],
        "rewrites": [bare(key) for key in keys if is_rewrite(key)],
    }


def address_object(row: AddressRow) -> JsonObject:
    """Return one entry of the address ledger."""
    return {
        "address": row.address,
        "role": row.role,
        "provenance": row.provenance,
        "heldFrom": instant(row.held_from),
        "heldTo": instant(row.held_to),
        "existsSince": instant(row.exists_since),
        "blockedAt": instant(row.blocked_at),
    }


def hold_object(hold: Hold, stopped: Sequence[JobRow]) -> JsonObject:
    """Return a hold with the jobs it stops, or the policy; ``plan`` is the hash that an approval must name."""
    return {
        "id": str(hold.id),
        "kind": "policy" if hold.policy else "brake",
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


def status_object(session: Session, now: datetime, *, schema: str | None) -> JsonObject:
    """Return how this deployment fares. ``schema`` is the revision that the database is at.

    It names the first hundred records that belong to nobody; their number and those of events go up to a thousand.
    """
    policy = active_policy(session)
    due_since = jobs.oldest_due_at(session, now)
    figures, unmatched = read_figures(session), people.unmatched(session)
    return {
        "now": instant(now),
        "eventsWaiting": figures.events_waiting,
        "eventsParked": figures.events_parked,
        "jobs": figures.jobs,
        "people": figures.people,
        "recordsUnmatched": figures.records_unmatched,
        "recordsWithoutPerson": [
            {"source": each.source, "subject": each.subject, "why": why} for each, why in unmatched
        ],
        "behindS": max((now - due_since).total_seconds(), 0.0) if due_since else 0.0,
        "pauses": _pauses(session, now),
        "openHolds": [str(hold.id) for hold in list_holds(session)],
        "workers": [{"name": name, "seenAt": instant(seen_at)} for name, seen_at in workers.alive(session)],
        "policy": policy[0] if policy else None,
        "schema": schema,
    }


def _id(value: int | None) -> str | None:
    return None if value is None else str(value)


def _primary(held: Sequence[AddressRow]) -> str | None:
    return next((row.address for row in held if row.role == Role.PRIMARY), None)


def _pauses(session: Session, now: datetime) -> list[JsonObject]:
    """Show what the mail host is not asked for a while: everything, where the gate is closed, or creations."""
    closed = gate.closed(session)
    closings = [_closing(closed, database_now(session))] if closed is not None else []
    return closings + [_pause(row, now) for row in pauses.all_of(session)]


def _closing(closed: ClosedGate, now: datetime) -> JsonObject:
    """Show a closed gate; beyond ``until`` it is as closed as before, but for a probe."""
    return {
        "kind": closed.closing.value,
        "active": True,
        "since": instant(closed.since),
        "until": instant(closed.until),
        "probing": closed.is_probed(now),
        "reason": closed.reason,
    }


def _pause(row: PauseRow, now: datetime) -> JsonObject:
    """Show a pause; one that is over stays until the first success after it."""
    return {
        "kind": row.kind,
        "active": row.until > now,
        "since": instant(row.since),
        "until": instant(row.until),
        "probing": False,
        "reason": row.reason,
    }


def _attempt(row: AttemptRow) -> JsonObject:
    return {
        "step": _id(row.step_id),
        "operation": row.operation,
        "method": row.method,
        "startedAt": instant(row.started_at),
        "durationS": round(row.duration_s, 3),
        "status": row.status,
        "failure": row.failure,
        "excerpt": row.excerpt,
    }


def _facts(person: Person, known: Profile, precedence: Mapping[str, int], *, personal: bool) -> JsonObject:
    """Say of each fact what holds, who said so and since when."""
    said = spoken(person, precedence)
    return {
        name: _fact(said[name], value, shown=personal or name not in PERSONAL_FACTS)
        for name, value in known.facts.items()
    }


def _fact(said: Said, value: FactValue, *, shown: bool) -> JsonObject:
    about: JsonObject = {"source": said.source, "since": instant(said.stated.version.time)}
    listed = list(value) if isinstance(value, tuple) else value
    return ({"value": listed} if shown else {"present": value is not None}) | about


def _timeline(session: Session, person_id: int) -> list[JsonObject]:
    told: list[tuple[datetime, JsonObject]] = [
        (row.time or row.received_at, {"event": event_object(row)}) for row in events.of_person(session, person_id)
    ]
    told += [(row.created_at, {"job": job_object(row)}) for row in _jobs_of_person(session, person_id)]
    return [{"at": instant(at)} | entry for at, entry in sorted(told, key=lambda one: one[0])]


def _jobs_of_person(session: Session, person_id: int) -> list[JobRow]:
    found: list[JobRow] = []
    while True:
        page = jobs.page(session, JobFilter(person_id=person_id), after=found[-1].id if found else 0, limit=_PAGE)
        found += page
        if len(page) < _PAGE:
            return found
