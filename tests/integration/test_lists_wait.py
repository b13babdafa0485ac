"""A list is written once for many: it waits a while for mailboxes that are about to be made, and names no other."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from tests.integration.office import ON_POSTGRESQL, POLICY, Office
from worker.intake import apply_next
from worker.store import memberships

MINUTE = timedelta(minutes=1)
WAIT_S = 30
NO_MAILBOX_IS_MADE = {"match": {"method": "POST", "path": "/v1/domains/*/mailboxes"}, "fault": "503"}
LIST = "aliases/engineering"


def _with_a_joiner_who_cannot_be_made(office: Office) -> int:
    """Have two colleagues, and a third and a fourth who join while no mailbox is made. Returns the writes so far."""
    office.employ("Ada Lovelace", "Grace Hopper", department="Engineering")
    office.join("E3", "Alan Turing")
    office.drain()
    before = len(office.writes())
    office.fail(NO_MAILBOX_IS_MADE)
    office.join("E4", "Karen Jones", department="Engineering")
    office.tell("updated", "E3", department="Engineering")
    office.drain()
    return before


def _with_a_joiner_who_is_not_applied_yet(office: Office) -> int:
    """Have a colleague, one who joins, and one who is told of. Returns the writes before these two."""
    office.employ("Ada Lovelace", department="Engineering")
    before = len(office.writes())
    office.join("E2", "Grace Hopper", department="Engineering")
    office.join("E3", "Alan Turing", department="Engineering")
    apply_next(office.intake)
    office.run_all()
    return before


def _writes_of_the_list(office: Office, before: int) -> list[tuple[str, str]]:
    return [call for call in office.writes()[before:] if "aliases" in call[1]]


def test_a_list_waits_for_a_creation_under_way_and_is_written_once(office: Office) -> None:
    """Who came at the same time and has a mailbox waits with the joiner; both are added by one write."""
    before = _with_a_joiner_who_cannot_be_made(office)
    office.work_on(5 * MINUTE)
    assert _writes_of_the_list(office, before) == []
    assert ("shared", "waiting", "waits for mailboxes of members that are about to be made") in office.outstanding()

    office.fail()
    office.work_on(10 * MINUTE)

    assert _writes_of_the_list(office, before) == [("PUT", LIST)]
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper", "alan.turing", "karen.jones"}
    assert office.outstanding() == []


def test_a_list_waits_for_a_quarter_of_an_hour_and_names_only_what_exists(office: Office) -> None:
    """Then the others are added without the joiner, who is added once there is a mailbox."""
    before = _with_a_joiner_who_cannot_be_made(office)
    office.work_on(14 * MINUTE)
    assert _writes_of_the_list(office, before) == []

    office.work_on(3 * MINUTE)
    assert _writes_of_the_list(office, before) == [("PUT", LIST)]
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper", "alan.turing"}

    office.fail()
    office.work_on(20 * MINUTE)
    assert _writes_of_the_list(office, before) == [("PUT", LIST)] * 2
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper", "alan.turing", "karen.jones"}


def test_a_list_waits_for_who_was_told_of_and_is_not_applied_yet(office: Office) -> None:
    """Workers that are as quick as the inbox would else write the list once for each joiner."""
    before = _with_a_joiner_who_is_not_applied_yet(office)
    assert office.writes()[before:] == [("POST", "mailboxes")]
    assert ("shared", "waiting", "waits until the events that have come are applied") in office.outstanding()

    office.drain()
    assert _writes_of_the_list(office, before) == [("PUT", LIST)]
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper", "alan.turing"}


def test_a_list_that_waited_for_the_inbox_is_written_once_it_is_empty(office: Office) -> None:
    """Also where the last event changes nothing of the list, and no time passes."""
    office.employ("Ada Lovelace", department="Engineering")
    before = len(office.writes())
    office.join("E2", "Grace Hopper", department="Engineering")
    office.join("E3", "Alan Turing", department="Sales")
    apply_next(office.intake)
    office.run_all()
    assert _writes_of_the_list(office, before) == []

    office.drain()
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}
    assert office.outstanding() == []


def test_a_list_waits_a_minute_at_most_for_the_inbox(office: Office) -> None:
    """Where events never cease to come it is written all the same."""
    before = _with_a_joiner_who_is_not_applied_yet(office)
    office.move(MINUTE)
    office.run_all()

    assert _writes_of_the_list(office, before) == [("PUT", LIST)]
    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}


def _with_a_last_member_who_leaves_before_another_is_told_of(office: Office, policy: str = POLICY) -> None:
    """Have the one member of a list leave, and a colleague take the place who is told of and not applied yet."""
    office.activate(policy)
    office.join("E1", "Ada Lovelace", department="Engineering")
    office.join("E2", "Grace Hopper")
    office.drain()
    office.tell("left", "E1")
    office.tell("updated", "E2", department="Engineering")
    apply_next(office.intake)
    office.run_all()
    assert not any(office.doors("ada.lovelace").values())


def test_a_list_whose_last_member_left_waits_for_who_is_told_of(office: Office) -> None:
    """Whoever left is blocked at once. That their list goes is nobody's hurry, and it need not go."""
    _with_a_last_member_who_leaves_before_another_is_told_of(office)
    assert office.aliases() == {"engineering": {"ada.lovelace"}}

    office.move(5 * MINUTE)
    office.drain()

    assert office.aliases() == {"engineering": {"grace.hopper"}}
    assert not office.calls("DELETE")
    assert office.outstanding() == []


