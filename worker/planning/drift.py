"""Drift: what a plan would change, told apart by who brought the difference about, and what is done about each.

The plan says where the host differs from what is wanted; what our ledger knows that we last wrote says whose doing that
is. So whatever a plan can express can drift, without a word here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from worker.mail import DOORS, Address, FieldValue, SharedKey
from worker.mail.fields import DECISIVE
from worker.planning.fields import RECOVERY, says_the_same
from worker.planning.plan import Plan
from worker.planning.step import Step
from worker.policy import DriftAction, ReconcileSection

NOT_COMPARED = frozenset({"password", "password_method", RECOVERY})
"""Secrets, which the host does not show, and an address that is personal and theirs to change: never kept either."""


_OBJECTS = {
    "mailbox": "mailboxes",
    "identity": "identities",
    "alias": "aliases",
    "rewrite": "rewrites",
    "forwarding": "forwardings",
}
"""What the policy calls objects of a kind."""

_WRITTEN_INTO = {"autoreply": "mailbox"}
"""What is no object of its own, but fields of one."""


class Drift(StrEnum):
    """Why the host shows something else than is wanted."""

    STALE = "stale"
    """Ours: it shows what we last wrote, and the roster or the policy has moved on; or a job is in the middle of it."""
    FOREIGN_HAND = "foreign-hand"
    """It shows neither what we last wrote nor what is wanted: somebody else has changed it."""
    MISSING = "missing"
    """What we made is gone, and is wanted."""
    UNMANAGED = "unmanaged"
    """It is nobody's here: neither made nor adopted by us. It is shown, and never touched."""


@dataclass(frozen=True, slots=True)
class KnownObject:
    """What our ledger knows of one object at the host."""

    stands: frozenset[str] = frozenset()
    """What we made or adopted there and have not deleted since, by noun: an alias may stand where a mailbox was."""
    written: Mapping[str, FieldValue] = field(default_factory=dict)
    """Its fields as we last wrote them, or last saw them as they are wanted. What is not in it we never wrote."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides about drift of one subject."""

    policy: ReconcileSection
    closed: bool = False
    """The person is kept out: what lets somebody in, or gives somebody mail, is then never left as it was found."""
    under_way: bool = False
    """A job of this subject is outstanding, or was at work while the host was read: its half-done work is ours."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between what the host shows and what is wanted."""

    drift: Drift
    target: Address
    """The object's own address."""
    noun: str
    """What it is: mailbox, identity, alias, ..."""
    field: str | None = None
    """By Migadu's name; None where it is the object itself."""
    wanted: FieldValue = None
    found: FieldValue = None
    written: FieldValue = None
    """What we last wrote; None also where we never wrote it."""
    mailbox: Address | None = None
    """For what belongs to a mailbox."""
    action: DriftAction | None = None
    """What is done about it; None: nothing, ever."""


Known = Mapping[SharedKey, KnownObject]
"""By address; a rewrite by its key."""


def drift_of(plan: Plan, known: Known, terms: Terms) -> tuple[Finding, ...]:
    """Return every difference that a plan for a subject would change, classed; what the policy accepts is none. Pure.

    ``plan`` is the whole way from what was read to what is wanted, with nothing spared.
    """
    found = (finding for step in plan.steps for finding in _findings(step, known, terms))
    return tuple(finding for finding in found if finding.action is not DriftAction.ACCEPT)


def spare(plan: Plan, known: Known, terms: Terms) -> Plan:
    """Return a plan without what the policy says to leave as somebody else has made it, with a note that names it.

    Pure. A door of somebody who is blocked or suspended is never spared, whatever the policy says: an opened one is
    closed.
    Neither is a list that still names somebody who is to be taken out of it.
    """
    kept: list[Step] = []
    left: list[str] = []
    gone: set[Address] = set()
    for step in plan.steps:
        alone = [each for each in _findings(step, known, terms) if _is_left_alone(each)]
        if step.mailbox in gone or step.target in gone:
            continue  # what was to be done in a mailbox that is not made again
        if alone and alone[0].field is None:
            gone.add(step.target)
        elif remaining := _without(step, {each.field for each in alone}):
            kept.append(remaining)
        left += [f"{each.field or each.noun} of {each.target}" for each in alone if each.action is DriftAction.REPORT]
    note = f"left as somebody else made it: {', '.join(left)}" if left else None
    return replace(plan, steps=tuple(kept), note="; ".join(part for part in (plan.note, note) if part) or None)


def _is_left_alone(finding: Finding) -> bool:
    return finding.drift in (Drift.FOREIGN_HAND, Drift.MISSING) and finding.action is not DriftAction.REPAIR


def _without(step: Step, names: set[str | None]) -> Step | None:
    if not names:
        return step
    after = {name: value for name, value in step.after.items() if name not in names}
    before = {name: value for name, value in step.before.items() if name not in names}
    brake = None if names & {*DOORS} else step.brake  # a door that is left open lets its person in
    return replace(step, before=before, after=after, brake=brake) if after else None


def _findings(step: Step, known: Known, terms: Terms) -> Iterator[Finding]:
    verb, _, noun = step.operation.partition("-")
    noun = _WRITTEN_INTO.get(noun, noun)
    ledger = known.get(step.key, KnownObject())
    whole = Finding(Drift.STALE, step.target, noun, mailbox=step.mailbox, action=DriftAction.REPAIR)
    if verb == "create":
        yield _of_object(whole, ledger, terms)
        return
    names = [name for name in step.after if name not in NOT_COMPARED and step.before.get(name) != step.after[name]]
    if not names:
        yield whole  # it is to go; or only our ledger knows what is left to do, as where a password is to be replaced
    for name in names:
        shown = replace(
            whole,
            field=name,
            wanted=step.after[name],
            found=step.before.get(name),
            written=ledger.written.get(name),
        )
        yield _of_field(shown, ledger, terms, spareable=verb in ("update", "set"))


def _of_object(whole: Finding, ledger: KnownObject, terms: Terms) -> Finding:
    if terms.under_way or whole.noun not in ledger.stands:
        return whole
    # What is still wanted of somebody who is kept out hands their mail over, and that is not left undone.
    action = DriftAction.REPAIR if terms.closed else terms.policy.action_on(_OBJECTS[whole.noun])
    return replace(whole, drift=Drift.MISSING, action=action)


def _of_field(shown: Finding, ledger: KnownObject, terms: Terms, *, spareable: bool) -> Finding:
    name = str(shown.field)
    never_wrote = name not in ledger.written
    if terms.under_way or never_wrote or says_the_same(name, shown.written, shown.found):
        return shown
    action = _action(shown, terms) if spareable else DriftAction.REPAIR
    return replace(shown, drift=Drift.FOREIGN_HAND, action=action)


def _action(shown: Finding, terms: Terms) -> DriftAction:
    """Return what is done about a field that a foreign hand has changed."""
    name = str(shown.field)
    action = terms.policy.action_on(name)
    asks_for_new = not says_the_same(name, shown.wanted, shown.written)
    if action is DriftAction.ACCEPT and asks_for_new:
        return DriftAction.REPAIR
    if name in DECISIVE and (terms.closed or _keeps_somebody_in(shown)):
        return DriftAction.REPAIR
    return action


def _keeps_somebody_in(shown: Finding) -> bool:
    """Tell whether a list still names somebody whom we put there and who is to be taken out."""
    return bool((_listed(shown.found) & _listed(shown.written)) - _listed(shown.wanted))


def _listed(value: FieldValue) -> frozenset[str]:
    return frozenset(value) if isinstance(value, tuple) else frozenset()
