"""Observe: what a look at the host showed, entered into the ledger, and joined with what the ledger knows.

What is unsettled is decided by it, what is theirs is recognised, and what is gone forgotten.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.execution.known import Known
from worker.execution.outcomes import Held, Outcome, Waiting
from worker.execution.perform import Run
from worker.execution.recognise import has_their_name, is_plainly_theirs, note_recognised, take_over
from worker.execution.recognise_further import recognise_further
from worker.execution.settle import settle
from worker.execution.sight import Sight, correct_ledger, exists_already, observed_person
from worker.mail import Address, Mailbox
from worker.planning.observed import ObservedPerson
from worker.policy import Existing, desired
from worker.store import addresses, people, steps
from worker.store.database import Session
from worker.store.tables import AddressRow

_LOOK_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of a person now, and how they stand at the host."""

    known: Known
    person: ObservedPerson


def observe(session: Session, run: Run, known: Known, sight: Sight, looked_at: datetime) -> Observed | Outcome:
    """Enter what was seen since ``looked_at``, or return how the run must end. Person and job are locked."""
    # Only who holds the lease sends steps, so there are none that were not there a moment ago.
    unsettled = steps.unsettled(session, run.lease.job_id) if known.unsettled else []
    if (stuck := settle(session, unsettled, sight.place_of, looked_at)) is not None:
        return stuck
    rows = addresses.of_person(session, known.person_id)
    primary = next((row for row in rows if row.address == known.view.address), None)
    ours = addresses.is_ours(primary)
    if sight.mailbox is not None and not ours:
        if (left := _take_or_leave(session, known, primary, run, sight.mailbox)) is not None:
            return left
        ours, rows = True, addresses.of_person(session, known.person_id)
    else:
        view = recognise_further(session, run, known.view, sight, known.passed_over, rows)
        if view is not known.view:
            known, rows = replace(known, view=view), addresses.of_person(session, known.person_id)
        known = _without(known, correct_ledger(session, rows, sight, run.now))
    if known.view.withdrawn:
        addresses.drop_withdrawn(session, known.person_id, sight.addresses, run.now)
    held = [row for row in rows if row.held_to is None]
    person = observed_person(session, held, sight, ours=ours, today=run.now.date())
    return Observed(_corrected(known, run, exists=sight.mailbox is not None and ours), person)


def _without(known: Known, lost: frozenset[Address]) -> Known:
    """Go on without aliases that somebody else has; when the job is done, the person is given the next name."""
    return replace(known, view=replace(known.view, aliases=known.view.aliases - lost)) if lost else known


def _corrected(known: Known, run: Run, *, exists: bool) -> Known:
    """Ask again what is wanted, where the host shows otherwise than the ledger what is there."""
    view = replace(known.view, mailbox_exists=exists)
    return replace(known, view=view, state=desired(view, known.policy, run.now).state.mailbox)


def _take_or_leave(
    session: Session, known: Known, primary: AddressRow | None, run: Run, mailbox: Mailbox
) -> Outcome | None:
    """Decide about a mailbox that exists and that we did not make. None means that it is adopted."""
    assert primary is not None
    existing, person_id = known.policy.joining.existing, known.person_id
    if is_plainly_theirs(mailbox, known.view, known.policy):
        take_over(session, run, person_id, mailbox)
        note_recognised(session, run, person_id)
        return None
    may_be_theirs = has_their_name(mailbox, known.view, known.policy)
    if existing is Existing.NEXT_NAME and not known.view.mailbox_exists and not may_be_theirs:
        addresses.give_up(session, primary, run.now)
        people.evaluate_soon(session, [person_id], run.now)
        return Waiting(run.now + _LOOK_AGAIN, f"{primary.address} belongs to somebody else: the next name is tried")
    if existing is Existing.ADOPT and known.view.profile.facts.get("workEmail") == primary.address:
        take_over(session, run, person_id, mailbox)
        return None
    return Held(exists_already(primary.address))
