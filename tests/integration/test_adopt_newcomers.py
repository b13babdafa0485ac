"""What the table of an adoption says of people without a mailbox is what then becomes of them."""

from typing import Any

import pytest

from tests.integration.office import DAY, Office
from tests.integration.test_adopt import at, ledger, look, take
from tests.integration.test_former_addresses import POLICY
from worker.execution.adoption_table import AdoptionRefused
from worker.store.addresses import quarantined_until
from worker.store.given_up import given_up

ERASING = POLICY.replace('"release-address"', '"release-address", "purge"')
BARRED = "ada.lovelace@example.org was somebody else's and is barred until 2026-04-02 09:00 UTC"


def employ_and_release(office: Office, policy: str, *names: str) -> None:
    """Have people work here, leave, and give up their addresses ten days later."""
    office.activate(policy)
    office.employ(*names)
    for number, _ in enumerate(names, 1):
        office.tell("left", f"E{number}")
    office.work_on(DAY * 11, every=DAY)
    assert office.mailboxes() == {}


def told_and_done(office: Office, policy: str, *, person: int, **asked: Any) -> str:
    """Return what the table says of a person without a mailbox, once the adoption and all jobs have shown it true."""
    table = look(office, policy, **asked)
    told = table.without[person]
    take(office, table.hash, policy, **asked)
    office.drain()
    job = office.job_of(person)
    mine = [at(local) for local, (role, _, who) in ledger(office).items() if (role, who) == ("primary", person)]
    assert [told] == [f"held: {job.reason}"] or [told] == [f"{each} is made when it is time" for each in mine]
    return told


@pytest.mark.parametrize("policy", [POLICY, ERASING])
def test_a_stated_address_in_quarantine_is_told_as_held(office: Office, policy: str) -> None:
    """There is no second choice, and the table says until when."""
    employ_and_release(office, policy, "Ada Lovelace")
    office.join("E2", "Grace Hopper", workEmail="ada.lovelace@example.org")

    assert told_and_done(office, policy, person=2) == f"held: {BARRED}"


@pytest.mark.parametrize("policy", [POLICY, ERASING])
def test_whoever_loses_a_promise_to_an_adoption_is_told_the_next_free_name(office: Office, policy: str) -> None:
    """What was promised and not made yet, somebody made by hand for a namesake, whose own promise is free by that.

    The first two names are in quarantine, also where whoever had them was erased since.
    """
    employ_and_release(office, policy, "Ada Lovelace", "Ada Lovelace")
    office.execution = office.colleague(dry_run=True)
    office.join("E3", "Ada Lovelace")
    office.join("E4", "Ada Lovelace")
    office.drain()
    assert ledger(office) == {
        "ada.lovelace2": ("primary", "reserved", 3),
        "ada.lovelace3": ("primary", "reserved", 4),
    }
    office.host("POST", "mailboxes", local_part="ada.lovelace2", name="Ada Lovelace", password="Sup3r_s3cr3T")
    office.execution = office.colleague(dry_run=False)

    told = told_and_done(office, policy, person=3, by_hand={at("ada.lovelace2"): 4})

    assert told == "ada.lovelace3@example.org is made when it is time"


def test_the_table_says_whom_the_address_of_a_mailbox_was_promised_or_had(office: Office) -> None:
    """One was promised to a colleague, and one somebody else gave up lately: both are told, and both are taken over."""
    employ_and_release(office, POLICY, "Ada Lovelace")
    office.execution = office.colleague(dry_run=True)
    office.join("E2", "Bob Builder")
    office.drain()
    for local, mail in (("ada.lovelace", "e3@home.example"), ("bob.builder", "e4@home.example")):
        office.host(
            "POST", "mailboxes", local_part=local, password="Sup3r_s3cr3T", name="Box", password_recovery_email=mail
        )
    office.join("E3", "Grace Hopper")
    office.join("E4", "Alan Turing")

    table = look(office, POLICY)
    take(office, table.hash, POLICY)

    assert {line.proposal.address: line.proposal.reason.partition("; ")[2] for line in table.selected} == {
        at("ada.lovelace"): "somebody else had the address until less than 20d ago",
        at("bob.builder"): "person 2 was promised the address",
    }
    assert {local: row for local, row in ledger(office).items() if row[1] == "adopted"} == {
        "ada.lovelace": ("primary", "adopted", 3),
        "bob.builder": ("primary", "adopted", 4),
    }


def test_nobody_gets_a_mailbox_beside_an_alias_in_the_place_of_theirs(office: Office) -> None:
    """Who comes back is told to get the old address again, whatever else is like them, and so it happens."""
    handing_over = POLICY.replace('"delete-mailbox"', '"delete-mailbox", "alias-to-manager"')
    handing_over += '[leaving]\nfallback = "grace.hopper"\n'
    office.activate(handing_over)
    office.employ("Ada Lovelace", "Grace Hopper")
    office.tell("left", "E1")
    office.work_on(DAY * 6, every=DAY)
    assert office.aliases() == {"ada.lovelace": {"grace.hopper"}}
    office.host("POST", "mailboxes", local_part="ada", name="Ada Lovelace", password="Sup3r_s3cr3T")
    with pytest.raises(AdoptionRefused, match=r"person 1 has ada\.lovelace@example\.org still, with an alias of ours"):
        look(office, handing_over, by_hand={at("ada"): 1})
    office.join("E1", "Ada Lovelace")

    told = told_and_done(office, handing_over, person=1)

    assert told == "ada.lovelace@example.org is made when it is time"
    assert set(office.mailboxes()) == {"ada", "ada.lovelace", "grace.hopper"}


def test_many_are_answered_as_one_is(office: Office) -> None:
    """The two ways to ask whom an address is barred for agree, before, in and after the quarantine."""
    employ_and_release(office, POLICY, "Ada Lovelace")
    after = office.clock.now()

    with office.database.read() as session:
        many = given_up(session, ["example.org"])
        for address in (at("ada.lovelace"), at("bob.builder")):
            for who in (1, 2):
                for now in (after, after + DAY * 19, after + DAY * 20):
                    one = quarantined_until(session, address, who, DAY * 20, now)
                    assert many.barred_until(address, who, DAY * 20, now) == one
