"""Plans for a person: that they lead to what is desired, once, in the right order, and give nothing away."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.mail import DOORS, Address, Alias, Forwarding, Identity, Mailbox, address
from worker.planning import (
    PERSONAL_ADDRESS,
    RANDOM_PASSWORD,
    Brake,
    ClosedLogin,
    ObservedPerson,
    Operation,
    Plan,
    apply_steps,
    plan_person,
    recovery_of,
)
from worker.planning.effect import MisplacedStep
from worker.policy.state import Access, Credential, Missing, NoMailbox, PersonState, Untouched, WantedMailbox

ADA = address("ada.lovelace@example.org")
OTHERS = [address(f"{local}@example.org") for local in ("ada.king", "ada", "countess")]
ALIASES = [address("a.lovelace@example.org"), address("ada.noel@example.org")]
MANAGERS = [address("grace.hopper@example.org"), address("alan.turing@example.org")]
HR = address("hr@example.org")
HOME = "ada@home.example"
REPLY = {
    "autorespond_active": True,
    "autorespond_subject": "Gone",
    "autorespond_body": "Write to Grace.",
    "autorespond_expires_on": None,
}
OWN_REPLY = {"autorespond_active": False, "autorespond_subject": None, "autorespond_body": "Away"}
OPEN_DOORS = dict.fromkeys(DOORS, True)
CLOSED_DOORS = dict.fromkeys(DOORS, False)

names = st.sampled_from(["Ada Lovelace", "Ada King"])
door = st.sampled_from([True, False, None])
observed_fields = st.fixed_dictionaries(
    dict.fromkeys(DOORS, door),
    optional={
        "is_internal": door,
        "may_receive": door,
        "spam_action": st.sampled_from(["folder", "drop", None]),
        "sender_denylist": st.sampled_from([(), ("a@b.example", "c@d.example"), ("c@d.example", "a@b.example")]),
        "password_recovery_email": st.just(HOME),
        "autorespond_active": door,
        "autorespond_body": st.sampled_from(["Away", None]),
        "autorespond_expires_on": st.sampled_from(["2026-12-24", None]),
    },
)
managed_fields = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys([*DOORS, "is_internal", "may_receive"], st.booleans()),
        "spam_action": st.sampled_from(["folder", "drop"]),
        "sender_denylist": st.sampled_from([(), ("a@b.example", "c@d.example")]),
        "password_recovery_email": st.just(HOME),
    },
)
wanted_mailboxes = st.builds(
    WantedMailbox,
    address=st.just(ADA),
    name=names,
    access=st.sampled_from(Access),
    identities=st.frozensets(st.sampled_from([ADA, *OTHERS])),
    fields=managed_fields,
    credential=st.sampled_from(Credential),
    recovery=st.just(HOME),
    create=st.booleans(),
    immediate=st.booleans(),
    aliases=st.frozensets(st.sampled_from(ALIASES)),
    autoreply=st.just({}) | st.just(REPLY),
    forward_to=st.none() | st.sampled_from(MANAGERS),
)
no_mailboxes = st.builds(NoMailbox) | st.builds(
    NoMailbox, aliases=st.frozensets(st.sampled_from([ADA, *OTHERS])), to=st.sampled_from(MANAGERS)
)
states = (
    wanted_mailboxes
    | no_mailboxes
    | st.just(NoMailbox(release=True))
    | st.builds(NoMailbox)
    | st.just(Untouched("paused"))
    | st.just(Missing("no address"))
)
identities = st.lists(
    st.builds(
        Identity,
        st.sampled_from(OTHERS),
        names,
        st.sampled_from(["none", "mailbox", "custom", None]),
        st.fixed_dictionaries({}, optional=dict.fromkeys(DOORS, door)),
    ),
    unique_by=lambda identity: identity.address,
)
forwardings = st.frozensets(st.sampled_from(MANAGERS)).map(
    lambda found: frozenset(Forwarding(each, confirmed_at="10:00") for each in found)
)
mailboxes = st.builds(
    Mailbox,
    address=st.just(ADA),
    name=names,
    fields=observed_fields,
    identities=identities.map(frozenset),
    forwardings=forwardings,
)
former = st.just({}) | st.fixed_dictionaries(dict.fromkeys(DOORS, door))
logins = st.dictionaries(st.sampled_from(OTHERS), st.builds(ClosedLogin, st.booleans(), former))
aliases_at = st.frozensets(st.sampled_from([*OTHERS, *ALIASES])).flatmap(
    lambda places: st.frozensets(st.sampled_from(sorted(places)) if places else st.nothing()).map(
        lambda ours: {"aliases": frozenset(Alias(place, frozenset({HR})) for place in places), "our_aliases": ours}
    )
)


@st.composite
def observations_with_a_mailbox(draw: st.DrawFn) -> ObservedPerson:
    """What may be found of a mailbox: aliases where no identity is, and our forwarding among the others."""
    mailbox = draw(mailboxes)
    taken = {identity.address for identity in mailbox.identities}
    at = draw(aliases_at)
    return ObservedPerson(
        mailbox=mailbox,
        sealed=draw(st.booleans()),
        former_doors=draw(former),
        former_autoreply=draw(st.just({}) | st.just(OWN_REPLY)),
        logins=draw(logins),
        forwards_to=draw(st.sampled_from([None, *sorted(each.address for each in mailbox.forwardings)])),
        aliases=frozenset(alias for alias in at["aliases"] if alias.address not in taken),
        our_aliases=at["our_aliases"] - taken,
        held=frozenset({ADA, *OTHERS, *ALIASES}),
    )


observations = observations_with_a_mailbox() | aliases_at.map(
    lambda at: ObservedPerson(None, held=frozenset({ADA, *OTHERS, *ALIASES}), **at)
)


def wanted(**changes: object) -> WantedMailbox:
    """An open mailbox with nothing special."""
    return replace(WantedMailbox(ADA, "Ada Lovelace"), **changes)


def found(*, sealed: bool = False, former_doors=None, ours: bool = True, **changes: object) -> ObservedPerson:
    """The mailbox of ``wanted`` as found at the host, doors open."""
    mailbox = replace(Mailbox(ADA, "Ada Lovelace", OPEN_DOORS), **changes)
    return ObservedPerson(mailbox, ours=ours, sealed=sealed, former_doors=former_doors or {})


def operations(plan: Plan) -> list[Operation]:
    """The names of the steps in order."""
    return [step.operation for step in plan.steps]


def is_as_desired(desired: PersonState, before: ObservedPerson, after: ObservedPerson) -> bool:
    """The purpose of a plan, written without the planner's means."""
    match desired:
        case Untouched() | Missing():
            return after == before
        case NoMailbox():
            return after.mailbox is None and addresses_are_right(desired, before, after)
        case WantedMailbox() if before.mailbox is None and not desired.create:
            return after.mailbox is None
        case WantedMailbox():
            return after.mailbox is not None and holds(desired, before, after.mailbox, after)


