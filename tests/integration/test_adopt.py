"""Adopting an organisation that has mailboxes already, and the jobs that follow; what nobody confirmed stays."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.integration.office import MONDAY, ON_POSTGRESQL, POLICY, Office
from worker.execution.adopt import Adopter, TableChanged, adopt, apply_waiting, look_around, look_over, release
from worker.execution.adoption_table import AdoptionRefused, Asked, Survey
from worker.mail import Address
from worker.planning.adoption import Standing
from worker.policy import load_policy
from worker.store import audit
from worker.store.states import JobState
from worker.store.tables import AddressRow, AuditRow
from worker.store.views import everybody, person_view

DOMAIN = "example.org"
PERSONA = {"local_part": "countess", "name": "The Countess"}
ADA = {
    "local_part": "ada",
    "name": "A. Lovelace",
    "password_recovery_email": "e1@home.example",
    "identities": [PERSONA],
    "spam_action": "drop",
    "may_access_pop3": False,
}
BOB = {"local_part": "bob.builder", "name": "Builder, Bob", "footer_active": True, "footer_plain_body": "Bob"}
LAGER = {"local_part": "lager", "name": "Lager", "autorespond_active": True, "autorespond_subject": "closed"}
SMITH = {"local_part": "john.smith", "name": "John Smith"}
ADMIN = {"local_part": "admin", "name": "Ada Lovelace", "password_recovery_email": "e1@home.example"}
ENGINEERS = {"local_part": "engineering", "destinations": ["lager@example.org", "ada@example.org"]}
SALES = {"local_part": "sales", "destinations": ["lager@example.org"]}
BOXES = (ADA, BOB, LAGER, SMITH, ADMIN)


def found_company(office: Office, *boxes: Mapping[str, Any], people: bool = True) -> None:
    """Load the host with what was there before us, and tell of the people: Ada, Bob, two John Smiths and Eve."""
    office.seed(mailboxes=boxes or BOXES, aliases=(ENGINEERS, SALES))
    if people:
        office.join("E1", "Ada Lovelace", department="Engineering")
        office.join("E2", "Bob Builder", department="Engineering")
        office.join("E3", "John Smith")
        office.join("E4", "John Smith")
        office.join("E5", "Eve Moneypenny", department="Support")


def adopter(office: Office, policy: str = POLICY) -> Adopter:
    """Return who adopts here."""
    return Adopter(office.execution, office.intake, load_policy(policy), "cli:root")


def look(office: Office, policy: str = POLICY, **more: Any) -> Survey:
    """Return the table."""
    who = adopter(office, policy)
    apply_waiting(office.intake)
    asked = Asked((DOMAIN,), **more)
    return look_over(who, look_around(office.execution, asked.domains), asked)


def take(office: Office, table: str | None = None, policy: str = POLICY, **more: Any) -> Survey:
    """Take over what the table shows."""
    who, asked = adopter(office, policy), Asked((DOMAIN,), **more)
    apply_waiting(office.intake)
    seen = look_around(office.execution, asked.domains)
    return adopt(who, seen, asked, table or look_over(who, seen, asked).hash)


def shown(survey: Survey) -> dict[str, tuple[str, int | None, int]]:
    """Return standing, person and score by local part."""
    return {
        line.proposal.address.partition("@")[0]: (
            line.proposal.standing.value,
            line.proposal.person,
            line.proposal.score,
        )
        for line in survey.mailboxes
    }


def ledger(office: Office) -> dict[str, tuple[str, str, int | None]]:
    """Return (role, provenance, person) of the addresses that are held, by local part."""
    with office.database.read() as session:
        rows = session.query(AddressRow).filter(AddressRow.held_to.is_(None)).all()
    return {row.address.partition("@")[0]: (row.role, row.provenance, row.person_id) for row in rows}


def at(local: str) -> Address:
    """Return a full address."""
    return Address(f"{local}@{DOMAIN}")


def whole_state(office: Office) -> str:
    """Return all that the host holds, to the byte."""
    return json.dumps(office._domain(), sort_keys=True)


def box_state(office: Office, local: str) -> str:
    """Return all that the host holds of one mailbox, to the byte."""
    return json.dumps(office.mailboxes()[local], sort_keys=True)


def test_a_look_shows_every_mailbox_and_changes_nothing(office: Office) -> None:
    """Matched by recovery address, by address and name; undecided for namesakes; nobody's; no protected ones."""
    found_company(office)
    before = whole_state(office)

    found = look(office)

    assert shown(found) == {
        "ada": ("matched", 1, 70),
        "bob.builder": ("matched", 2, 75),
        "john.smith": ("undecided", None, 75),
        "lager": ("nobody's", None, 0),
    }
    assert {line.proposal.address: line.identities for line in found.selected}[at("ada")] == {at("countess")}
    assert [found.names[key] for key in found.without] == ["John Smith", "John Smith", "Eve Moneypenny"]
    assert found.undecided == 1
    assert "home.example" not in str(found)
    assert whole_state(office) == before
    assert office.writes() == []
    assert ledger(office) == {}


