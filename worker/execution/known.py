"""Known: what the ledger and the roster say of a person before the mail host is asked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.execution.perform import Run
from worker.execution.recognise import PassedOver, passed_over
from worker.execution.sight import Places, places_of
from worker.intake.context import OPERATOR
from worker.intake.pinned import Barred, barred
from worker.mail import Address, SharedKey, domain_of
from worker.planning.step import Operation
from worker.policy import (
    NoMailbox,
    NoUsableName,
    PersonState,
    PersonView,
    Policy,
    UnknownDomain,
    candidates,
    desired,
    home_of,
    load_policy,
)
from worker.store import addresses, domains, pauses, shared_addresses, steps
from worker.store.addresses import Role
from worker.store.database import Session
from worker.store.pauses import PauseKind
from worker.store.policies import active_policy
from worker.store.states import UNSETTLED, StepState
from worker.store.tables import AddressRow
from worker.store.views import view_of_holder

_TRIED = (StepState.SENT, StepState.UNKNOWN, StepState.REFUSED)


@dataclass(frozen=True, slots=True)
class Known:
    """What we know of a person under the active policy."""

    view: PersonView
    policy: Policy
    state: PersonState
    primary: AddressRow | None
    domain_read_at: datetime | None
    tried: bool
    """This job, or a dismissed one before it, has sent a creation, and it was not confirmed."""
    unsettled: bool
    """The fate of some step in this lane is not known."""
    blocked_by: Address | None
    """What exists at the host, is not ours, and stands where this person's address would be."""
    barred: Barred | None
    """Why the stated address cannot be given."""
    creations_paused_until: datetime | None
    """Also of a pause that is over, while nothing shows that there is room again."""
    passed_over: PassedOver
    places: Places
    """Where to look besides the mailbox."""
    named_in: Sequence[SharedKey]
    """The lists that still name a mailbox that is to be deleted."""

    @property
    def person_id(self) -> int:
        """Who it is."""
        return int(self.view.profile.key)

    @property
    def source(self) -> str:
        """By whose statements brakes count what is done for them."""
        employment = self.view.profile.employment
        return employment.source if employment else OPERATOR


def know(session: Session, run: Run) -> Known | None:
    """Return what is known of the person of this lane; None without an active policy."""
    person_id = run.lease.subject.person_id
    active = active_policy(session)
    if active is None or person_id is None:
        return None
    policy = load_policy(active[1])
    rows = addresses.of_person(session, person_id)
    view = view_of_holder(session, person_id, rows, run.execution.precedence)
    ours = [] if run.recorder.finds_no_steps else steps.of_job(session, run.lease.job_id)
    left = steps.left_unsettled(session, run.lease.subject)
    unsettled = [*left, *(row for row in ours if row.state in UNSETTLED)]
    state = desired(view, policy, run.now).state.mailbox
    better = passed_over(session, view, policy, rows)
    places = places_of(view, policy, rows, [steps.to_step(row) for row in unsettled], run.now)
    return Known(
        view=view,
        policy=policy,
        state=state,
        primary=next((row for row in rows if row.role == Role.PRIMARY), None),
        domain_read_at=domains.domain_read_at(session, _domain(view, policy)),
        tried=any(row.operation == Operation.CREATE_MAILBOX and row.state in _TRIED for row in (*ours, *left)),
        unsettled=bool(unsettled),
        blocked_by=None if rows else _blocked_by(session, view, policy, run.now),
        barred=barred(session, view, policy, run.now),
        creations_paused_until=pauses.last(session, PauseKind.CREATIONS),
        named_in=_named_in(session, view, state),
        passed_over=better,
        places=replace(places, aliases=places.aliases.union(*(better.get(each, ()) for each in view.aliases))),
    )


def _named_in(session: Session, view: PersonView, state: PersonState) -> Sequence[SharedKey]:
    is_to_go = isinstance(state, NoMailbox) and view.mailbox_exists and view.address is not None
    return shared_addresses.naming(session, view.address) if is_to_go and view.address else ()


def _domain(view: PersonView, policy: Policy) -> str:
    return domain_of(view.address) if view.address else home_of(view.profile.facts, policy)


def _blocked_by(session: Session, view: PersonView, policy: Policy, now: datetime) -> Address | None:
    person_id, reuse_after = int(view.profile.key), policy.naming.reuse_after.length
    try:
        return addresses.first_foreign(session, candidates(view.profile.facts, policy), person_id, reuse_after, now)
    except (NoUsableName, UnknownDomain):
        return None
