"""Recognising a mailbox: it is somebody's though the ledger does not say so, as after a backup was put back.

Plain is one with the display name and the recovery address of the person whose address it has: it is taken over, so
that no second one is made under another name. What is not plain is left to a person (`mailroster adopt`).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import structlog

from worker.execution.asking import found_at
from worker.execution.outcomes import Held, Waiting
from worker.execution.perform import Run
from worker.execution.sight import exists_already
from worker.mail import Address, Mailbox, domain_of
from worker.migadu import mailbox_at
from worker.planning.fields import RECOVERY
from worker.planning.urgency import Urgency
from worker.policy import NoUsableName, PersonView, Policy, UnknownDomain, candidates, display_name
from worker.store import addresses, adoption, audit, jobs, leases, memberships, people
from worker.store.addresses import Provenance, Role
from worker.store.adoption import Taking
from worker.store.database import Session
from worker.store.subjects import shared_subject
from worker.store.tables import AddressRow

_log = structlog.get_logger(__name__)
_ACTOR = "mailroster"
_MOST = 20
"""So many candidates are compared; who was promised one further down is not recognised by a better one."""

PassedOver = Mapping[Address, tuple[Address, ...]]
"""By each address that is only promised to a person: the better ones that exist at the host and are nobody's here."""


def is_plainly_theirs(mailbox: Mailbox, view: PersonView, policy: Policy) -> bool:
    """Tell whether a mailbox at an address that would be a person's was made for them."""
    personal, recovery = view.profile.facts.get("personalEmail"), mailbox.fields.get(RECOVERY)
    if not isinstance(personal, str) or not isinstance(recovery, str) or not personal.strip():
        return False
    return personal.strip().casefold() == recovery.strip().casefold() and has_their_name(mailbox, view, policy)


def has_their_name(mailbox: Mailbox, view: PersonView, policy: Policy) -> bool:
    """Tell whether a mailbox has the display name that a person's would have."""
    return mailbox.name == display_name(view.profile.facts, policy)


def passed_over(session: Session, view: PersonView, policy: Policy, rows: Sequence[AddressRow]) -> PassedOver:
    """Return the better addresses that a person was not promised because they exist. Mostly there are none."""
    promised = [row.address for row in rows if row.provenance == Provenance.RESERVED and row.exists_since is None]
    found = {Address(each): _better(session, view, policy, Address(each)) for each in promised}
    return {address: better for address, better in found.items() if better}


def take_over(session: Session, run: Run, person_id: int, mailbox: Mailbox) -> None:
    """Enter a mailbox as adopted with its identities, and have its person's groups name it."""
    taking = _taking(person_id, mailbox)
    adoption.take_mailbox(session, taking, run.lease.job_id, run.now)
    for key in sorted(memberships.of_person(session, person_id)):
        jobs.refresh(session, shared_subject(key), urgency=Urgency.CHANGE, now=run.now)


def note_recognised(session: Session, run: Run, person_id: int) -> None:
    """Write down that a mailbox was taken over without anybody having said so."""
    audit.record(session, _ACTOR, "mailbox.recognise", f"person {person_id}", {"job": run.lease.job_id}, run.now)
    _log.info("a mailbox that exists was recognised", job=run.lease.job_id)


def take_instead(run: Run, view: PersonView, policy: Policy, better: Iterable[Address]) -> Waiting | Held | None:
    """Take a mailbox that is plainly a person's instead of making another one. None where there is none.

    One with their very name that came to be since we first knew anything in its domain may be theirs: it is held.
    """
    for address in better:
        mailbox = found_at(run, mailbox_at(address))
        if mailbox is None:
            continue
        if is_plainly_theirs(mailbox, view, policy):
            return _take_instead(run, int(view.profile.key), mailbox)
        if has_their_name(mailbox, view, policy) and _came_later(run, address):
            return Held(exists_already(address))
    return None


def _take_instead(run: Run, person_id: int, mailbox: Mailbox) -> Waiting:
    with run.execution.database.write() as session:
        people.lock(session, person_id)  # before the job's row, as everywhere
        leases.locked(session, run.lease)
        adoption.give_up_promises(session, _taking(person_id, mailbox), run.now)
        take_over(session, run, person_id, mailbox)
        note_recognised(session, run, person_id)
        people.evaluate_soon(session, [person_id], run.now)
    return Waiting(run.now, f"{mailbox.address} was recognised by its name and recovery address")


def _taking(person_id: int, mailbox: Mailbox) -> Taking:
    identities = frozenset(each.address for each in mailbox.identities)
    return Taking(person_id, mailbox.address, identities, instead_of=None)


def _better(session: Session, view: PersonView, policy: Policy, promised: Address) -> tuple[Address, ...]:
    before = _before(view, policy, promised)
    held = addresses.held_among(session, before) if before else {}
    return tuple(each for each in before if each in held and held[each].role == Role.FOREIGN)


def _before(view: PersonView, policy: Policy, promised: Address) -> list[Address]:
    """Return the candidates that come before a promised address; none where it is no candidate any more."""
    before: list[Address] = []
    try:
        for each in islice(candidates(view.profile.facts, policy, domain_of(promised)), _MOST):
            if each == promised:
                return before
            before.append(each)
    except (NoUsableName, UnknownDomain):
        pass
    return []


def _came_later(run: Run, address: Address) -> bool:
    with run.execution.database.read() as session:
        row, first = addresses.held(session, address), addresses.first_known_at(session, domain_of(address))
    return row is not None and first is not None and row.held_from > first