def test_a_list_that_is_to_go_waits_an_hour_at_most_for_the_inbox(office: Office) -> None:
    """Where events never cease to come it goes all the same."""
    _with_a_last_member_who_leaves_before_another_is_told_of(office)
    for _ in range(59):
        office.move(MINUTE)
        office.run_all()
    assert office.aliases() == {"engineering": {"ada.lovelace"}}

    office.move(MINUTE)
    office.run_all()

    assert office.aliases() == {}


def test_a_last_member_who_leaves_is_taken_out_at_once_where_somebody_else_gets_the_mail(office: Office) -> None:
    """A list with a fallback is not deleted by it."""
    policy = POLICY.replace('"Engineering" }', '"Engineering" }\nfallback = "grace.hopper"')
    _with_a_last_member_who_leaves_before_another_is_told_of(office, policy)

    assert office.aliases() == {"engineering": {"grace.hopper"}}


def test_whoever_leaves_others_in_a_list_waits_for_nothing_that_is_told(office: Office) -> None:
    """They are taken out at once, though the inbox is full."""
    office.employ("Ada Lovelace", "Grace Hopper", department="Engineering")
    office.tell("left", "E1")
    office.join("E3", "Alan Turing", department="Engineering")
    apply_next(office.intake)
    office.run_all()

    assert office.aliases()["engineering"] == {"grace.hopper"}


def test_a_revocation_waits_for_no_creation(office: Office) -> None:
    """Whoever leaves is taken out at once, and the joiner is added later."""
    before = _with_a_joiner_who_cannot_be_made(office)
    office.tell("left", "E1")
    office.drain()

    assert _writes_of_the_list(office, before) == [("PUT", LIST)]
    assert office.aliases()["engineering"] == {"grace.hopper", "alan.turing"}


def test_a_joiner_who_waits_for_a_person_holds_up_no_list(office: Office) -> None:
    """Where somebody must decide first, nobody knows how long that takes."""
    office.seed(mailboxes=({"local_part": "karen.jones", "name": "Not Ours", "identities": []},))
    office.employ("Ada Lovelace", department="Engineering")
    office.join("E4", "Karen Jones", department="Engineering")
    office.join("E5", "Grace Hopper", department="Engineering")
    office.drain()

    assert office.aliases()["engineering"] == {"ada.lovelace", "grace.hopper"}
    assert [(kind, state) for kind, state, _ in office.outstanding()] == [("person", "held")]


@ON_POSTGRESQL
def test_of_members_of_one_list_one_at_a_time_is_said_to_have_a_mailbox(office: Office) -> None:
    """Else each of two who get theirs at once would take the other's for still to come, and nobody wake their list."""
    said: list[str] = []

    def second() -> None:
        with office.database.write() as session:
            memberships.lock(session, ["writing@example.org", "engineering@example.org"])
            said.append("second")

    with ThreadPoolExecutor() as pool, office.database.write() as session:
        memberships.lock(session, ["engineering@example.org", "sales@example.org"])
        waiting = pool.submit(second)
        office.wait_for_a_waiter()
        said.append("first")
        session.commit()
        waiting.result(WAIT_S)

    assert said == ["first", "second"]
