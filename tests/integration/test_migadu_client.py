"""The client against the stand-in mail host."""

from dataclasses import replace

import pytest

from worker.mail import Alias, Forwarding, Identity, Rewrite, address
from worker.migadu import (
    AccountRefused,
    CallName,
    EchoMismatch,
    FailureClass,
    Invitation,
    MigaduClient,
    NotFound,
    Password,
    Refused,
    ThreadClients,
    activate,
    alias_at,
    aliases_of,
    create,
    delete,
    domain_at,
    domains,
    forwarding_at,
    forwardings_of,
    identities_of,
    identity_at,
    listed,
    mailbox_at,
    mailboxes_of,
    rewrite_at,
    rewrites_of,
    update,
)
from worker.sandbox import RunningSandbox

USER, KEY = "admin@example.org", "sandbox-key"
ADA, AL, TEAM = address("ada@example.org"), address("al@example.org"), address("team@example.org")
HOME = address("ada@home.example")
NEW_MAILBOX = create(mailbox_at(ADA), {"name": "Ada Lovelace"}, Password("Sup3r_s3cr3T"))
NEW_TEAM = create(alias_at(TEAM), {"destinations": listed([AL, ADA])})


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
    fields = {"name": "Ada Lovelace", "may_access_pop3": False}
    created = migadu.send(create(mailbox_at(ADA), fields, Password("Sup3r_s3cr3T")))
    changes = {"name": "Ada King", "sender_denylist": ("*@spam.example",)}
    updated = migadu.send(update(mailbox_at(ADA), changes, Password("n3w-one")))
    shown, index = migadu.show(mailbox_at(ADA)), migadu.index(mailboxes_of("Example.org"))
    migadu.send(delete(mailbox_at(ADA)))

    assert created.ignored == updated.ignored == ()
    assert (created.value.address, created.value.name) == (ADA, "Ada Lovelace")
    assert created.value.fields["may_access_pop3"] is False
    assert shown == updated.value
    assert (shown.name, shown.fields["may_send"], shown.fields["may_access_pop3"]) == ("Ada King", True, False)
    assert shown.fields["sender_denylist"] == ("*@spam.example",)
    assert isinstance(shown.other["changed_at"], str)
    assert index == [shown]
    assert migadu.index(mailboxes_of("example.org")) == []


def test_a_mailbox_is_created_by_invitation(migadu):
    """An invitation needs no password and keeps the address it went to."""
    created = migadu.send(create(mailbox_at(ADA), {"name": "Ada Lovelace"}, Invitation("ada@home.example")))

    assert created.ignored == ()
    assert created.value.fields["password_recovery_email"] == "ada@home.example"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: create(mailbox_at(ADA), {"name": "Ada"}), "with a password or by an invitation"),
        (lambda: create(alias_at(TEAM), {}, Password("x" * 9)), "no password goes with the alias"),
        (lambda: update(alias_at(TEAM), {}, Password("x" * 9)), "no password goes with the alias"),
        (lambda: create(identity_at(ADA, AL), {"name": "Al"}, Invitation("a@b.example")), "only a new mailbox"),
        (lambda: update(mailbox_at(ADA), {}, Invitation("a@b.example")), "only a new mailbox"),
        (lambda: update(mailbox_at(ADA), {"is_active": True, "monthly_outgoing_limit": 5}), "is_active, monthly_out"),
        (lambda: create(rewrite_at("example.org", "a"), {"name": "b"}), "name is in the place"),
        (lambda: delete(domain_at("example.org")), "a domain cannot be deleted"),
        (lambda: identity_at(ADA, HOME), "on the domain of its mailbox"),
        (lambda: rewrite_at("example.org", ".."), "without a name"),
    ],
)
def test_a_write_that_makes_no_sense_is_a_mistake_of_ours(make, sentence):
    """It is found out when the write is made, before anything is sent."""
    with pytest.raises(ValueError, match=sentence):
        make()


def test_all_doors_of_a_mailbox_can_be_closed(migadu):
    """A block closes the doors and sets a password in one call, and its echo proves it."""
    doors = {"may_send": False, "may_access_imap": False, "may_access_pop3": False, "may_access_managesieve": False}
    migadu.send(NEW_MAILBOX)

    written = migadu.send(update(mailbox_at(ADA), doors, Password("r4ndom-and-long")))

    assert {name: written.value.fields[name] for name in doors} == doors
    assert written.value.fields["may_receive"] is True


