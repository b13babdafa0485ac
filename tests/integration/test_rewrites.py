"""Rewrites, end to end: made, changed, handed to a fallback and deleted as the policy and the roster say."""

import pytest

from tests.integration.office import MONDAY, Office
from tests.integration.test_lanes import Killed, When, _die, _interrupt
from worker.execution import sweep_once
from worker.execution.preview import OfEverybody, OfPerson, preview
from worker.store import people
from worker.store.states import JobState
from worker.store.tables import AddressRow
from worker.web.person_objects import person_detail

HOUSE = """
[organisation]
domain = "example.org"
timezone = "UTC"
"""
SUPPORT = """
[[rewrites]]
name = "support"
local_part_rule = "support-*"
members = { department = "Support" }
"""
FALLBACK = 'fallback = "desk"\n'
INDEX, PLACE = "rewrites", "rewrites/support"


@pytest.fixture
def office(office: Office) -> Office:
    """A deployment whose policy has one rewrite."""
    office.activate(HOUSE + SUPPORT)
    return office


def _ledger(office: Office) -> AddressRow | None:
    with office.database.read() as session:
        return session.query(AddressRow).filter_by(address="rewrite:support@example.org", held_to=None).one_or_none()


def test_a_rewrite_is_made_with_its_members_in_one_call(office: Office) -> None:
    """It is written once, when all members of a morning have their mailboxes."""
    for number, name in enumerate(("Ada Lovelace", "Grace Hopper", "Alan Turing"), 1):
        office.join(f"E{number}", name, department="Support")
    office.drain()

    assert office.rewrites() == {"support": ("support-*", {"ada.lovelace", "grace.hopper", "alan.turing"})}
    assert [call for call in office.writes() if "rewrites" in call[1]] == [("POST", INDEX)]
    assert office.outstanding() == []
    assert (_ledger(office).role, _ledger(office).provenance) == ("rewrite", "created")


def test_a_rewrite_follows_its_members(office: Office) -> None:
    """Who moves is taken off and put on; an update sends nothing but what differs."""
    office.employ("Ada Lovelace", "Grace Hopper", department="Support")
    office.tell("updated", "E1", department="Sales")
    office.drain()

    assert office.rewrites() == {"support": ("support-*", {"grace.hopper"})}
    assert office.bodies("PUT", PLACE) == [{"destinations": "grace.hopper@example.org"}]


def test_a_rewrite_without_members_is_deleted_and_its_name_stays_ours(office: Office) -> None:
    """The host refuses an empty list; the next member brings it back."""
    office.employ("Ada Lovelace", department="Support")
    office.tell("updated", "E1", department="Sales")
    office.drain()
    assert office.rewrites() == {}
    assert _ledger(office).provenance == "reserved"

    office.tell("updated", "E1", department="Support", time=MONDAY.replace(hour=10))
    office.drain()

    assert office.rewrites() == {"support": ("support-*", {"ada.lovelace"})}


def test_a_rewrite_without_members_goes_to_its_fallback(office: Office) -> None:
    """From the day the policy names it, and again when the last member leaves."""
    office.activate(HOUSE + SUPPORT + FALLBACK)
    office.drain()
    assert office.rewrites() == {"support": ("support-*", {"desk"})}

    office.employ("Ada Lovelace", department="Support")
    assert office.rewrites() == {"support": ("support-*", {"ada.lovelace"})}
    office.tell("left", "E1")
    office.drain()

    assert office.rewrites() == {"support": ("support-*", {"desk"})}
    assert not office.doors("ada.lovelace")["send"]


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        ('"support-*"', '"help-*"', {"local_part_rule": "help-*"}),
        ("members", "order = 5\nmembers", {"order_num": 5}),
    ],
)
def test_a_changed_rule_or_order_is_written_although_nobody_changes(
    office: Office, before: str, after: str, sent: dict[str, object]
) -> None:
    """Activating the policy is enough, and only what differs is sent."""
    office.employ("Ada Lovelace", department="Support")
    office.activate(HOUSE + SUPPORT.replace(before, after))
    office.drain()

    assert office.bodies("PUT", PLACE) == [sent]
    assert office.rewrites()["support"][1] == {"ada.lovelace"}


