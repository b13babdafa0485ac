"""Plans for a shared address: one call at most, which leads to what is desired."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.mail import Alias, Rewrite, address
from worker.planning import (
    Brake,
    ObservedPerson,
    ObservedRewrite,
    ObservedShared,
    Operation,
    Plan,
    apply_steps,
    plan_person,
    plan_shared,
)
from worker.planning.effect import MisplacedStep
from worker.policy.state import DesiredShared, WantedMailbox

TEAM = address("engineering@example.org")
MEMBERS = [address(f"{local}@example.org") for local in ("ada", "grace", "linus")]

destinations = st.frozensets(st.sampled_from(MEMBERS))
desires = st.builds(DesiredShared, st.none() | destinations)
internal = st.sampled_from([{}, {"is_internal": True}, {"is_internal": False}])
rules = st.fixed_dictionaries({"local_part_rule": st.sampled_from(["a-*", "*"]), "order_num": st.integers(0, 2)})
rewrites = st.builds(
    Rewrite,
    st.just("example.org"),
    st.just("engineering"),
    st.sampled_from(["a-*", "*", "b"]),
    destinations,
    st.none() | st.integers(0, 2),
)
observations = st.builds(ObservedShared, st.none() | st.builds(Alias, st.just(TEAM), destinations))


@settings(max_examples=100, deadline=None)
@given(desires, observations)
def test_a_shared_plan_leads_to_what_is_desired_at_once(desired: DesiredShared, observed: ObservedShared) -> None:
    """One call at most gives the wanted destinations, an empty list being no alias; planning again gives nothing."""
    plan = plan_shared(TEAM, desired, observed)
    after = apply_steps(plan.steps, observed)

    assert plan.cost <= 1
    assert (after.alias.destinations if after.alias else None) == (desired.destinations or None)
    assert plan_shared(TEAM, desired, after) == Plan()


@pytest.mark.parametrize(
    ("wanted", "there", "operation"),
    [
        (MEMBERS, None, Operation.CREATE_ALIAS),
        (MEMBERS, MEMBERS[:1], Operation.UPDATE_ALIAS),
        (None, MEMBERS, Operation.DELETE_ALIAS),
    ],
)
def test_destinations_are_written_whole_and_sorted(wanted, there, operation: Operation) -> None:
    """Before and after show the whole lists in order; of the steps on an alias only its deletion has a brake."""
    observed = ObservedShared(None if there is None else Alias(TEAM, frozenset(there)))
    desired = DesiredShared(None if wanted is None else frozenset(wanted))
    (step,) = plan_shared(TEAM, desired, observed).steps

    brake = Brake.LISTS if operation is Operation.DELETE_ALIAS else None
    assert (step.operation, step.target, step.brake) == (operation, TEAM, brake)
    assert step.before.get("destinations") == (None if there is None else tuple(there))
    assert step.after.get("destinations") == (None if wanted is None else tuple(wanted))


@settings(max_examples=100, deadline=None)
@given(
    st.builds(DesiredShared, st.none() | destinations, fields=rules), st.builds(ObservedRewrite, st.none() | rewrites)
)
def test_a_plan_for_a_rewrite_leads_to_what_is_desired_at_once(
    desired: DesiredShared, observed: ObservedRewrite
) -> None:
    """One call at most makes it as it should be; an update says only what differs; planning again gives nothing."""
    plan = plan_shared(TEAM, desired, observed)
    after = apply_steps(plan.steps, observed)

    assert plan.cost <= 1
    assert (after.rewrite.destinations if after.rewrite else None) == (desired.destinations or None)
    if after.rewrite:
        assert after.rewrite.local_part_rule == desired.fields["local_part_rule"]
        assert (after.rewrite.order_num or 0) == desired.fields["order_num"]
    for step in plan.steps:
        assert all(step.before[name] != step.after[name] for name in step.before.keys() & step.after.keys())
    assert plan_shared(TEAM, desired, after) == Plan()


@settings(max_examples=50, deadline=None)
@given(destinations.filter(bool), internal, st.sampled_from([None, True, False]), internal)
def test_who_may_write_to_a_list_is_kept_as_the_policy_says(members, wanted, shown, others) -> None:
    """An alias is internal where the policy says so, open where it says so, and left alone where it says nothing."""
    alias = Alias(TEAM, members, {"is_internal": shown, **others})
    plan = plan_shared(TEAM, DesiredShared(members, fields=wanted), ObservedShared(alias))

    differs = bool(wanted) and bool(alias.fields["is_internal"]) != wanted["is_internal"]
    assert [step.after for step in plan.steps] == ([wanted] if differs else [])


@pytest.mark.parametrize(("number", "says"), [(1, "1 member is left out"), (3, "3 members are left out")])
def test_how_many_are_left_out_is_said_with_the_reason(number: int, says: str) -> None:
    """A plan counts those who get nothing from here, and names nobody."""
    elsewhere = frozenset(address(f"{letter}@example.fr") for letter in "abc"[:number])
    plan = plan_shared(TEAM, DesiredShared(frozenset(MEMBERS), left_out=elsewhere), ObservedShared(None))

    assert plan.note == f"{says}: the mail host hands mail of example.org only to mailboxes of example.org"
    assert plan.cost == 1


@given(desires)
@settings(max_examples=20, deadline=None)
def test_a_foreign_alias_is_never_touched(desired: DesiredShared) -> None:
    """What we neither made nor adopted gets no step, and the plan says why."""
    plan = plan_shared(TEAM, desired, ObservedShared(Alias(TEAM, frozenset(MEMBERS[:1])), ours=False))

    assert plan.steps == ()
    assert "is not ours" in (plan.note or "")


def test_a_step_of_a_person_does_not_fit_a_shared_address() -> None:
    """Steps are refused where they were not planned."""
    steps = plan_person(WantedMailbox(TEAM, "Engineering"), ObservedPerson(None)).steps

    with pytest.raises(MisplacedStep):
        apply_steps(steps, ObservedShared(None))