def test_groups_that_exist_are_shown_with_the_members_they_have_and_would_have(office: Office) -> None:
    """The difference is a plan; an alias that no group of the policy names is not shown."""
    found_company(office)

    (line,) = look(office).aliases

    assert line.address == at("engineering")
    assert line.has == {at("lager"), at("ada")}
    assert line.would_have == {at("ada"), at("bob.builder")}
    assert [step.operation.value for step in line.plan.steps] == ["update-alias"]
    assert line.selected


def test_what_is_taken_over_is_worked_on_and_the_rest_stays_to_the_byte(office: Office) -> None:
    """Names and groups follow the roster, addresses and personas stay, and foreign mailboxes are as they were."""
    found_company(office)
    untouched = {local: box_state(office, local) for local in ("lager", "john.smith", "admin")}
    before = whole_state(office)

    table = look(office)
    take(office, table.hash)

    assert whole_state(office) == before, "adoption itself writes nothing"
    assert ledger(office)["ada"] == ("primary", "adopted", 1)
    assert ledger(office)["countess"] == ("identity", "adopted", 1)
    assert ledger(office)["engineering"] == ("shared", "adopted", None)
    assert ledger(office)["lager"] == ("foreign", "foreign", None)

    office.drain()

    assert office.mailboxes()["ada"]["name"] == "Ada Lovelace"
    assert office.mailboxes()["ada"]["spam_action"] == "drop"
    assert office.mailboxes()["ada"]["may_access_pop3"] is False
    assert office.mailboxes()["ada"]["identities"][0]["name"] == "The Countess"
    assert office.identities("ada") == {"countess"}
    assert office.mailboxes()["bob.builder"]["footer_plain_body"] == "Bob"
    assert office.identities("bob.builder") == set()
    assert office.aliases()["engineering"] == {"ada", "bob.builder"}
    assert office.aliases()["sales"] == {"lager"}
    assert {local: box_state(office, local) for local in untouched} == untouched
    assert set(office.mailboxes()) == {"ada", "bob.builder", "lager", "john.smith", "admin", "eve.moneypenny"}
    assert [path for _, path in office.calls("DELETE")] == []
    held = [(kind, reason) for kind, state, reason in office.outstanding() if state == "held"]
    assert [kind for kind, _ in held] == ["person", "person"]
    assert all("john.smith@example.org exists already" in str(reason) for _, reason in held)


def test_the_evidence_says_who_when_and_why_and_nothing_personal(office: Office) -> None:
    """Each adoption is an act in the audit and belongs to a job."""
    found_company(office)
    table = look(office)
    take(office, table.hash)

    with office.database.read() as session:
        acts = [act for act in audit.latest_acts(session) if act.act == "mailbox.adopt"]
        said = json.dumps([dict(act.detail) for act in acts])
        rows = {row.id: row for row in session.query(AddressRow).all()}

    assert {(act.target, act.actor, act.at) for act in acts} == {
        ("person 1", "cli:root", MONDAY),
        ("person 2", "cli:root", MONDAY),
    }
    ada = next(act for act in acts if act.target == "person 1")
    assert (ada.detail["score"], ada.detail["reason"]) == (70, "its recovery address is this person's own")
    assert ada.detail["table"] == table.hash
    assert rows[ada.detail["address"]].job_id == ada.detail["job"]
    assert rows[ada.detail["address"]].exists_since == MONDAY
    assert "home.example" not in said
    assert "ovelace" not in said


def test_who_was_held_because_the_address_exists_goes_on_after_the_adoption(office: Office) -> None:
    """The worker ran first and stopped at what exists; the adoption lets the held job go on by itself."""
    found_company(office, BOB, people=False)
    office.join("E2", "Bob Builder", department="Engineering")
    office.drain()
    assert "exists already" in str(office.job_of(1).reason)

    take(office, look(office).hash)
    office.drain()

    assert office.job_of(1).state is JobState.DONE
    assert office.mailboxes()["bob.builder"]["name"] == "Bob Builder"
    assert office.aliases()["engineering"] == {"bob.builder"}
    assert set(office.mailboxes()) == {"bob.builder"}


