"""The client against the stand-in mail host."""

import pytest

from worker.mail import Alias, Identity, address
from worker.migadu import (
    AccountRefused,
    CallName,
    EchoMismatch,
    FailureClass,
    MigaduClient,
    NotFound,
    Refused,
    ThreadClients,
)
from worker.sandbox import RunningSandbox

USER, KEY = "admin@example.org", "sandbox-key"
ADA, AL, TEAM = address("ada@example.org"), address("al@example.org"), address("team@example.org")
PASSWORD = "Sup3r_s3cr3T"


class RecordingHooks:
    """Hooks that keep what they hear."""

    def __init__(self):
        self.heard = []

    def before(self, attempt):
        """Keep the call."""
        self.heard.append(attempt)

    def after(self, attempt, outcome):
        """Keep the call with its outcome."""
        self.heard.append((attempt, outcome))


@pytest.fixture
def sandbox():
    """Run an empty stand-in mail host."""
    with RunningSandbox() as running:
        yield running


@pytest.fixture
def hooks():
    """Return hooks that keep what they hear."""
    return RecordingHooks()


@pytest.fixture
def migadu(sandbox, hooks):
    """Return a client of the stand-in."""
    with ThreadClients() as clients:
        yield MigaduClient(sandbox.api_url, USER, KEY, http=clients.client(), hooks=hooks)


def test_a_mailbox_lives_from_create_to_delete(migadu):
    """Create, show, index, update and delete agree with each other, and only what was changed changes."""
    created = migadu.create_mailbox(ADA, "Ada Lovelace", password=PASSWORD, fields={"may_access_pop3": False})
    updated = migadu.update_mailbox(
        ADA, {"name": "Ada King", "sender_denylist": ("*@spam.example",)}, password="n3w-one"
    )
    shown, listed = migadu.mailbox(ADA), migadu.mailboxes("Example.org")
    migadu.delete_mailbox(ADA)

    assert created.ignored == updated.ignored == ()
    assert (created.value.address, created.value.name) == (ADA, "Ada Lovelace")
    assert created.value.fields["may_access_pop3"] is False
    assert shown == updated.value
    assert (shown.name, shown.fields["may_send"], shown.fields["may_access_pop3"]) == ("Ada King", True, False)
    assert shown.fields["sender_denylist"] == ("*@spam.example",)
    assert listed == [shown]
    assert migadu.mailboxes("example.org") == []


def test_a_mailbox_is_created_by_invitation(migadu):
    """An invitation needs no password and keeps the address it went to."""
    created = migadu.create_mailbox(ADA, "Ada Lovelace", invitation_to="ada@home.example")

    assert created.ignored == ()
    assert created.value.fields["password_recovery_email"] == "ada@home.example"


@pytest.mark.parametrize("credential", [{}, {"password": PASSWORD, "invitation_to": "ada@home.example"}])
def test_a_mailbox_needs_exactly_one_credential(migadu, hooks, credential):
    """Neither or both of password and invitation is a mistake of ours, and nothing is sent."""
    with pytest.raises(ValueError, match="either with a password or by invitation"):
        migadu.create_mailbox(ADA, "Ada", **credential)

    assert hooks.heard == []


def test_all_doors_of_a_mailbox_can_be_closed(migadu):
    """A block closes the doors and sets a password in one call, and its echo proves it."""
    doors = {"may_send": False, "may_access_imap": False, "may_access_pop3": False, "may_access_managesieve": False}
    migadu.create_mailbox(ADA, "Ada Lovelace", password=PASSWORD)

    written = migadu.update_mailbox(ADA, doors, password="r4ndom-and-long")

    assert {name: written.value.fields[name] for name in doors} == doors
    assert written.value.fields["may_receive"] is True


def test_an_identity_lives_from_create_to_delete(migadu):
    """An identity is created, shown on its own and in its mailbox, renamed and deleted."""
    migadu.create_mailbox(ADA, "Ada Lovelace", password=PASSWORD)

    created = migadu.create_identity(ADA, AL, "Ada L")
    updated = migadu.update_identity(ADA, AL, {"name": "A. Lovelace", "may_send": False})
    listed = migadu.identities(ADA)

    assert (created.value.address, created.value.name) == (AL, "Ada L")
    assert updated.value == migadu.identity(ADA, AL)
    assert updated.value.name == "A. Lovelace"
    assert listed == [updated.value]
    assert [each.address for each in migadu.mailbox(ADA).identities] == [AL]

    migadu.delete_identity(ADA, AL)

    assert migadu.identities(ADA) == []