def test_an_identity_lives_from_create_to_delete(migadu):
    """An identity is created, shown on its own and in its mailbox, renamed and deleted."""
    migadu.send(NEW_MAILBOX)

    created = migadu.send(create(identity_at(ADA, AL), {"name": "Ada L"}))
    updated = migadu.send(update(identity_at(ADA, AL), {"name": "A. Lovelace", "may_send": False}))
    index = migadu.index(identities_of(ADA))

    assert (created.value.address, created.value.name, created.value.password_use) == (AL, "Ada L", "none")
    assert updated.value == migadu.show(identity_at(ADA, AL))
    assert (updated.value.name, updated.value.fields["may_send"]) == ("A. Lovelace", False)
    assert index == [updated.value]
    assert migadu.show(mailbox_at(ADA)).identities == {updated.value}

    migadu.send(delete(identity_at(ADA, AL)))

    assert migadu.index(identities_of(ADA)) == []


def test_an_identity_may_have_a_password_of_its_own(migadu):
    """A password makes the identity a login, which the host shows as ``custom``."""
    migadu.send(NEW_MAILBOX)

    created = migadu.send(create(identity_at(ADA, AL), {"name": "Ada's phone"}, Password("0nly-here")))

    assert created.value.password_use == "custom"
    assert created.ignored == ()


def test_a_forwarding_lives_from_create_to_delete(migadu):
    """A forwarding goes anywhere, is not confirmed at first, and is asked for by its full address."""
    migadu.send(NEW_MAILBOX)

    created = migadu.send(create(forwarding_at(ADA, HOME)))
    updated = migadu.send(update(forwarding_at(ADA, HOME), {"is_active": False}))
    index = migadu.index(forwardings_of(ADA))

    assert (created.value.address, created.value.confirmed_at) == (HOME, None)
    assert created.value.fields["is_active"] is True
    assert (
        updated.value
        == migadu.show(forwarding_at(ADA, HOME))
        == replace(created.value, fields={**created.value.fields, "is_active": False})
    )
    assert index == [updated.value]
    assert migadu.show(mailbox_at(ADA)).forwardings == {updated.value}

    migadu.send(delete(forwarding_at(ADA, HOME)))

    assert migadu.index(forwardings_of(ADA)) == []


def test_an_alias_lives_from_create_to_delete(migadu):
    """An alias's list of destinations is replaced as a whole, and its other fields stay."""
    created = migadu.send(create(alias_at(TEAM), {"destinations": listed([AL, ADA]), "is_internal": True}))
    updated = migadu.send(update(alias_at(TEAM), {"destinations": (ADA,)}))

    assert created.value == Alias(TEAM, frozenset({ADA, AL}), created.value.fields)
    assert updated.value == migadu.show(alias_at(TEAM)) == replace(created.value, destinations=frozenset({ADA}))
    assert updated.value.fields["is_internal"] is True
    assert migadu.index(aliases_of("example.org")) == [updated.value]

    migadu.send(delete(alias_at(TEAM)))

    assert migadu.index(aliases_of("example.org")) == []


def test_a_rewrite_lives_from_create_to_delete_and_can_be_renamed(migadu):
    """A rewrite under another name is the same rewrite, and the old name is free again."""
    old, new = rewrite_at("example.org", "support"), rewrite_at("example.org", "help")
    fields = {"local_part_rule": "support-*", "destinations": listed([AL, ADA]), "order_num": 5}
    created = migadu.send(create(old, fields))
    renamed = migadu.send(update(old, {"name": "help", "destinations": (ADA,)}))

    assert created.value == Rewrite("example.org", "support", "support-*", frozenset({ADA, AL}), 5)
    assert renamed.value == Rewrite("example.org", "help", "support-*", frozenset({ADA}), 5)
    assert migadu.show(new) == renamed.value
    assert migadu.index(rewrites_of("example.org")) == [renamed.value]
    with pytest.raises(NotFound):
        migadu.show(old)

    migadu.send(delete(new))

    assert migadu.index(rewrites_of("example.org")) == []


def test_a_domain_is_made_changed_and_looked_at(migadu):
    """A domain in its own script is asked for in punycode; it is not active before its DNS is right."""
    place = domain_at("bücher.example")
    created = migadu.send(create(place, {"description": "Books", "create_default_addresses": True}))
    updated = migadu.send(update(place, {"tags": ("shop", "old"), "greylisting_enabled": True}))
    records, diagnostics, usage = migadu.records(place), migadu.diagnostics(place), migadu.usage(place)

    assert (created.value.name, created.value.is_active) == ("xn--bcher-kva.example", False)
    assert created.ignored == updated.ignored == ()
    assert updated.value == migadu.show(place)
    assert updated.value.fields["tags"] == ("shop", "old")
    assert [each.name for each in migadu.index(domains())] == ["example.org", "xn--bcher-kva.example"]
    assert {each.address.partition("@")[0] for each in migadu.index(aliases_of("bücher.example"))} == {
        "postmaster",
        "abuse",
        "admin",
    }
    assert records["domain_name"] == usage["domain_name"] == "xn--bcher-kva.example"
    assert set(diagnostics) == {"mx", "spf", "dkim", "dmarc"}
    with pytest.raises(Refused) as caught:
        migadu.send(activate(place))
    assert (caught.value.status, caught.value.method) == (422, "GET")