def test_a_record_that_waits_for_an_adopted_address_is_linked(office: Office) -> None:
    """Who knows somebody by the address of their mailbox alone finds them once that mailbox is theirs."""
    found_company(office)
    office.tell("updated", "laptop", source="it", workEmail="ada@example.org", department="Support")
    take(office)
    office.drain()

    assert [row.person_id for row in office.events() if row.subject == "laptop"] == [1]
    assert [row.line_due_at for row in office.people()] == [None] * 5


def test_a_promised_address_is_given_up_for_the_mailbox_that_exists(office: Office) -> None:
    """In a dry run a person was promised an address; with their mailbox adopted it is free for others again."""
    found_company(office, ADA, people=False)
    office.join("E1", "Ada Lovelace")
    office.execution = office.colleague(dry_run=True)
    office.drain()
    assert ledger(office)["ada.lovelace"] == ("primary", "reserved", 1)

    take(office, look(office).hash)
    office.execution = office.colleague(dry_run=False)
    office.drain()

    assert "ada.lovelace" not in ledger(office)
    assert set(office.mailboxes()) == {"ada"}
    assert office.mailboxes()["ada"]["name"] == "Ada Lovelace"


def test_an_adopted_address_stays_until_the_name_changes(office: Office) -> None:
    """The patterns would not give it, and no identity comes of that; a new name brings one, and the old name none."""
    found_company(office, ADA, people=False)
    office.join("E1", "Ada Lovelace")
    take(office, look(office).hash)
    office.drain()
    office.tell("updated", "E1", department="Support")
    office.drain()
    assert office.identities("ada") == {"countess"}

    office.tell("renamed", "E1", familyName="King")
    office.drain()
    renamed = office.identities("ada")
    office.tell("renamed", "E1", familyName="Lovelace")
    office.drain()

    assert renamed == {"countess", "ada.king"}
    assert office.identities("ada") == {"countess", "ada.king"}
    assert office.mailboxes()["ada"]["name"] == "Ada Lovelace"


def test_an_adopted_mailbox_of_somebody_who_left_goes_the_way_of_a_departure(office: Office) -> None:
    """It is blocked by the job that follows, and deleted no sooner than the policy says; the brakes count it."""
    found_company(office, ADA, BOB, people=False)
    office.join("E1", "Ada Lovelace")
    office.join("E2", "Bob Builder")
    office.tell("left", "E2", lastWorkingDay="2026-02-20")
    table = look(office)
    line = next(line for line in table.selected if line.proposal.person == 2)
    assert (line.phase, line.plan.steps[0].operation.value) == ("left", "block-mailbox")

    take(office, table.hash)
    office.drain()

    assert set(office.doors("bob.builder").values()) == {False}
    assert "bob.builder" in office.mailboxes()


def test_a_table_that_changed_is_not_taken_over(office: Office) -> None:
    """A mailbox more, another name, another score: whatever changed, it must be looked at again; nothing is taken."""
    found_company(office)
    table = look(office)
    office.host("POST", "mailboxes", local_part="eve.moneypenny", name="Eve Moneypenny", password="Sup3r_s3cr3T")

    with pytest.raises(TableChanged):
        take(office, table.hash)

    assert ledger(office) == {}
    assert look(office).hash != table.hash
    assert office.total(AuditRow) == 0


def test_a_decision_by_hand_takes_what_is_ambiguous(office: Office) -> None:
    """Who decides says whose it is; the other namesake gets the next name."""
    found_company(office)

    found = take(office, by_hand={at("john.smith"): 4})
    office.drain()

    assert shown(found)["john.smith"] == ("decided", 4, 75)
    assert ledger(office)["john.smith"] == ("primary", "adopted", 4)
    assert "john.smith2" in office.mailboxes() or "j.smith" in office.mailboxes()