def test_an_alias_lives_from_create_to_delete(migadu):
    """An alias's list of destinations is replaced as a whole."""
    created = migadu.create_alias(TEAM, [AL, ADA])
    updated = migadu.update_alias(TEAM, [ADA])

    assert created.value == Alias(TEAM, frozenset({ADA, AL}))
    assert updated.value == migadu.alias(TEAM) == Alias(TEAM, frozenset({ADA}))
    assert migadu.aliases("example.org") == [updated.value]

    migadu.delete_alias(TEAM)

    assert migadu.aliases("example.org") == []


def test_destinations_that_the_host_rewrites_are_a_refusal(migadu):
    """A destination on another domain is silently moved to ours by the host, which the echo gives away."""
    with pytest.raises(EchoMismatch) as caught:
        migadu.create_alias(TEAM, [address("ada@elsewhere.example")])

    assert caught.value.differing == ("destinations",)
    assert caught.value.failure is FailureClass.REFUSED
    assert migadu.alias(TEAM).destinations == {ADA}


def test_an_absent_object_is_not_found(migadu):
    """Whatever is asked of an object that is not there is answered NotFound, a second delete too."""
    calls = [
        lambda: migadu.mailbox(ADA),
        lambda: migadu.update_mailbox(ADA, {"name": "Ada"}),
        lambda: migadu.delete_mailbox(ADA),
        lambda: migadu.create_identity(ADA, AL, "Ada"),
        lambda: migadu.delete_alias(TEAM),
        lambda: migadu.mailboxes("elsewhere.example"),
    ]
    for call in calls:
        with pytest.raises(NotFound) as caught:
            call()

        assert caught.value.status == 404


def test_a_taken_address_is_refused(migadu):
    """Creating what exists is refused, and the error names nobody."""
    migadu.create_mailbox(ADA, "Ada Lovelace", password=PASSWORD)

    with pytest.raises(Refused) as caught:
        migadu.create_alias(ADA, [AL])

    assert caught.value.status == 400
    assert "ada" not in str(caught.value)


def test_a_wrong_key_is_the_accounts_failure(sandbox):
    """Credentials that the host does not know fail every call in the same way; a client may open its own connection."""
    with MigaduClient(sandbox.api_url, USER, "wrong") as migadu, pytest.raises(AccountRefused) as caught:
        migadu.mailboxes("example.org")

    assert caught.value.status == 401


def test_hooks_hear_of_every_attempt(migadu, hooks):
    """Each attempt is told before and after, with its outcome, and with nothing that names a person."""
    migadu.create_mailbox(ADA, "Ada Lovelace", password=PASSWORD)
    with pytest.raises(NotFound):
        migadu.alias(TEAM)

    create, (_, created), show, (_, shown) = hooks.heard
    assert (create.operation, create.method, create.is_write) == (CallName.CREATE_MAILBOX, "POST", True)
    assert (show.operation, show.method, show.is_write) == (CallName.SHOW_ALIAS, "GET", False)
    assert (created.status, created.failure, created.excerpt) == (200, None, "")
    assert created.answered_bytes > 100
    assert 0 < created.duration_s < 10
    assert (shown.status, shown.failure) == (404, FailureClass.ABSENT)
    assert "ada" not in repr(hooks.heard).lower()


def test_a_hook_can_prevent_a_call(sandbox):
    """What `before` raises reaches the caller, and nothing is sent."""

    class LeaseLost(Exception):
        pass

    class Fence(RecordingHooks):
        def before(self, attempt):
            raise LeaseLost

    fence = Fence()
    with ThreadClients() as clients:
        migadu = MigaduClient(sandbox.api_url, USER, KEY, http=clients.client(), hooks=fence)
        with pytest.raises(LeaseLost):
            migadu.create_alias(TEAM, [ADA])
        open_now = MigaduClient(sandbox.api_url, USER, KEY, http=clients.client())
        aliases = open_now.aliases("example.org")

    assert fence.heard == []
    assert aliases == []


def test_identities_come_with_their_mailbox(migadu):
    """The index of mailboxes already holds the identities, so nobody needs a call per mailbox."""
    migadu.create_mailbox(ADA, "Ada Lovelace", password=PASSWORD)
    migadu.create_identity(ADA, AL, "Ada L")

    (found,) = migadu.mailboxes("example.org")

    assert {Identity(each.address, each.name) for each in found.identities} == {Identity(AL, "Ada L")}


def test_nothing_of_a_call_is_logged(migadu, caplog):
    """The HTTP library logs URLs, which hold names; its loggers are kept quiet."""
    caplog.set_level("DEBUG")

    migadu.create_mailbox(ADA, "Ada Lovelace", password=PASSWORD)
    migadu.mailbox(ADA)

    assert "ada" not in caplog.text.lower()
