"""Drift as a pure comparison: every difference has one class, and no door of somebody kept out is ever spared."""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_planning_person import ADA, observations, wanted, wanted_mailboxes
from worker.mail import DOORS, Address, Alias, FieldValue, Mailbox, address
from worker.mail.fields import DECISIVE
from worker.planning import (
    Drift,
    ObservedPerson,
    ObservedShared,
    Operation,
    Plan,
    apply_steps,
    drift_of,
    plan_person,
    plan_shared,
    spare,
)
from worker.planning.drift import KnownObject, Terms
from worker.planning.fields import says_the_same
from worker.policy import Access, DriftAction, ReconcileSection
from worker.policy.drift_terms import RECONCILED_FIELDS
from worker.policy.state import DesiredShared, WantedMailbox

TEAM, BOB = address("team@example.org"), address("bob@example.org")
actions = st.sampled_from(DriftAction)
sections = st.builds(
    ReconcileSection, default=actions, fields=st.dictionaries(st.sampled_from(RECONCILED_FIELDS), actions, max_size=4)
)
addresses = st.frozensets(st.sampled_from([ADA, BOB, address("carl@example.org")]))


def closed(desired: WantedMailbox) -> bool:
    """Whether this person is kept out."""
    return desired.access is not Access.OPEN


@st.composite
def ledgers(draw: st.DrawFn, plan: Plan) -> Mapping[Address, KnownObject]:
    """What might be known: of each object whether we made it, and of each field nothing, or some value."""
    return {
        step.target: KnownObject(
            stands=draw(st.frozensets(st.sampled_from(["mailbox", "identity", "alias"]))),
            written={
                name: draw(st.sampled_from([value, step.before.get(name), "Something else", None]))
                for name, value in step.after.items()
                if draw(st.booleans())
            },
        )
        for step in plan.steps
    }


@given(wanted_mailboxes, observations, sections, st.data())
def test_every_difference_is_told_once_unless_it_is_accepted(
    desired: WantedMailbox, observed: ObservedPerson, section: ReconcileSection, drawn: st.DataObject
) -> None:
    """Each field that a plan changes is one finding; only what a foreign hand did, and the policy accepts, is none."""
    plan = plan_person(desired, observed)
    known = drawn.draw(ledgers(plan))
    strict = drift_of(plan, known, Terms(ReconcileSection()))
    told = drift_of(plan, known, Terms(section, closed=closed(desired)))

    keys = [(each.target, each.noun, each.field, each.wanted) for each in strict]
    untold = set(keys) - {(each.target, each.noun, each.field, each.wanted) for each in told}
    assert bool(strict) == bool(plan.steps)
    for each in strict:
        if (each.target, each.noun, each.field, each.wanted) in untold:
            assert each.drift in (Drift.FOREIGN_HAND, Drift.MISSING)
            whole = {"mailbox": "mailboxes", "identity": "identities", "alias": "aliases"}[each.noun]
            assert section.action_on(each.field or whole) is DriftAction.ACCEPT


@given(wanted_mailboxes, observations, sections, st.data())
def test_what_shows_as_we_wrote_it_is_never_a_foreign_hands(
    desired: WantedMailbox, observed: ObservedPerson, section: ReconcileSection, drawn: st.DataObject
) -> None:
    """A field is changed by a foreign hand exactly if we wrote it and it shows something else than that."""
    plan = plan_person(desired, observed)
    known = drawn.draw(ledgers(plan))
    for each in drift_of(plan, known, Terms(section, closed=closed(desired))):
        if each.field is None:
            continue
        written = known[each.target].written
        is_ours = each.field not in written or says_the_same(each.field, written[each.field], each.found)

        assert (each.drift is Drift.STALE) == is_ours


@given(wanted_mailboxes, observations, sections, st.data())
def test_work_under_way_is_never_a_foreign_hands(
    desired: WantedMailbox, observed: ObservedPerson, section: ReconcileSection, drawn: st.DataObject
) -> None:
    """While a job is at work on a subject all that differs is ours and stale."""
    plan = plan_person(desired, observed)
    terms = Terms(section, closed=closed(desired), under_way=True)

    assert {each.drift for each in drift_of(plan, drawn.draw(ledgers(plan)), terms)} <= {Drift.STALE}


@given(wanted_mailboxes, observations, sections, st.data())
def test_a_closed_door_is_never_spared(
    desired: WantedMailbox, observed: ObservedPerson, section: ReconcileSection, drawn: st.DataObject
) -> None:
    """Of somebody blocked or suspended no door stays open, and no decisive field otherwise, whatever the terms."""
    shut = replace(desired, access=Access.SUSPENDED if desired.access is Access.OPEN else desired.access)
    plan = plan_person(shut, observed)
    spared = spare(plan, drawn.draw(ledgers(plan)), Terms(section, closed=True))
    after = apply_steps(spared.steps, observed)

    if after.mailbox is not None:
        assert all(after.mailbox.fields.get(door) is False for door in DOORS)
        left = plan_person(shut, after)
        assert not {name for step in left.steps for name in step.after} & DECISIVE