def test_single_ones_may_be_taken(office: Office) -> None:
    """With --only everything else stays foreign, groups too."""
    found_company(office)

    take(office, only=frozenset({at("bob.builder")}))

    assert ledger(office)["bob.builder"] == ("primary", "adopted", 2)
    assert ledger(office)["ada"] == ("foreign", "foreign", None)
    assert ledger(office)["engineering"] == ("foreign", "foreign", None)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"only": frozenset({at("john.smith")})}, "needs a decision"),
        ({"only": frozenset({at("admin")})}, "is not in the table"),
        ({"by_hand": {at("admin"): 1}}, "is protected by the policy"),
        ({"by_hand": {at("nowhere"): 1}}, "there is no mailbox nowhere@example.org"),
        ({"by_hand": {at("lager"): 1, at("ada"): 1}}, "one person is named for two mailboxes"),
        ({"by_hand": {at("lager"): 99}}, "person 99 should have no mailbox"),
    ],
)
def test_what_cannot_be_adopted_is_refused_with_a_sentence(
    office: Office, asked: dict[str, Any], sentence: str
) -> None:
    """Protected addresses, mailboxes that are not there, and what is ambiguous are never taken."""
    found_company(office)
    look(office)

    with pytest.raises(AdoptionRefused, match=sentence):
        look(office, **asked)


def test_a_group_that_would_be_deleted_is_taken_only_by_name(office: Office) -> None:
    """Nobody is a member: a plain --apply leaves the alias as it is, and naming it takes it."""
    found_company(office, LAGER, people=False)
    office.join("E5", "Eve Moneypenny", department="Sales")

    (plain,) = look(office).aliases
    (named,) = look(office, only=frozenset({at("engineering")})).aliases

    assert (plain.standing, plain.selected) == (Standing.UNDECIDED, False)
    assert (named.standing, named.selected) == (Standing.MATCHED, True)
    take(office)
    office.drain()
    assert office.aliases()["engineering"] == {"lager", "ada"}


def test_a_mailbox_that_is_ours_is_not_offered_again(office: Office) -> None:
    """After an adoption the table has only what is left, and whoever has a mailbox is no candidate."""
    found_company(office)
    take(office, look(office).hash)
    office.drain()

    again = look(office)

    assert shown(again) == {"john.smith": ("undecided", None, 75), "lager": ("nobody's", None, 0)}
    assert again.aliases == ()


def test_an_adoption_is_given_back_while_nothing_was_changed(office: Office) -> None:
    """Mailbox, identity and group become foreign again, and the person's job stops at what exists, as before."""
    found_company(office, BOB | {"name": "Bob Builder"}, people=False)
    office.join("E2", "Bob Builder")
    take(office, only=frozenset({at("bob.builder")}))
    office.drain()
    before = whole_state(office)

    release(adopter(office), at("bob.builder"))
    office.drain()

    assert ledger(office)["bob.builder"] == ("foreign", "foreign", None)
    assert whole_state(office) == before
    assert "exists already" in str(office.job_of(1).reason)
    assert shown(look(office))["bob.builder"] == ("matched", 1, 75)


def test_what_was_changed_since_is_not_given_back(office: Office) -> None:
    """The host no longer holds what was adopted, so it cannot be given back as it was."""
    found_company(office)
    take(office, look(office).hash)
    office.drain()

    for local in ("ada", "engineering"):
        with pytest.raises(AdoptionRefused, match="was changed since"):
            release(adopter(office), at(local))
    with pytest.raises(AdoptionRefused, match="was adopted"):
        release(adopter(office), at("lager"))
    assert ledger(office)["ada"] == ("primary", "adopted", 1)


def test_a_released_mailbox_may_be_given_to_the_right_person(office: Office) -> None:
    """A wrong decision by hand is taken back, and the next one takes the mailbox without a quarantine."""
    found_company(office)
    take(office, only=frozenset({at("john.smith")}), by_hand={at("john.smith"): 3})
    release(adopter(office), at("john.smith"))

    take(office, only=frozenset({at("john.smith")}), by_hand={at("john.smith"): 4})

    assert ledger(office)["john.smith"] == ("primary", "adopted", 4)


def test_a_job_that_is_under_way_stops_the_adoption(office: Office) -> None:
    """A worker in the person's lane may be making another mailbox just now: try again when it is over."""
    found_company(office)
    table = look(office)
    office.execute(
        "insert into jobs (subject_kind, subject_key, person_id, state, urgency, run_at, generation, fence, failures,"
        " created_at, updated_at) values ('person', '1', 1, 'running', 1, :now, 1, 1, 0, :now, :now)",
        now=str(MONDAY.replace(tzinfo=None)),
    )

    with pytest.raises(AdoptionRefused, match="under way"):
        take(office, table.hash)

    assert ledger(office) == {}