def holds(desired: WantedMailbox, before: ObservedPerson, mailbox: Mailbox, after: ObservedPerson) -> bool:
    """A mailbox that is there is as it is wanted, and what nobody wanted was left alone."""
    by_address = {identity.address: identity.name for identity in mailbox.identities}
    own = {} if before.mailbox is None else {i.address: i.name for i in before.mailbox.identities}
    return all(
        [
            mailbox.name == desired.name,
            all(by_address[wanted] == desired.name for wanted in desired.identities - {ADA}),
            all(by_address[kept] == name for kept, name in own.items() if kept not in desired.identities),
            doors_are_right(desired, before, mailbox, after),
            logins_are_right(desired, mailbox, after),
            aliases_are_right(desired.aliases, ADA, before, after),
            forwarding_is_right(desired, before, mailbox, after),
            autoreply_is_right(desired, before, mailbox, after),
            all(
                agrees(name, value, mailbox.fields.get(name))
                for name, value in desired.fields.items()
                if name not in {*DOORS, "password_recovery_email"}
            ),
        ]
    )


def doors_are_right(desired: WantedMailbox, before: ObservedPerson, mailbox: Mailbox, after: ObservedPerson) -> bool:
    """Closed means all of them; open means what the policy manages, and otherwise what was there before we closed."""
    doors = {name: mailbox.fields.get(name) for name in DOORS}
    if desired.access is not Access.OPEN:
        return doors == CLOSED_DOORS and (after.sealed or desired.access is Access.SUSPENDED)
    for name, value in doors.items():
        earlier = before.former_doors or (before.mailbox.fields if before.mailbox else {})
        keeps = True if before.sealed and not before.former_doors else earlier.get(name) is not False
        if (value is not False) is not desired.fields.get(name, keeps):
            return False
    return not after.sealed and not after.former_doors


