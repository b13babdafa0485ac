"""People who join: what they get at the mail host, how many calls it takes, and what stops it."""

from contextlib import closing

from tests.integration.office import DAY, POLICY, Office
from worker.sandbox import RunningSandbox
from worker.store.database import Database
from worker.store.states import JobState

INDEX = [("GET", "mailboxes"), ("GET", "aliases")]
ADA_BOX = {"local_part": "ada.lovelace", "name": "Somebody", "password": "s3cret-s3cret"}


def test_joiner_costs_one_call_beside_the_index_of_the_domain(office: Office) -> None:
    """After the domain was read once, a joiner without groups costs one POST."""
    office.employ("Ada Lovelace")

    assert office.calls() == [*INDEX, ("POST", "mailboxes")]
    assert office.mailboxes()["ada.lovelace"]["name"] == "Ada Lovelace"
    assert office.outstanding() == []


def test_joiners_of_a_department_share_one_write_of_their_alias(office: Office) -> None:
    """Many joiners of one department cost one POST each and one write of its alias."""
    for number in range(12):
        office.join(f"E{number}", f"Ada Name{'abcdefghijkl'[number]}", department="Engineering")
    office.drain()

    assert office.calls("POST").count(("POST", "mailboxes")) == 12
    assert office.calls("POST").count(("POST", "aliases")) == 1
    assert office.calls("PUT") == []
    assert len(office.aliases()["engineering"]) == 12


def test_joiners_to_an_alias_that_exists_cost_one_put(office: Office) -> None:
    """Later joiners of a department add themselves to its alias with one PUT together."""
    office.employ("Ada Lovelace", department="Engineering")

    for number in range(2, 6):
        office.join(f"E{number}", f"Grace Hopper{'abcdef'[number]}", department="Engineering")
    office.drain()

    assert office.calls("PUT") == [("PUT", "aliases/engineering")]
    assert len(office.aliases()["engineering"]) == 5


def test_invitation_goes_to_the_personal_address(office: Office) -> None:
    """Under the invitation rule a mailbox is made with an invitation to the personal address, and no password."""
    office.employ("Ada Lovelace")

    (body,) = office.bodies("POST", "mailboxes")
    assert body["password_method"] == "invitation"
    assert "password" not in body
    assert office.mailboxes()["ada.lovelace"]["password_recovery_email"] == "e1@home.example"


def test_random_credential_needs_no_personal_address(office: Office) -> None:
    """Under the random rule a mailbox is made with a password that is kept nowhere."""
    office.activate(POLICY + '[joining]\ncredential = "random"\n')

    office.join("E1", "Ada Lovelace", personalEmail=None)
    office.drain()

    (body,) = office.bodies("POST", "mailboxes")
    assert "password" in body
    assert office.outstanding() == []


def test_two_people_who_want_one_address_get_two(office: Office) -> None:
    """The first gets the first pattern, the next one the first that is free."""
    office.employ("Ada Lovelace", "Ada Lovelace", "Ada Lovelace", "Ada Lovelace")

    assert set(office.mailboxes()) == {"ada.lovelace", "a.lovelace", "ada.lovelace2", "ada.lovelace3"}


def test_future_joiner_waits_for_the_lead_before_the_hire_date(office: Office) -> None:
    """Somebody hired for a later date gets the mailbox the policy's lead before it, when the clock says so."""
    office.join("E1", "Ada Lovelace", hireDate="2026-03-20")
    office.drain()
    assert office.mailboxes() == {}

    office.move(15 * DAY)
    office.drain()
    assert office.mailboxes() == {}

    office.move(DAY)
    office.drain()

    assert set(office.mailboxes()) == {"ada.lovelace"}


def test_join_without_personal_address_is_held_until_it_is_told(office: Office) -> None:
    """Under the invitation rule a join without personalEmail is held with one sentence, and goes on when it arrives."""
    office.join("E1", "Ada Lovelace", personalEmail=None)
    office.drain()
    assert office.outstanding() == [("person", "held", "personalEmail is needed to send the invitation")]
    assert office.writes() == []

    office.tell("updated", "E1", personalEmail="ada@home.example")
    office.drain()

    assert set(office.mailboxes()) == {"ada.lovelace"}
    assert office.outstanding() == []


