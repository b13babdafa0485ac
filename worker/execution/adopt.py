"""Adopt: take over what a person has looked at, and give it back. Nothing is written at the mail host.

What is adopted becomes ours in the ledger, and the jobs of its people and groups do the rest as they always do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.execution.adoption_table import AdoptionRefused, Asked, MailboxLine, Survey
from worker.execution.context import Execution
from worker.execution.look import Seen, look_at
from worker.execution.survey import Known, survey
from worker.intake import Intake, apply_next
from worker.mail import Address, SharedKey, domain_of
from worker.planning.urgency import Urgency
from worker.policy import Policy
from worker.store import addresses, adoption, audit, domains, events, jobs, memberships, people, steps, waiting
from worker.store.addresses import Provenance, Role
from worker.store.adoption import Taking
from worker.store.database import Session
from worker.store.given_up import given_up
from worker.store.states import JobState
from worker.store.subjects import Subject, SubjectKind, shared_subject
from worker.store.tables import AddressRow, JobRow
from worker.store.views import everybody

_BATCH = 1_000


class TableChanged(AdoptionRefused):
    """The table is not the one that was looked at; look at it again."""


@dataclass(frozen=True, slots=True)
class Adopter:
    """Who adopts, under which policy, and with what."""

    execution: Execution
    intake: Intake
    policy: Policy
    actor: str


def apply_waiting(intake: Intake) -> None:
    """Fold the events that were accepted and not applied, as a worker would: who adopts first may have none yet."""
    while _any_waits(intake) and apply_next(intake):
        pass


def look_around(execution: Execution, domains: Iterable[str]) -> Seen:
    """Read what the domains hold, in two calls each. Raises UnknownMailDomain, MigaduError, NoCallNow."""
    looks = [look_at(execution, domain) for domain in domains]
    return Seen(
        {at: box for each in looks for at, box in each.mailboxes.items()},
        {at: alias for each in looks for at, alias in each.aliases.items()},
    )


def look_over(adopter: Adopter, seen: Seen, asked: Asked) -> Survey:
    """Return the table of what could be taken over. Changes nothing. Raises AdoptionRefused."""
    with adopter.execution.database.read() as session:
        return survey(_known(session, adopter, seen), asked)


def adopt(adopter: Adopter, seen: Seen, asked: Asked, table: str) -> Survey:
    """Take over exactly what the table of this hash shows, all of it or nothing, and return that table.

    Raises TableChanged, and AdoptionRefused where a job is in the way.
    """
    now = adopter.execution.clock.now()
    with adopter.execution.database.write() as session:
        people.lock_linking(session)  # whoever has more than one person holds it, see ``intake.apply``
        adoption.lock_everybody(session)
        shown = survey(_known(session, adopter, seen), asked)
        if shown.hash != table:
            raise TableChanged("the table has changed since you looked: look at it again")
        _note_addresses(session, seen, shown, now)
        changed = adoption.set_memberships(session, shown.memberships, now)
        _take_mailboxes(session, adopter, shown, table, now)
        joined = (shown.memberships[person_id] for _, person_id in _in_order(shown))
        _take_aliases(session, adopter, shown, table, now)
        _have_written(session, changed.union(*joined, shown.taken_aliases), now)
    _ring(adopter)
    return shown


def release(adopter: Adopter, address: Address) -> None:
    """Give an adopted mailbox or alias back as foreign, if nothing was changed since. Raises AdoptionRefused."""
    now = adopter.execution.clock.now()
    with adopter.execution.database.write() as session:
        found = addresses.held(session, address)
        person_id = found.person_id if found is not None else None
        if person_id is not None:
            people.lock(session, person_id)  # before addresses and jobs, as everywhere
        row = _adopted(session, address)
        subject = Subject(SubjectKind.PERSON, str(person_id)) if person_id else Subject(SubjectKind.SHARED, address)
        _require_quiet(session, jobs.outstanding(session, subject), address)
        if adoption.changed_since(session, row):
            raise AdoptionRefused(f"{address} was changed since it was adopted, so it cannot be given back as it was")
        adoption.give_back(session, row, now)
        shared = sorted(memberships.of_person(session, person_id)) if person_id else []
        if person_id is not None:
            people.evaluate_soon(session, [person_id], now)
        for each in (subject, *map(shared_subject, shared)):
            jobs.refresh(session, each, urgency=Urgency.CHANGE, now=now)
        target = f"person {person_id}" if person_id else f"address {row.id}"
        audit.record(session, adopter.actor, "adoption.release", target, {"address": row.id}, now)
    _ring(adopter)


def _known(session: Session, adopter: Adopter, seen: Seen) -> Known:
    return Known(
        people=list(everybody(session, adopter.execution.precedence)),
        held=adoption.held_in(session, adopter.policy.mail_domains),
        given_up=given_up(session, adopter.policy.mail_domains),
        seen=seen,
        policy=adopter.policy,
        now=adopter.execution.clock.now(),
    )


def _any_waits(intake: Intake) -> bool:
    with intake.database.read() as session:
        return events.any_accepted(session, intake.clock.now())


def _in_order(shown: Survey) -> list[tuple[MailboxLine, int]]:
    """Return the mailboxes that are taken, with their people, in the order in which people's jobs are locked."""
    lines = [(line, line.proposal.person) for line in shown.selected]
    return sorted(((line, who) for line, who in lines if who is not None), key=lambda one: one[1])