def logins_are_right(desired: WantedMailbox, mailbox: Mailbox, after: ObservedPerson) -> bool:
    """Nobody signs in as an identity of a closed mailbox; of an open one, none stays closed by us."""
    signing_in = [identity for identity in mailbox.identities if identity.password_use != "none"]
    if desired.access is Access.OPEN:
        return not any(after.logins[each.address].is_closed for each in signing_in if each.address in after.logins)
    closed = all(identity.fields.get(name) is False for identity in signing_in for name in DOORS)
    own = [each.address for each in signing_in if each.password_use != "mailbox"]
    sealed = all(each in after.logins and after.logins[each].sealed for each in own)
    return closed and (sealed or desired.access is Access.SUSPENDED)


def aliases_are_right(wanted: frozenset[Address], to: Address, before: ObservedPerson, after: ObservedPerson) -> bool:
    """Each wanted alias names whom it should, unless somebody else's stands there, which nobody touches."""
    found = {alias.address: alias for alias in after.aliases}
    foreign = {alias for alias in before.aliases if alias.address not in before.our_aliases}
    return foreign <= after.aliases and all(
        found[each].destinations == {to} for each in wanted if each not in {alias.address for alias in foreign}
    )


def addresses_are_right(desired: NoMailbox, before: ObservedPerson, after: ObservedPerson) -> bool:
    """Wanted aliases are there and no other of ours; released addresses are held no more."""
    ours = {alias.address for alias in after.aliases if alias.address in after.our_aliases}
    to = desired.to or HR
    return (
        aliases_are_right(desired.aliases, to, before, after)
        and ours <= desired.aliases
        and bool(after.held) is not desired.release
    )


def forwarding_is_right(
    desired: WantedMailbox, before: ObservedPerson, mailbox: Mailbox, after: ObservedPerson
) -> bool:
    """The wanted forwarding is there, the former one of ours is not, and all others are."""
    found = {each.address for each in mailbox.forwardings}
    own = {each.address for each in before.mailbox.forwardings} if before.mailbox else set()
    wanted = {desired.forward_to} if desired.forward_to else set()
    return (
        wanted | (own - {before.forwards_to}) == found - ({before.forwards_to} - wanted)
        and not ({before.forwards_to} - wanted - {None}) & found
    )


def autoreply_is_right(desired: WantedMailbox, before: ObservedPerson, mailbox: Mailbox, after: ObservedPerson) -> bool:
    """A stage's answer is there as long as it is wanted; then the person's own is."""
    wanted = desired.autoreply or before.former_autoreply
    return all(agrees(name, value, mailbox.fields.get(name)) for name, value in wanted.items()) and (
        bool(desired.autoreply) or not after.former_autoreply
    )


def agrees(name: str, value: object, shown: object) -> bool:
    """The host shows the value, in its own words."""
    if shown is None:
        return value is None or value in ({"may_receive": True}.get(name, False), "", ())
    return sorted(shown) == sorted(value) if isinstance(value, tuple) else shown == value


@settings(max_examples=300, deadline=None)
@given(states, observations)
def test_a_plan_leads_to_what_is_desired(desired: PersonState, observed: ObservedPerson) -> None:
    """Whatever is desired and found, the steps leave behind what is desired."""
    after = apply_steps(plan_person(desired, observed).steps, observed)

    assert is_as_desired(desired, observed, after)


@settings(max_examples=300, deadline=None)
@given(states, observations)
def test_planning_again_gives_the_empty_plan(desired: PersonState, observed: ObservedPerson) -> None:
    """What a plan leaves behind needs no second plan."""
    after = apply_steps(plan_person(desired, observed).steps, observed)

    assert plan_person(desired, after).steps == ()