def test_name_without_any_usable_letter_is_held_until_a_name_is_told(office: Office) -> None:
    """A name that leaves no local part holds the job with one sentence that names the attributes; a name frees it."""
    office.join("E1", "ー ー", familyName="ー")
    office.drain()
    ((kind, state, reason),) = office.outstanding()
    assert (kind, state) == ("person", "held")
    assert reason == "no address can be made from givenName, familyName or displayName"

    office.tell("renamed", "E1", givenName="Ada", familyName="Lovelace")
    office.drain()

    assert set(office.mailboxes()) == {"ada.lovelace"}
    assert office.outstanding() == []


def test_work_address_of_another_domain_is_held_until_it_is_mended(office: Office) -> None:
    """A workEmail of a domain that is not the organisation's holds the job; the right one releases it."""
    office.join("E1", "Ada Lovelace", workEmail="ada@elsewhere.example")
    office.drain()
    assert office.outstanding() == [("person", "held", "workEmail is not an address of example.org")]

    office.tell("updated", "E1", workEmail="ada@example.org")
    office.drain()

    assert set(office.mailboxes()) == {"ada"}
    assert office.outstanding() == []


def test_reason_of_a_held_job_follows_the_facts(office: Office) -> None:
    """When another fact stops a job than before, the job says so."""
    office.join("E1", "ー ー", familyName="ー")
    office.drain()

    office.tell("updated", "E1", workEmail="ada@elsewhere.example")
    office.drain()

    assert office.outstanding() == [("person", "held", "workEmail is not an address of example.org")]


def test_address_that_exists_at_the_host_holds_the_joiner(office: Office) -> None:
    """Under the default rule a joiner whose address exists at the host is held, and nothing there is touched."""
    office.seed(mailboxes=(ADA_BOX,))

    office.employ("Ada Lovelace")

    ((kind, state, reason),) = office.outstanding()
    assert (kind, state) == ("person", "held")
    assert "ada.lovelace@example.org exists already" in str(reason)
    assert office.writes() == []


def test_joiner_goes_on_when_the_address_was_freed_at_the_host(office: Office) -> None:
    """Once an administrator freed the address and the job is retried, the joiner gets it."""
    office.seed(mailboxes=(ADA_BOX,))
    office.employ("Ada Lovelace")
    office.host("DELETE", "mailboxes/ada.lovelace")
    office.move(DAY)

    office.tell("updated", "E1", title="Countess")
    office.drain()

    assert office.mailboxes()["ada.lovelace"]["name"] == "Ada Lovelace"
    assert office.outstanding() == []


def test_next_name_rule_walks_past_an_address_that_exists(office: Office) -> None:
    """Under the next-name rule a joiner gets the next pattern where the first exists at the host."""
    office.activate(POLICY + '[joining]\nexisting = "next-name"\n')
    office.seed(mailboxes=(ADA_BOX,))

    office.employ("Ada Lovelace")

    assert set(office.mailboxes()) == {"ada.lovelace", "a.lovelace"}
    assert office.mailboxes()["ada.lovelace"]["name"] == "Somebody"


def test_next_name_rule_holds_where_the_address_came_to_be_after_the_index(office: Office) -> None:
    """An address that somebody took at the host since the domain was read is left alone, and the next name taken."""
    office.activate(POLICY + '[joining]\nexisting = "next-name"\n')
    office.employ("Grace Hopper")
    office.host("POST", "mailboxes", **ADA_BOX)

    office.join("E2", "Ada Lovelace")
    office.drain()
    office.work_on(DAY / 24)

    assert set(office.mailboxes()) == {"grace.hopper", "ada.lovelace", "a.lovelace"}
    assert office.mailboxes()["ada.lovelace"]["name"] == "Somebody"
    assert office.outstanding() == []


def test_adopt_rule_takes_over_a_mailbox_that_the_work_address_names(office: Office) -> None:
    """Under the adopt rule an existing mailbox becomes the person's where their workEmail names it."""
    office.activate(POLICY + '[joining]\nexisting = "adopt"\n')
    office.seed(mailboxes=(ADA_BOX,))

    office.join("E1", "Ada Lovelace", workEmail="ada.lovelace@example.org")
    office.drain()

    assert office.calls("POST") == []
    assert office.mailboxes()["ada.lovelace"]["name"] == "Ada Lovelace"
    assert office.outstanding() == []