def test_a_renamed_rewrite_is_made_anew_and_the_old_one_goes(office: Office) -> None:
    """Names are keys: what bears the old name and was made here is deleted."""
    office.employ("Ada Lovelace", department="Support")
    office.activate(HOUSE + SUPPORT.replace('"support"', '"help"'))
    office.drain()

    assert office.rewrites() == {"help": ("support-*", {"ada.lovelace"})}
    assert office.outstanding() == []


def test_a_rewrite_that_the_policy_drops_is_deleted_and_a_foreign_one_never(office: Office) -> None:
    """Also where it had a fallback and no member, so that nobody changes; what is not ours stays."""
    office.host("POST", INDEX, name="theirs", local_part_rule="x-*", destinations="boss@example.org")
    office.activate(HOUSE + SUPPORT + FALLBACK + SUPPORT.replace('"support"', '"theirs"').replace("support-", "y-"))
    office.drain()
    office.activate(HOUSE)
    office.drain()

    assert office.rewrites() == {"theirs": ("x-*", {"boss"})}
    assert office.outstanding() == []


def test_a_foreign_rewrite_of_the_name_holds_the_job(office: Office) -> None:
    """What we did not make we do not change; once it is gone there, the job goes on."""
    office.host("POST", INDEX, name="support", local_part_rule="x-*", destinations="boss@example.org")
    office.employ("Ada Lovelace", department="Support")

    assert office.rewrites() == {"support": ("x-*", {"boss"})}
    ((kind, state, reason),) = office.outstanding()
    assert (kind, state) == ("rewrite", "held")
    assert reason is not None
    assert reason.startswith("rewrite support@example.org exists already and was not made here: delete it there, or ")

    office.host("DELETE", PLACE)
    office.join("E2", "Grace Hopper", department="Support")
    office.drain()
    assert office.rewrites() == {"support": ("support-*", {"ada.lovelace", "grace.hopper"})}


def test_a_rewrite_may_be_called_like_a_group(office: Office) -> None:
    """Each has its own job, members and provenance."""
    office.activate(HOUSE + '[[groups]]\naddress = "support"\nmembers = { department = "Sales" }\n' + SUPPORT)
    office.employ("Ada Lovelace", department="Support")
    office.join("E2", "Grace Hopper", department="Sales")
    office.drain()

    assert office.rewrites() == {"support": ("support-*", {"ada.lovelace"})}
    assert office.aliases() == {"support": {"grace.hopper"}}


@pytest.mark.parametrize("fault", ["drop-after-apply", "502-after-apply", "drop-before-apply"])
def test_a_creation_without_an_answer_is_read_back(office: Office, fault: str) -> None:
    """Whether the host obeyed or not, there is one rewrite, and it is known to be ours."""
    office.fail({"match": {"method": "POST", "path": "/v1/domains/*/rewrites"}, "times": 1, "fault": fault})
    office.employ("Ada Lovelace", department="Support")
    for _ in range(5):
        office.work_on(MONDAY - MONDAY.replace(hour=8))

    assert office.rewrites() == {"support": ("support-*", {"ada.lovelace"})}
    assert office.outstanding() == []
    assert _ledger(office).provenance == "created"