@settings(max_examples=200, deadline=None)
@given(states, observations)
def test_no_plan_contains_a_personal_address_or_a_password(desired: PersonState, observed: ObservedPerson) -> None:
    """A plan can be stored, shown and logged: neither a recovery address nor a password is in it."""
    plan = plan_person(desired, observed)
    shown = [dict(fields) for step in plan.steps for fields in (step.before, step.after)]

    assert HOME not in json.dumps([asdict(step) for step in plan.steps], default=dict) + str(plan.note)
    assert {fields.get("password", RANDOM_PASSWORD) for fields in shown} <= {RANDOM_PASSWORD}


@settings(max_examples=200, deadline=None)
@given(states, observations)
def test_a_hash_is_of_what_is_done_and_not_of_what_was_there(desired: PersonState, observed: ObservedPerson) -> None:
    """The same plan has the same hash, and the values found before do not enter it."""
    plan = plan_person(desired, observed)
    elsewhere = Plan(tuple(replace(step, before={"name": "somebody else"}) for step in plan.steps))

    assert plan_person(desired, observed) == plan
    assert (elsewhere.hash, elsewhere.braked_hash) == (plan.hash, plan.braked_hash)


@settings(max_examples=100, deadline=None)
@given(wanted_mailboxes | no_mailboxes, mailboxes)
def test_a_foreign_mailbox_is_never_touched(desired: PersonState, mailbox: Mailbox) -> None:
    """What we neither made nor adopted gets no step, and the plan says why."""
    plan = plan_person(desired, ObservedPerson(mailbox, ours=False))

    assert plan.steps == ()
    assert "is not ours" in (plan.note or "")


@settings(max_examples=300, deadline=None)
@given(states, observations, st.data())
def test_what_a_stage_does_a_return_takes_back(desired: PersonState, observed: ObservedPerson, data) -> None:
    """Open, then anything that can be undone, then open again: field by field as before, the password apart."""
    if not isinstance(desired, WantedMailbox) or not desired.create:
        return
    employed = replace(desired, access=Access.OPEN, autoreply={}, forward_to=None, credential=Credential.RANDOM)
    before = apply_steps(plan_person(employed, observed).steps, observed)
    stages = data.draw(
        st.builds(
            lambda access, autoreply, forward_to: replace(
                employed,
                access=access,
                autoreply=autoreply,
                forward_to=forward_to,
                identities=frozenset(),
                aliases=frozenset(),
                create=False,
            ),
            st.sampled_from(Access),
            st.just({}) | st.just(REPLY),
            st.none() | st.sampled_from(MANAGERS),
        )
    )
    away = apply_steps(plan_person(stages, before).steps, before)
    back = apply_steps(plan_person(employed, away).steps, away)

    assert as_meant(back.mailbox) == as_meant(before.mailbox)
    assert replace(back, mailbox=None, logins={}) == replace(before, mailbox=None, logins={})
    assert not any(login.is_closed for login in back.logins.values() if login not in before.logins.values())


def as_meant(mailbox: Mailbox | None) -> Mailbox:
    """A mailbox with what the host leaves unsaid of its doors written out: an access flag nobody cleared is on."""
    assert mailbox is not None
    return replace(
        mailbox,
        fields=said(mailbox.fields),
        identities=frozenset(replace(each, fields=said(each.fields)) for each in mailbox.identities),
        forwardings=frozenset(each.address for each in mailbox.forwardings),
    )


def said(fields):
    """Fields without nothings, the doors written out."""
    kept = {name: value for name, value in fields.items() if value not in (None, "", ())}
    return kept | {name: fields.get(name) is not False for name in DOORS}


def test_a_plan_hash_is_the_same_in_every_process() -> None:
    """Approvals name plans by hash, so it may not change between runs or releases."""
    plan = plan_person(wanted(identities=frozenset(OTHERS)), ObservedPerson(None))

    assert plan.hash == "2af82a7bc4e75c07bcad074d8d6e2bdd0688e11db5c009422734c83117604fd0"


def test_an_invitation_says_that_a_personal_address_is_used_and_not_which() -> None:
    """The address stays with the desired state, where the executor finds it."""
    desired = wanted(credential=Credential.INVITATION, recovery=HOME)
    (step,) = plan_person(desired, ObservedPerson(None)).steps

    assert step.after == {
        "name": "Ada Lovelace",
        "password_method": "invitation",
        "password_recovery_email": PERSONAL_ADDRESS,
    }
    assert recovery_of(desired) == HOME
    assert recovery_of(wanted(fields={"password_recovery_email": "it@example.org"})) == "it@example.org"
    assert recovery_of(wanted()) is None


