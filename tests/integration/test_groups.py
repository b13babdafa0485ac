"""Groups, end to end: who may write, what a policy changes of a list, and in which order people come and go."""

from datetime import timedelta

import pytest

from tests.integration.office import Office
from tests.integration.test_lanes import When, _interrupt
from worker.execution import sweep_once
from worker.intake import apply_next
from worker.planning.urgency import Urgency
from worker.store import addresses
from worker.store.states import JobState

HOUSE = """
[organisation]
domain = "example.org"
timezone = "UTC"
"""
TEAM = """
[[groups]]
address = "team"
members = { department = "Team" }
"""
REWRITE = """
[[rewrites]]
name = "team"
local_part_rule = "team-*"
members = { department = "Team" }
"""
SECOND = timedelta(seconds=1)


def _is_internal(office: Office, local_part: str) -> bool:
    (alias,) = [each for each in office._domain()["aliases"] if each["local_part"] == local_part]
    return bool(alias["is_internal"])


# Who may write.


def test_an_internal_list_is_made_so_and_kept_so(office: Office) -> None:
    """Colleagues alone may write to it from the first moment, and again after another hand opened it."""
    office.activate(HOUSE + TEAM + "internal = true\n")
    office.employ("Ada Lovelace", department="Team")
    (made,) = office.bodies("POST", "aliases")
    assert made["is_internal"] is True

    office.host("PUT", "aliases/team", is_internal=False)
    office.join("E2", "Grace Hopper", department="Team")
    office.drain()

    assert _is_internal(office, "team")
    assert office.aliases() == {"team": {"ada.lovelace", "grace.hopper"}}


def test_a_list_is_opened_and_closed_by_the_policy_alone(office: Office) -> None:
    """Activating is enough, and nothing but the flag is sent."""
    office.activate(HOUSE + TEAM)
    office.employ("Ada Lovelace", department="Team")
    for said in ("true", "false"):
        office.activate(HOUSE + TEAM + f"internal = {said}\n")
        office.drain()
        assert _is_internal(office, "team") is (said == "true")

    assert office.bodies("PUT", "aliases/team") == [{"is_internal": True}, {"is_internal": False}]


def test_what_the_policy_does_not_say_stays_as_it_is_at_the_host(office: Office) -> None:
    """A list that somebody made internal by hand is not opened by a change of its members."""
    office.activate(HOUSE + TEAM)
    office.employ("Ada Lovelace", department="Team")
    office.host("PUT", "aliases/team", is_internal=True)
    office.join("E2", "Grace Hopper", department="Team")
    office.drain()

    assert _is_internal(office, "team")


# What a policy changes of a list.


def test_a_list_that_the_policy_drops_is_deleted_although_nobody_changes(office: Office) -> None:
    """It had its fallback and no member, so no evaluation of a person would touch it."""
    office.activate(HOUSE + TEAM + 'fallback = "desk"\n')
    office.drain()
    assert office.aliases() == {"team": {"desk"}}

    office.activate(HOUSE)
    office.drain()

    assert office.aliases() == {}
    assert office.outstanding() == []


def test_a_foreign_alias_stays_whatever_the_policy_says(office: Office) -> None:
    """It holds the job while the policy names it, and nothing holds any more when it does not."""
    office.seed(aliases=({"local_part": "team", "destinations": ["boss@example.org"]},))
    office.activate(HOUSE + TEAM + 'fallback = "desk"\n')
    office.employ("Ada Lovelace", department="Team")
    ((kind, state, _),) = office.outstanding()
    assert (kind, state) == ("shared", "held")

    office.activate(HOUSE)
    office.drain()

    assert office.aliases() == {"team": {"boss"}}
    assert office.outstanding() == []


def test_a_renamed_list_is_made_anew_and_the_old_one_goes(office: Office) -> None:
    """And the old address stays ours: nobody is given it."""
    office.activate(HOUSE + TEAM)
    office.employ("Ada Lovelace", department="Team")
    office.activate(HOUSE + TEAM.replace('"team"', '"crew"'))
    office.drain()
    office.join("E2", "Team", department="Sales")
    office.drain()

    assert office.aliases() == {"crew": {"ada.lovelace"}}
    assert "team" not in office.mailboxes()
    with office.database.read() as session:
        kept = addresses.held(session, "team@example.org")
        assert kept is not None
        assert (kept.role, kept.provenance) == ("shared", "reserved")