def test_it_works_before_any_worker_ran(office: Office) -> None:
    """Without an active policy the file's is used, events that wait are applied, and the first worker does the rest."""
    office.execute("delete from policies")
    found_company(office)

    take(office, look(office).hash)
    office.activate(POLICY)
    office.drain()

    assert office.mailboxes()["ada"]["name"] == "Ada Lovelace"
    assert office.aliases()["engineering"] == {"ada", "bob.builder"}


def test_the_rule_that_adopts_by_work_address_takes_identities_and_groups_too(office: Office) -> None:
    """A mailbox that the policy's own rule takes over keeps its personas, and its holder's groups name it at once."""
    office.activate(POLICY + '[joining]\nexisting = "adopt"\n')
    office.seed(mailboxes=(ADA,))

    office.join("E1", "Ada Lovelace", department="Engineering", workEmail="ada@example.org")
    office.drain()

    assert ledger(office)["ada"] == ("primary", "adopted", 1)
    assert ledger(office)["countess"] == ("identity", "adopted", 1)
    assert office.mailboxes()["ada"]["identities"][0]["name"] == "The Countess"
    assert office.aliases() == {"engineering": {"ada"}}
    assert office.outstanding() == []


def test_everybody_at_once_is_everybody_one_by_one(office: Office) -> None:
    """The views of all people, read in pages, are those that each person's own queries give."""
    found_company(office)
    take(office)
    office.drain()
    office.tell("renamed", "E2", familyName="Mason")
    office.drain()

    with office.database.read() as session:
        views = list(everybody(session, office.execution.precedence))
        single = [person_view(session, person.id, office.execution.precedence) for person in office.people()]

    assert views == single
    assert any(view.adopted for view in views)


def test_a_further_domain_of_the_policy_is_looked_over_by_its_people(office: Office) -> None:
    """Whom a rule puts into another domain is found there, by what the patterns would give in that domain."""
    policy = POLICY + '[[domains]]\nname = "example.net"\npeople = { country = "FR" }\n'
    office.activate(policy)
    office._control.post(
        "/_sandbox/seed",
        json={
            "domains": [
                {"name": "example.org", "mailboxes": [{"local_part": "bob.builder", "name": "Bob Builder"}]},
                {"name": "example.net", "mailboxes": [{"local_part": "ada.lovelace", "name": "Ada Lovelace"}]},
            ]
        },
    ).raise_for_status()
    office.join("E1", "Ada Lovelace", country="FR")
    office.join("E2", "Bob Builder", country="FR")
    apply_waiting(office.intake)
    who, asked = adopter(office, policy), Asked(("example.org", "example.net"))
    seen = look_around(office.execution, asked.domains)

    found = look_over(who, seen, asked)
    adopt(who, seen, asked, found.hash)
    office.drain()

    assert shown(found) == {"ada.lovelace": ("matched", 1, 75), "bob.builder": ("undecided", None, 30)}
    assert ledger(office)["ada.lovelace"] == ("primary", "adopted", 1)
    assert office.job_of(1).state is JobState.DONE


@ON_POSTGRESQL
def test_an_adoption_while_the_worker_works_is_right(office: Office) -> None:
    """People are evaluated and jobs run between the look and the adoption: what was shown is still what is taken."""
    found_company(office)
    table = look(office)
    office.drain()

    changed = look(office)
    take(office, changed.hash)
    office.drain()

    assert changed.hash != table.hash or shown(changed) == shown(table)
    assert office.aliases()["engineering"] >= {"bob.builder"}


def test_what_was_to_go_stays_once_it_is_adopted(office: Office) -> None:
    """A name that was taken back before it was made, and turns out to be in the mailbox, comes with the mailbox."""
    found_company(office, ADA, people=False)
    office.join("E1", "Ada Lovelace")
    office.apply_all()
    office.execute(
        "insert into addresses (address, domain, role, provenance, person_id, held_from, withdrawn_at)"
        " values ('countess@example.org', 'example.org', 'identity', 'reserved', 1, :at, :at)",
        at=MONDAY.isoformat(sep=" "),
    )
    take(office)
    office.drain()

    assert office.identities("ada") == {"countess"}
    assert ledger(office)["countess"] == ("identity", "adopted", 1)


def test_a_list_that_exists_says_that_it_can_be_adopted(office: Office) -> None:
    """The job of a group names every way out, taking over what is there among them."""
    office.seed(aliases=(ENGINEERS,))
    office.employ("Ada Lovelace", department="Engineering")

    assert "adopt it, if it is a list, free it, or name the group otherwise" in str(office.job_on("engineering").reason)