def test_a_random_credential_is_a_placeholder() -> None:
    """Without an invitation the plan asks for a random password, together with what the policy manages."""
    (step,) = plan_person(wanted(fields={"may_access_pop3": False}), ObservedPerson(None)).steps

    assert step.after == {"name": "Ada Lovelace", "may_access_pop3": False, "password": RANDOM_PASSWORD}
    assert step.brake is None


def test_a_mailbox_that_may_not_be_open_is_closed_right_after_it_was_made() -> None:
    """Making comes first, closing second, identities last; nobody is invited to a blocked mailbox."""
    one = frozenset(OTHERS[:1])
    suspended = wanted(access=Access.SUSPENDED, identities=one, credential=Credential.INVITATION)
    blocked = wanted(access=Access.BLOCKED, credential=Credential.INVITATION)

    assert operations(plan_person(suspended, ObservedPerson(None))) == [
        Operation.CREATE_MAILBOX,
        Operation.SUSPEND_MAILBOX,
        Operation.CREATE_IDENTITY,
    ]
    assert operations(plan_person(blocked, ObservedPerson(None))) == [
        Operation.CREATE_MAILBOX,
        Operation.BLOCK_MAILBOX,
    ]
    assert "password_method" not in plan_person(blocked, ObservedPerson(None)).steps[0].after


def test_a_block_goes_before_everything_else() -> None:
    """Whoever must be kept out is kept out before a name or an identity is cared for."""
    desired = wanted(name="Ada King", access=Access.BLOCKED, identities=frozenset(OTHERS[:1]))
    plan = plan_person(desired, found())
    block = plan.steps[0]

    assert operations(plan) == [Operation.BLOCK_MAILBOX, Operation.UPDATE_MAILBOX, Operation.CREATE_IDENTITY]
    assert (block.before, block.after) == (OPEN_DOORS, {**CLOSED_DOORS, "password": RANDOM_PASSWORD})
    assert plan.braked == (block,)


def test_an_immediate_block_has_a_brake_of_its_own() -> None:
    """Immediate revocations are counted apart from planned blocks."""
    planned = plan_person(wanted(access=Access.BLOCKED), found())
    immediate = plan_person(wanted(access=Access.BLOCKED, immediate=True), found())

    assert [step.brake for step in planned.steps + immediate.steps] == [Brake.BLOCK, Brake.IMMEDIATE]


def test_a_block_is_repeated_until_it_is_confirmed_and_every_door_is_closed() -> None:
    """Closed doors alone do not make a block, and a sealed mailbox with a door that reads null is not closed."""
    desired = wanted(access=Access.BLOCKED)

    assert operations(plan_person(desired, found(fields=CLOSED_DOORS))) == [Operation.BLOCK_MAILBOX]
    assert operations(plan_person(desired, found(fields={**CLOSED_DOORS, "may_send": None}, sealed=True))) == [
        Operation.BLOCK_MAILBOX
    ]
    assert plan_person(desired, found(fields=CLOSED_DOORS, sealed=True)) == Plan()


def test_a_suspension_does_not_fight_the_policy_over_doors() -> None:
    """While doors are closed a managed door stays closed, and the other managed fields still follow."""
    desired = wanted(access=Access.SUSPENDED, fields={"may_send": True, "spam_action": "drop"})
    plan = plan_person(desired, found(fields=CLOSED_DOORS, former_doors=OPEN_DOORS))

    assert [(step.operation, step.after) for step in plan.steps] == [
        (Operation.UPDATE_MAILBOX, {"spam_action": "drop"})
    ]


def test_a_blocked_mailbox_that_is_now_to_be_suspended_stays_sealed() -> None:
    """A suspension asks for less than a block gave: nothing is done."""
    assert plan_person(wanted(access=Access.SUSPENDED), found(fields=CLOSED_DOORS, sealed=True)) == Plan()


