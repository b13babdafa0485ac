"""Plans for a shared address: one call at most, which leads to what is desired."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.mail import Alias, address
from worker.planning import ObservedPerson, ObservedShared, Operation, Plan, apply_steps, plan_person, plan_shared
from worker.planning.effect import MisplacedStep
from worker.policy.state import DesiredShared, WantedMailbox

TEAM = address("engineering@example.org")
MEMBERS = [address(f"{local}@example.org") for local in ("ada", "grace", "linus")]

destinations = st.frozensets(st.sampled_from(MEMBERS))
desires = st.builds(DesiredShared, st.none() | destinations)
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
    """Before and after show the whole lists in order, and no step on an alias has a brake."""
    observed = ObservedShared(None if there is None else Alias(TEAM, frozenset(there)))
    desired = DesiredShared(None if wanted is None else frozenset(wanted))
    (step,) = plan_shared(TEAM, desired, observed).steps

    assert (step.operation, step.target, step.brake) == (operation, TEAM, None)
    assert step.before.get("destinations") == (None if there is None else tuple(there))
    assert step.after.get("destinations") == (None if wanted is None else tuple(wanted))


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