@given(wanted_mailboxes, observations, sections, st.data())
def test_what_is_spared_is_exactly_what_is_not_repaired(
    desired: WantedMailbox, observed: ObservedPerson, section: ReconcileSection, drawn: st.DataObject
) -> None:
    """After the spared plan only what the policy reports or accepts differs still; sparing again changes nothing."""
    plan = plan_person(desired, observed)
    known = drawn.draw(ledgers(plan))
    terms = Terms(section, closed=closed(desired))
    spared = spare(plan, known, terms)
    repaired = [each for each in drift_of(plan, known, terms) if each.action is DriftAction.REPAIR]
    changed = {(step.target, name) for step in spared.steps for name in step.after}

    assert {(each.target, each.field) for each in repaired if each.field} <= changed or _nothing_is_made(spared, plan)
    assert spare(spared, known, terms).steps == spared.steps
    assert spare(plan, known, Terms(ReconcileSection())) == plan


def _nothing_is_made(spared: Plan, plan: Plan) -> bool:
    """Whether the mailbox is gone and stays so: then nothing in it can be repaired."""
    operations = [{step.operation for step in each.steps} for each in (plan, spared)]
    return Operation.CREATE_MAILBOX in operations[0] - operations[1]


@given(addresses, addresses, addresses, actions)
def test_a_list_never_keeps_somebody_who_is_to_be_taken_out(
    destinations: frozenset[Address], shown: frozenset[Address], written: frozenset[Address], action: DriftAction
) -> None:
    """A list that a foreign hand changed is spared only if nobody whom we put there, and who has to go, is in it."""
    if not destinations or not shown:
        return
    plan = plan_shared(TEAM, DesiredShared(destinations), _listing(shown))
    known = {TEAM: KnownObject(written={"destinations": tuple(sorted(written))})}
    spared = spare(plan, known, Terms(ReconcileSection(default=action)))

    if plan.steps and not spared.steps:
        assert action is not DriftAction.REPAIR
        assert shown != written
        assert not (shown & written) - destinations


def _listing(destinations: frozenset[Address]) -> ObservedShared:
    return ObservedShared(Alias(TEAM, destinations))


def opened(**fields: FieldValue) -> ObservedPerson:
    """Ada's mailbox with all doors open, and these fields."""
    return ObservedPerson(Mailbox(ADA, "Ada Lovelace", {**dict.fromkeys(DOORS, True), **fields}))


def test_accepted_until_something_new_is_wanted() -> None:
    """A name that was accepted stays as long as the wanted one is the one we wrote; a new one is written."""
    known = {ADA: KnownObject(written={"name": "Ada Lovelace"})}
    terms = Terms(ReconcileSection(fields={"name": DriftAction.ACCEPT}))
    theirs = replace(opened(), mailbox=replace(opened().mailbox, name="Countess"))  # type: ignore[type-var]
    as_before = plan_person(wanted(), theirs)
    something_new = plan_person(wanted(name="Ada King"), theirs)

    assert (spare(as_before, known, terms).steps, drift_of(as_before, known, terms)) == ((), ())
    assert spare(something_new, known, terms).steps == something_new.steps


def test_reported_stays_even_if_something_new_is_wanted() -> None:
    """A field that is only reported is left alone as long as it shows what neither we wrote nor is wanted."""
    known = {ADA: KnownObject(written={"spam_action": "folder"})}
    terms = Terms(ReconcileSection(fields={"spam_action": DriftAction.REPORT}))
    plan = plan_person(wanted(name="Ada King", fields={"spam_action": "none"}), opened(spam_action="drop"))
    spared = spare(plan, known, terms)

    assert [dict(step.after) for step in spared.steps] == [{"name": "Ada King"}]
    assert spared.note == f"left as somebody else made it: spam_action of {ADA}"


def test_a_mailbox_that_is_gone_may_stay_gone() -> None:
    """Where whole mailboxes are only reported, nothing is made in the place of one that somebody deleted."""
    plan = plan_person(wanted(identities=frozenset({address("ada@example.org")})), ObservedPerson(None))
    known = {ADA: KnownObject(frozenset({"mailbox"}))}
    terms = Terms(ReconcileSection(fields={"mailboxes": DriftAction.REPORT}))

    assert spare(plan, known, terms).steps == ()
    assert drift_of(plan, known, terms)[0].drift is Drift.MISSING
    assert spare(plan, {ADA: KnownObject()}, terms).steps == plan.steps
