"""Protection as a pure rule: whatever is wanted, what stands at a protected address stays as it was found."""

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_planning_person import ADA, ALIASES, OTHERS, observations, states
from worker.mail import Address, Alias, Identity, Mailbox, Rewrite, address, takes_mail_of
from worker.planning import (
    ObservedPerson,
    ObservedRewrite,
    ObservedShared,
    Operation,
    apply_steps,
    guarded,
    plan_person,
    plan_shared,
)
from worker.policy.state import DesiredShared, NoMailbox, PersonState, WantedMailbox

HR = address("hr@example.org")
RULES = ("ad*", "*", "admin", "support-*", "a*n")
protected_addresses = st.frozensets(st.sampled_from([*OTHERS, *ALIASES]))


def found_at(full: Address, observed: ObservedPerson) -> object:
    """Everything that stands at an address, and whose it is."""
    identities = [each for each in (observed.mailbox.identities if observed.mailbox else ()) if each.address == full]
    return (
        identities,
        [alias for alias in observed.aliases if alias.address == full],
        observed.logins.get(full) if identities else None,
        full in observed.our_aliases,
        full in observed.held,
    )


@given(states, observations, protected_addresses)
def test_nothing_changes_at_a_protected_address(
    desired: PersonState, observed: ObservedPerson, protected: frozenset[Address]
) -> None:
    """Neither by a step about it nor along with its mailbox; and what is left of the plan can still be made."""
    plan = guarded(plan_person(desired, observed), protected, observed.mailbox)

    after = apply_steps(plan.steps, observed)

    assert not {step.target for step in plan.steps if step.mailbox is None} & protected
    assert all(found_at(full, after) == found_at(full, observed) for full in protected)
    assert guarded(plan, protected, observed.mailbox) == plan


@given(states, observations, protected_addresses)
def test_what_touches_nothing_protected_is_done(
    desired: PersonState, observed: ObservedPerson, protected: frozenset[Address]
) -> None:
    """Exactly the steps about protected addresses are left, and what goes with them; each leaves a sentence."""
    whole = plan_person(desired, observed)
    plan = guarded(whole, protected, observed.mailbox)

    left = [step for step in whole.steps if step not in plan.steps]
    releases = [step for step in whole.steps if step.operation is Operation.RELEASE_ADDRESS]
    keeps = any(step.target in protected for step in releases)
    if not any(step.operation is Operation.DELETE_MAILBOX for step in left):
        assert left == [step for step in whole.steps if step.target in protected or (keeps and step in releases)]
        assert all(f"{step.target} is prot" in str(plan.unfinished) for step in left if step.target in protected)
    assert (plan == whole) == (not left)


@given(destinations=st.sampled_from([None, frozenset({HR})]), there=st.booleans(), is_protected=st.booleans())
def test_a_list_at_a_protected_address_is_left_alone(
    destinations: frozenset[Address] | None, *, there: bool, is_protected: bool
) -> None:
    """One that is to go stays, and nobody is asked about that; one that is wanted leaves its job unfinished."""
    target = address("admin@example.org")
    observed = ObservedShared(Alias(target, frozenset({ADA})) if there else None)
    whole = plan_shared(target, DesiredShared(destinations), observed)

    plan = guarded(whole, {target} if is_protected else set())

    assert plan.steps == (() if is_protected else whole.steps)
    said = plan.note if destinations is None else plan.unfinished
    assert (said == f"{target} is protected by the policy: it is never touched") == (is_protected and bool(whole.steps))


@given(st.sampled_from([None, frozenset({HR})]), st.none() | st.sampled_from(RULES), st.sampled_from(RULES))
def test_a_rewrite_of_a_protected_address_is_left_alone(
    destinations: frozenset[Address] | None, found: str | None, wanted: str
) -> None:
    """Where its rule takes the mail of one, or would; others are written."""
    target, admin = address("calls@example.org"), address("admin@example.org")
    rewrite = Rewrite("example.org", "calls", found, frozenset({ADA})) if found else None
    desired = DesiredShared(destinations, fields={"local_part_rule": wanted} if destinations else {})
    whole = plan_shared(target, desired, ObservedRewrite(rewrite))

    plan = guarded(whole, {admin, address("support-1@example.net")})

    rules = {
        rule for step in whole.steps for each in (step.before, step.after) if (rule := each.get("local_part_rule"))
    }
    takes = any(takes_mail_of(rule, "admin") for rule in rules)
    assert bool(plan.steps) == (bool(whole.steps) and not takes)
    if takes:
        said = f"rewrite {target} takes mail of {admin}, which is protected by the policy: it is not touched"
        assert said == (plan.note if destinations is None else plan.unfinished)


def test_a_mailbox_with_a_protected_identity_is_not_deleted() -> None:
    """The host would delete the identity with it; so the addresses are neither handed over nor given up."""
    (king, *_) = OTHERS
    observed = ObservedPerson(
        Mailbox(ADA, "Ada", identities=frozenset({Identity(king, "Ada")})), held=frozenset({ADA, king})
    )
    whole = plan_person(NoMailbox(release=True), observed)

    plan = guarded(whole, {king}, observed.mailbox)

    assert [step.operation for step in whole.steps] == ["delete-mailbox", "release-address", "release-address"]
    assert plan.steps == ()
    assert plan.unfinished is not None
    assert plan.unfinished.startswith(f"{ADA} is not deleted, for its identity {king} is protected by the policy")


def test_being_named_touches_no_address() -> None:
    """A protected address may take over: a forwarding and an alias lead there, and nothing changes at it."""
    forwards = WantedMailbox(ADA, "Ada", forward_to=HR)
    hands_over = NoMailbox(aliases=frozenset({ADA}), to=HR)

    for desired, observed in ((forwards, ObservedPerson(Mailbox(ADA, "Ada"))), (hands_over, ObservedPerson(None))):
        whole = plan_person(desired, observed)
        assert whole.steps
        assert guarded(whole, {HR}, observed.mailbox) == whole


@given(st.sampled_from((*RULES, "ad[m]in", "adm?n")), st.sampled_from(["admin", "support-1", "ad", "an", "ada.king"]))
def test_a_star_stands_for_anything_and_no_other_sign_does(rule: str, local_part: str) -> None:
    """As the host reads a rule, told here without globs; alone it takes mail from nobody."""
    head, _, tail = rule.partition("*")
    by_hand = local_part == rule or (
        "*" in rule
        and local_part.startswith(head)
        and local_part.endswith(tail)
        and len(local_part) >= len(head) + len(tail)
    )

    assert takes_mail_of(rule, local_part) == (by_hand and rule != "*")