@pytest.mark.parametrize("fault", ["500-after-apply", "500-before-apply"])
def test_a_deletion_that_ends_in_an_error_is_read_back(office: Office, fault: str) -> None:
    """The host may delete and answer 500 all the same (`migadu-behaviour.md` 2.3)."""
    office.employ("Ada Lovelace", department="Support")
    office.fail({"match": {"method": "DELETE", "path": "/v1/domains/*/rewrites/*"}, "times": 1, "fault": fault})
    office.tell("updated", "E1", department="Sales")
    office.drain()
    office.work_on(MONDAY - MONDAY.replace(hour=8))

    assert office.rewrites() == {}
    assert office.outstanding() == []


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("operation", ["create-rewrite", "update-rewrite", "delete-rewrite"])
def test_another_worker_finishes_what_a_dead_one_began(office: Office, operation: str, *, is_after: bool) -> None:
    """Nothing is done twice, whether the call had arrived or not."""
    if operation != "create-rewrite":
        office.employ("Ada Lovelace", department="Support")
    if operation == "delete-rewrite":
        office.tell("updated", "E1", department="Sales")
    else:
        office.join("E2", "Grace Hopper", department="Support")
    second = office.colleague()
    _interrupt(office, operation, _die, When.AFTER if is_after else When.BEFORE)
    with pytest.raises(Killed):
        office.drain()

    office.execution = second
    office.let_leases_run_out()
    sweep_once(second, 4)
    office.drain()
    office.work_on(MONDAY - MONDAY.replace(hour=8))

    wanted = {"create-rewrite": {"grace.hopper"}, "update-rewrite": {"ada.lovelace", "grace.hopper"}}
    assert {name: members for name, (_, members) in office.rewrites().items()} == (
        {"support": wanted[operation]} if operation in wanted else {}
    )
    assert len([call for call in office.ledger() if call == (operation, "confirmed")]) == 1
    assert office.outstanding() == []


def test_a_job_on_a_rewrite_that_drifted_repairs_it(office: Office) -> None:
    """What another hand changed or deleted is as it should be after the next change of members."""
    office.employ("Ada Lovelace", department="Support")
    office.host("PUT", PLACE, local_part_rule="other-*")
    office.join("E2", "Grace Hopper", department="Support")
    office.drain()
    assert office.rewrites() == {"support": ("support-*", {"ada.lovelace", "grace.hopper"})}

    office.host("DELETE", PLACE)
    office.tell("updated", "E2", department="Sales")
    office.drain()
    assert office.rewrites() == {"support": ("support-*", {"ada.lovelace"})}


def test_a_preview_shows_the_calls_on_rewrites(office: Office) -> None:
    """For a joiner, and for everybody under a policy that is not active yet."""
    office.join("E1", "Ada Lovelace", department="Support")
    office.apply_all()
    office.run_all()
    office.apply_all()
    shown = preview(office.execution, office.intake, OfPerson(1))
    assert [(each.kind.value, each.name) for each in shown.subjects] == [
        ("person", "Ada Lovelace"),
        ("rewrite", "rewrite support@example.org"),
    ]
    assert [step.operation.value for step in shown.subjects[1].plan.steps] == ["create-rewrite"]
    office.drain()

    under_another = preview(
        office.execution, office.intake, OfEverybody(), HOUSE + SUPPORT.replace('"support-*"', '"help-*"')
    )
    changed = [each for each in under_another.subjects if each.plan.steps]
    assert [dict(step.after) for each in changed for step in each.plan.steps] == [{"local_part_rule": "help-*"}]
    assert [job.state for job in office.jobs() if job.finished_at is None] == []
    assert all(job.state is JobState.DONE for job in office.jobs())


def test_a_person_is_shown_with_groups_and_rewrites_apart(office: Office) -> None:
    """What people and programs read of a membership is a name, and not the key that we keep."""
    office.activate(HOUSE + '[[groups]]\naddress = "support"\nmembers = {}\n' + SUPPORT)
    office.employ("Ada Lovelace", department="Support")
    with office.database.read() as session:
        shown = person_detail(session, people.get(session, 1), office.execution.precedence, personal=False)

    assert (shown["groups"], shown["rewrites"]) == (["support@example.org"], ["support@example.org"])