def test_an_active_domain_stays_active(migadu):
    """Activating what is active already is answered with it."""
    assert migadu.send(activate(domain_at("example.org"))).value.is_active


def test_destinations_that_the_host_rewrites_are_a_refusal(migadu):
    """A destination on another domain is silently moved to ours by the host, which the echo gives away."""
    with pytest.raises(EchoMismatch) as caught:
        migadu.send(create(alias_at(TEAM), {"destinations": ("ada@elsewhere.example",)}))

    assert caught.value.differing == ("destinations",)
    assert caught.value.failure is FailureClass.REFUSED
    assert migadu.show(alias_at(TEAM)).destinations == {ADA}


def test_an_absent_object_is_not_found(migadu):
    """Whatever is asked of an object that is not there is answered NotFound, a second delete too."""
    calls = [
        lambda: migadu.show(mailbox_at(ADA)),
        lambda: migadu.send(update(mailbox_at(ADA), {"name": "Ada"})),
        lambda: migadu.send(delete(mailbox_at(ADA))),
        lambda: migadu.send(create(identity_at(ADA, AL), {"name": "Ada"})),
        lambda: migadu.send(delete(alias_at(TEAM))),
        lambda: migadu.index(mailboxes_of("elsewhere.example")),
        lambda: migadu.index(rewrites_of("elsewhere.example")),
        lambda: migadu.send(delete(forwarding_at(ADA, HOME))),
    ]
    for call in calls:
        with pytest.raises(NotFound) as caught:
            call()

        assert caught.value.status == 404


def test_a_taken_address_is_refused(migadu):
    """Creating what exists is refused, and the error names nobody."""
    migadu.send(NEW_MAILBOX)

    with pytest.raises(Refused) as caught:
        migadu.send(create(alias_at(ADA), {"destinations": (AL,)}))

    assert caught.value.status == 400
    assert caught.value.path == "/domains/example.org/aliases"
    assert "ada" not in str(caught.value)


def test_a_wrong_key_is_the_accounts_failure(sandbox):
    """Credentials that the host does not know fail every call in the same way; a client may open its own connection."""
    with MigaduClient(sandbox.api_url, USER, "wrong") as migadu, pytest.raises(AccountRefused) as caught:
        migadu.index(mailboxes_of("example.org"))

    assert caught.value.status == 401


def test_hooks_hear_of_every_attempt(migadu, hooks):
    """Each attempt is told before and after, with its path and outcome, and with nothing that names a person."""
    migadu.send(NEW_MAILBOX)
    with pytest.raises(NotFound):
        migadu.show(identity_at(ADA, AL))

    new, (_, created), show, (_, shown) = hooks.heard
    assert (new.operation, new.method, new.is_write) == (CallName.CREATE_MAILBOX, "POST", True)
    assert (show.operation, show.method, show.is_write) == (CallName.SHOW_IDENTITY, "GET", False)
    assert (new.path, show.path) == (
        "/domains/example.org/mailboxes",
        "/domains/example.org/mailboxes/*/identities/*",
    )
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
            migadu.send(NEW_TEAM)
        open_now = MigaduClient(sandbox.api_url, USER, KEY, http=clients.client())
        aliases = open_now.index(aliases_of("example.org"))

    assert fence.heard == []
    assert aliases == []


def test_what_belongs_to_a_mailbox_comes_with_it(migadu):
    """The index of mailboxes already holds identities and forwardings, so nobody needs a call per mailbox."""
    migadu.send(NEW_MAILBOX)
    migadu.send(create(identity_at(ADA, AL), {"name": "Ada L"}))
    migadu.send(create(forwarding_at(ADA, HOME)))

    (found,) = migadu.index(mailboxes_of("example.org"))

    assert {Identity(each.address, each.name) for each in found.identities} == {Identity(AL, "Ada L")}
    assert {Forwarding(each.address) for each in found.forwardings} == {Forwarding(HOME)}


def test_nothing_of_a_call_is_logged(migadu, caplog):
    """The HTTP library logs URLs, which hold names; its loggers are kept quiet."""
    caplog.set_level("DEBUG")

    migadu.send(NEW_MAILBOX)
    migadu.show(mailbox_at(ADA))

    assert "ada" not in caplog.text.lower()