def test_reopening_gives_back_the_doors_as_they_were() -> None:
    """A door that was closed before the suspension stays closed; the policy has the last word on what it manages."""
    former = {**OPEN_DOORS, "may_access_pop3": False, "may_send": None}
    desired = wanted(fields={"may_access_imap": False})
    plan = plan_person(desired, found(fields=CLOSED_DOORS, former_doors=former))

    assert operations(plan) == [Operation.REOPEN_MAILBOX]
    assert plan.steps[0].after == {**OPEN_DOORS, "may_access_pop3": False, "may_access_imap": False}
    assert plan.note is None


def test_reopening_after_a_block_says_that_a_new_password_is_needed() -> None:
    """The random password is known to nobody, so somebody must set one: the note says so, the plan does not."""
    plan = plan_person(wanted(), found(fields=CLOSED_DOORS, former_doors=OPEN_DOORS, sealed=True))

    assert operations(plan) == [Operation.REOPEN_MAILBOX]
    assert plan.note == (
        "the password was replaced when the mailbox was blocked: set a new one with `mailroster people reset-password`"
    )
    assert "password" not in plan.steps[0].after


def test_what_the_host_shows_in_its_own_words_is_no_difference() -> None:
    """Lists in another order, and null for a flag that is off, cost no call."""
    fields = {"sender_denylist": ("a@b.example", "c@d.example"), "is_internal": False}
    shown = {**OPEN_DOORS, "sender_denylist": ("c@d.example", "a@b.example"), "is_internal": None}

    assert plan_person(wanted(fields=fields), found(fields=shown)) == Plan()


def test_doors_that_we_did_not_close_are_not_opened() -> None:
    """A mailbox somebody closed by hand stays closed while the policy does not manage its doors."""
    assert plan_person(wanted(), found(fields=CLOSED_DOORS)) == Plan()


def test_closing_again_keeps_the_doors_as_they_were_at_first() -> None:
    """A suspension that drifted half open is closed again without forgetting what there was before."""
    observed = found(fields={**CLOSED_DOORS, "may_send": True}, former_doors=OPEN_DOORS)
    after = apply_steps(plan_person(wanted(access=Access.SUSPENDED), observed).steps, observed)

    assert after.former_doors == OPEN_DOORS


def test_a_rename_takes_the_identities_along_and_leaves_foreign_ones_alone() -> None:
    """Identities that are wanted bear the new name, new ones are made first, the person's own keep theirs."""
    king, short, own = OTHERS
    kept = frozenset({Identity(short, "Ada Lovelace"), Identity(own, "The Countess")})
    desired = wanted(name="Ada King", identities=frozenset({king, short, ADA}))
    plan = plan_person(desired, found(identities=kept))

    assert [(step.operation, step.target) for step in plan.steps] == [
        (Operation.UPDATE_MAILBOX, ADA),
        (Operation.CREATE_IDENTITY, king),
        (Operation.UPDATE_IDENTITY, short),
    ]
    assert {step.mailbox for step in plan.steps[1:]} == {ADA}


def test_a_mailbox_is_deleted_with_one_braked_call() -> None:
    """The host deletes identities with their mailbox, so no call is spent on them."""
    plan = plan_person(NoMailbox(), found(identities=frozenset({Identity(OTHERS[0], "Ada")})))

    assert [(step.operation, step.brake) for step in plan.steps] == [(Operation.DELETE_MAILBOX, Brake.DELETE)]
    assert plan_person(NoMailbox(), ObservedPerson(None)) == Plan()


def test_what_must_not_be_made_is_not_made() -> None:
    """Somebody who is leaving keeps the mailbox that is there, and gets none that is not."""
    assert plan_person(wanted(create=False), ObservedPerson(None)) == Plan()


def test_states_that_ask_for_nothing_say_why() -> None:
    """Untouched and missing give an empty plan that carries their reason."""
    assert plan_person(Missing("no personal address"), found()) == Plan(note="no personal address")


def test_a_step_that_does_not_fit_is_refused() -> None:
    """A plan that is applied to something else is an error, not a silent nothing."""
    steps = plan_person(wanted(name="Ada King"), found()).steps

    with pytest.raises(MisplacedStep, match="needs a mailbox"):
        apply_steps(steps, ObservedPerson(None))
    with pytest.raises(MisplacedStep, match="does not fit a mailbox"):
        apply_steps(plan_person(wanted(), ObservedPerson(None)).steps, found())