def _note_addresses(session: Session, seen: Seen, shown: Survey, now: datetime) -> None:
    """Bring the ledger in line with the domains, as a job that reads them would."""
    taken = frozenset[Address]().union(*(line.identities | {line.proposal.address} for line in shown.selected))
    for domain in sorted(shown.domains):
        found = frozenset(each for each in seen.addresses if domain_of(each) == domain)
        domains.lock_domain(session, domain)
        addresses.forget_foreign(session, domain, found, now)
        addresses.note_foreign(session, found - taken, now)
        domains.set_domain_read(session, domain, now)


def _take_mailboxes(session: Session, adopter: Adopter, shown: Survey, table: str, now: datetime) -> None:
    outstanding = {row.subject_key: row for row in jobs.outstanding_by_subject(session) if row.person_id}
    for line, person_id in _in_order(shown):
        _require_quiet(session, outstanding.get(str(person_id)), line.proposal.address)
        _take_mailbox(session, adopter, line, person_id, now, table=table)
    adopted = [person_id for _, person_id in _in_order(shown)]
    for start in range(0, len(adopted), _BATCH):  # PostgreSQL takes 65,535 parameters at most
        batch = adopted[start : start + _BATCH]
        people.evaluate_soon(session, batch, now)
        waiting.note_for(session, batch, now)
    people.evaluate_without_address_soon(session, now)  # who waited for the domain, or lost a promise


def _take_mailbox(
    session: Session, adopter: Adopter, line: MailboxLine, person_id: int, now: datetime, *, table: str
) -> None:
    """Take one mailbox, have its person's job go on, and write down why it is theirs."""
    subject, proposal = Subject(SubjectKind.PERSON, str(person_id)), line.proposal
    job_id = jobs.refresh(session, subject, urgency=Urgency.CHANGE, now=now)
    taking = Taking(person_id, proposal.address, line.identities, line.instead_of)
    adoption.give_up_promises(session, taking, now)
    row = adoption.take_mailbox(session, taking, job_id, now)
    detail: Mapping[str, str | int] = {
        "address": row.id,
        "job": job_id,
        "score": proposal.score,
        "standing": proposal.standing.value,
        "reason": proposal.reason,
        "table": table,
    }
    audit.record(session, adopter.actor, "mailbox.adopt", f"person {person_id}", detail, now)


def _take_aliases(session: Session, adopter: Adopter, shown: Survey, table: str, now: datetime) -> None:
    for address in sorted(shown.taken_aliases):
        job_id = jobs.refresh(session, Subject(SubjectKind.SHARED, address), urgency=Urgency.CHANGE, now=now)
        row = adoption.take_alias(session, address, job_id, now)
        detail: Mapping[str, str | int] = {"address": row.id, "table": table}
        audit.record(session, adopter.actor, "alias.adopt", f"job {job_id}", detail, now)


def _have_written(session: Session, shared: frozenset[SharedKey], now: datetime) -> None:
    """Have shared addresses and rewrites written whose members changed, or have a mailbox now that they had not."""
    for key in sorted(shared):
        jobs.refresh(session, shared_subject(key), urgency=Urgency.CHANGE, now=now)


def _require_quiet(session: Session, job: JobRow | None, address: Address) -> None:
    """Refuse while a worker is in the lane, or a call of it is unsettled: what is there is not known then."""
    if job is None:
        return
    unsettled = [row for row in steps.unsettled(session, job.id) if row.target != address]
    if job.state is JobState.RUNNING or unsettled:
        raise AdoptionRefused(
            f"job {job.id} of {job.subject_kind} {job.subject_key} is under way: try again when it is over"
        )


def _adopted(session: Session, address: Address) -> AddressRow:
    row = addresses.held(session, address)
    if row is None or row.provenance != Provenance.ADOPTED or row.role not in (Role.PRIMARY, Role.SHARED):
        raise AdoptionRefused(f"{address} is no mailbox or alias that was adopted")
    return row


def _ring(adopter: Adopter) -> None:
    adopter.intake.bell.ring_apply()
    adopter.intake.bell.ring_run()