@pytest.mark.parametrize("said", ["", 'fallback = "desk"\n'])
def test_the_last_member_leaves(office: Office, said: str) -> None:
    """The fallback takes over; without one the address goes and stays reserved for the next member."""
    office.activate(HOUSE + TEAM + said)
    office.employ("Ada Lovelace", department="Team")
    office.tell("left", "E1")
    office.drain()
    assert office.aliases() == ({"team": {"desk"}} if said else {})

    office.join("E2", "Grace Hopper", department="Team")
    office.drain()
    assert office.aliases() == {"team": {"grace.hopper"}}


def test_a_changed_fallback_is_written_where_it_counts(office: Office) -> None:
    """A list with members is looked at and left alone."""
    office.activate(HOUSE + TEAM + 'fallback = "desk"\n')
    office.drain()
    office.activate(HOUSE + TEAM + 'fallback = "hr"\n')
    office.drain()
    assert office.aliases() == {"team": {"hr"}}

    office.employ("Ada Lovelace", department="Team")
    writes = len(office.writes())
    office.activate(HOUSE + TEAM + 'fallback = "boss"\n')
    office.drain()

    assert office.aliases() == {"team": {"ada.lovelace"}}
    assert len(office.writes()) == writes


def test_going_back_to_a_policy_brings_its_lists_back(office: Office) -> None:
    """Two changes of the policy in a row end in what the last one says, whatever was done in between."""
    office.activate(HOUSE + TEAM + 'fallback = "desk"\n')
    office.drain()
    office.activate(HOUSE)
    office.activate(HOUSE + TEAM + 'fallback = "desk"\n')
    office.drain()
    assert office.aliases() == {"team": {"desk"}}

    office.activate(HOUSE)
    office.drain()
    office.activate(HOUSE + TEAM + 'fallback = "desk"\n')
    office.drain()
    assert office.aliases() == {"team": {"desk"}}


def test_a_list_waits_until_everybody_was_asked_under_a_new_policy(office: Office) -> None:
    """However slowly people are evaluated, a list is written once, and a revocation does not wait."""
    office.activate(HOUSE + TEAM)
    office.employ(*(f"Ada {letter}" for letter in "ABCD"), department="Team", location="Berlin")
    writes = len(office.writes())
    office.activate(HOUSE + TEAM.replace('department = "Team"', 'location = "Paris"') + 'fallback = "desk"\n')
    for _ in range(2):
        apply_next(office.intake)
        office.run_all()
        office.move(15 * SECOND)
    assert len(office.writes()) == writes
    ((kind, state, reason),) = office.outstanding()
    assert (kind, state, reason) == ("shared", "waiting", "waits until everybody is evaluated under the active policy")

    office.drain()
    office.move(15 * SECOND)
    office.drain()

    assert office.writes()[writes:] == [("PUT", "aliases/team")]
    assert office.aliases() == {"team": {"desk"}}


# Who comes and goes.


@pytest.mark.parametrize(("department", "to"), [("Engineering", "Support"), ("Support", "Engineering")])
def test_what_is_gained_is_written_before_what_is_lost(office: Office, department: str, to: str) -> None:
    """Whatever the addresses are called, nobody is for a while on neither list."""
    office.employ("Ada Lovelace", "Grace Hopper", "Alan Turing", department=department)
    office.join("E4", "Emmy Noether", department=to)
    office.drain()
    before = len(office.writes())
    office.tell("updated", "E1", department=to)
    office.drain()

    assert office.writes()[before:] == [("PUT", f"aliases/{to.lower()}"), ("PUT", f"aliases/{department.lower()}")]


def test_a_departure_is_not_delayed_by_other_moves(office: Office) -> None:
    """Whoever leaves is off the lists before what others gained is written."""
    office.employ("Ada Lovelace", "Grace Hopper", department="Engineering")
    office.join("E3", "Alan Turing", department="Support")
    office.drain()
    before = len(office.writes())
    office.tell("updated", "E2", department="Support")
    office.tell("left", "E3")
    office.apply_all()
    shared = [job for job in office.jobs() if job.finished_at is None and job.subject_kind == "shared"]
    assert {job.subject_key: job.urgency for job in shared} == {
        "engineering@example.org": Urgency.CHANGE,
        "support@example.org": Urgency.REVOCATION,
    }
    office.run_all()

    first, second, *_ = office.writes()[before:]
    assert first == ("PUT", "mailboxes/alan.turing")
    assert second == ("PUT", "aliases/support")
    assert office.aliases() == {"engineering": {"ada.lovelace"}, "support": {"grace.hopper"}}