def test_adopt_rule_holds_a_joiner_until_the_work_address_confirms_the_match(office: Office) -> None:
    """Under the adopt rule a mailbox is not taken by its name alone; the workEmail that arrives later settles it."""
    office.activate(POLICY + '[joining]\nexisting = "adopt"\n')
    office.seed(mailboxes=(ADA_BOX,))
    office.employ("Ada Lovelace")
    assert office.jobs()[-1].state is JobState.HELD
    assert office.writes() == []

    office.tell("updated", "E1", workEmail="ada.lovelace@example.org")
    office.drain()

    assert office.calls("POST") == []
    assert office.mailboxes()["ada.lovelace"]["name"] == "Ada Lovelace"
    assert office.outstanding() == []


def test_address_taken_at_the_host_while_the_job_waits_is_never_touched(office: Office) -> None:
    """A mailbox that appeared at a reserved address after we last looked is held, not changed."""
    office.employ("Grace Hopper")
    office.join("E2", "Ada Lovelace")
    office.apply_all()
    office.host("POST", "mailboxes", **ADA_BOX)
    office.drain()

    assert office.mailboxes()["ada.lovelace"]["name"] == "Somebody"
    assert [state for _, state, _ in office.outstanding()] == ["held"]


def test_foreign_alias_at_a_groups_address_is_held_and_untouched(office: Office) -> None:
    """A group whose address is somebody else's alias is held; its members get their mailboxes all the same."""
    office.seed(
        mailboxes=({"local_part": "boss", "name": "Boss", "password": "s3cret-s3cret"},),
        aliases=({"local_part": "engineering", "destinations": ["boss@example.org"]},),
    )

    office.employ("Ada Lovelace", department="Engineering")

    assert office.aliases() == {"engineering": {"boss"}}
    assert "ada.lovelace" in office.mailboxes()
    ((kind, state, reason),) = office.outstanding()
    assert (kind, state) == ("shared", "held")
    assert "engineering@example.org" in str(reason)


def test_group_goes_on_when_the_foreign_alias_is_gone(office: Office) -> None:
    """Once the foreign alias was deleted, the next change of the group writes it."""
    office.seed(
        mailboxes=({"local_part": "boss", "name": "Boss", "password": "s3cret-s3cret"},),
        aliases=({"local_part": "engineering", "destinations": ["boss@example.org"]},),
    )
    office.employ("Ada Lovelace", department="Engineering")
    office.host("DELETE", "aliases/engineering")
    office.move(DAY)

    office.join("E2", "Grace Hopper", department="Engineering")
    office.drain()

    assert office.aliases() == {"engineering": {"ada.lovelace", "grace.hopper"}}
    assert office.outstanding() == []


def test_person_without_a_mailbox_yet_is_in_no_alias(office: Office) -> None:
    """A held joiner does not keep the alias of the department from being written with those who exist."""
    office.join("E1", "Ada Lovelace", personalEmail=None, department="Engineering")
    office.join("E2", "Grace Hopper", department="Engineering")
    office.drain()

    assert office.aliases() == {"engineering": {"grace.hopper"}}

    office.tell("updated", "E1", personalEmail="ada@home.example")
    office.drain()

    assert office.outstanding() == []
    assert office.aliases() == {"engineering": {"ada.lovelace", "grace.hopper"}}


def test_protected_addresses_are_never_given(office: Office) -> None:
    """A person whose name gives a protected address gets another one."""
    office.join("E1", "Postmaster", familyName=None)
    office.drain()

    assert set(office.mailboxes()) == {"postmaster2"}


def test_policy_that_comes_later_finds_everybody(database: Database, sandbox: RunningSandbox) -> None:
    """Events applied without an active policy make no job; when a policy is activated, everybody is evaluated."""
    with closing(Office(database, sandbox, policy=None)) as office:
        office.employ("Ada Lovelace", "Grace Hopper", department="Engineering")
        assert office.jobs() == []

        office.activate(POLICY)
        office.drain()

        assert set(office.mailboxes()) == {"ada.lovelace", "grace.hopper"}
        assert office.aliases() == {"engineering": {"ada.lovelace", "grace.hopper"}}


def test_another_policy_evaluates_everybody_again(office: Office) -> None:
    """A new group reaches those who are there, a dropped one is deleted, a managed field is written."""
    office.employ("Ada Lovelace", "Grace Hopper", department="Engineering")

    more = '[mailbox]\nmay_access_pop3 = false\n[[groups]]\naddress = "everyone"\nmembers = {}\n'
    office.activate(POLICY.replace('address = "engineering"', 'address = "builders"') + more)
    office.drain()

    both = {"ada.lovelace", "grace.hopper"}
    assert office.aliases() == {"builders": both, "everyone": both}
    assert not office.doors("ada.lovelace")["pop3"]
    assert office.outstanding() == []