def test_the_identity_system_says_who_is_in_which_group(office: Office) -> None:
    """`groups` is a fact like others, stated by another source, with globs, negation and any."""
    office.activate(
        HOUSE
        + '[[groups]]\naddress = "chess"\nmembers = { groups = "chess-*", not = { userType = "guest" } }\n'
        + '[[groups]]\naddress = "players"\nmembers = { any = [{ groups = "chess-*" }, { groups = ["go"] }] }\n'
    )
    for number, name in enumerate(("Ada Lovelace", "Grace Hopper", "Alan Turing"), 1):
        office.join(f"E{number}", name, employeeNumber=f"N{number}")
    office.drain()
    office.tell("updated", "u1", source="it", employeeNumber="N1", groups=["staff", "chess-berlin"])
    office.tell("updated", "u2", source="it", employeeNumber="N2", groups=["chess-paris"], userType="guest")
    office.tell("updated", "u3", source="it", employeeNumber="N3", groups=["go"])
    office.drain()
    assert office.aliases() == {
        "chess": {"ada.lovelace"},
        "players": {"ada.lovelace", "grace.hopper", "alan.turing"},
    }

    office.move(SECOND)
    office.tell("updated", "u1", source="it", groups=["staff"])
    office.drain()
    assert office.aliases() == {"players": {"grace.hopper", "alan.turing"}}


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("operation", ["update-alias", "update-rewrite"])
def test_no_worker_overwrites_the_members_that_another_wrote(office: Office, operation: str, *, is_after: bool) -> None:
    """A worker that slept through its lease in the middle of a call loses: the newer list is the one that stands."""
    office.activate(HOUSE + TEAM + REWRITE)
    office.employ("Ada Lovelace", department="Team")
    second = office.colleague()
    office.join("E2", "Grace Hopper", department="Team")
    office.apply_all()

    def take_over() -> None:
        office.let_leases_run_out()
        sweep_once(second, 4)
        office.join("E3", "Alan Turing", department="Team")
        office.apply_all()
        office.run_all(second)
        for _ in range(4):
            office.move(timedelta(minutes=1))
            office.apply_all()
            office.run_all(second)

    _interrupt(office, operation, take_over, When.AFTER if is_after else When.BEFORE)
    office.drain()
    office.work_on(timedelta(minutes=10))

    everybody = {"ada.lovelace", "grace.hopper", "alan.turing"}
    assert office.aliases() == {"team": everybody}
    assert office.rewrites() == {"team": ("team-*", everybody)}
    assert office.outstanding() == []


def test_members_that_change_while_a_list_is_written_are_written_after_it(office: Office) -> None:
    """The job of a list is the list's alone, so the last word is the newest."""
    office.activate(HOUSE + TEAM + REWRITE)
    office.employ("Ada Lovelace", "Grace Hopper", department="Team")

    def leave() -> None:
        office.tell("left", "E1")
        office.apply_all()

    office.join("E3", "Alan Turing", department="Team")
    _interrupt(office, "update-alias", leave, When.AFTER)
    office.drain()

    assert office.aliases() == {"team": {"grace.hopper", "alan.turing"}}
    assert office.rewrites() == {"team": ("team-*", {"grace.hopper", "alan.turing"})}
    assert all(job.state is JobState.DONE for job in office.jobs())


ELSEWHERE = '[[domains]]\nname = "example.fr"\npeople = { country = "FR" }\n'


def test_members_of_another_domain_are_left_out_and_counted(office: Office) -> None:
    """The rest is written and the job says how many; where nobody is left it is held until the next change."""
    office.seed_domains("example.org", "example.fr")
    office.activate(HOUSE + ELSEWHERE + TEAM)
    office.join("E1", "Ada Lovelace", department="Team", country="FR")
    office.drain()
    ((kind, state, reason),) = office.outstanding()
    assert (kind, state) == ("shared", "held")
    assert reason is not None
    assert reason.startswith("nobody gets its mail, and it has no fallback: 1 member is left out")
    assert office.aliases() == {}

    office.join("E2", "Grace Hopper", department="Team")
    office.drain()

    assert office.aliases() == {"team": {"grace.hopper"}}
    assert office.outstanding() == []
    said = "1 member is left out: the mail host hands mail of example.org only to mailboxes of example.org"
    assert office.job_on("team").reason == said
