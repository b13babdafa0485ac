"""Reconcile of what the stages of leaving made: autoreplies, forwardings, aliases, logins of their own; and domains."""

from datetime import timedelta

import pytest

from tests.integration.office import DAY, POLICY, Office
from tests.integration.test_reconcile import found, look, rows
from worker.execution.reconcile import domains_of, reconcile

LEAVING = """
[leaving]
fallback = "bob.builder"
autoreply = { subject = "Gone", body = "{displayName} has left." }

[[leaving.stages]]
after = "0d"
do = ["block", "leave-groups", "autoreply", "forward-to-manager"]

[[leaving.stages]]
after = "30d"
do = ["delete-mailbox", "alias-to-manager"]
"""


@pytest.fixture
def left(office: Office) -> Office:
    """Ada has left: blocked, answered for, her mail forwarded to Bob, her own login closed."""
    office.activate(POLICY + LEAVING)
    office.employ("Ada Lovelace", "Bob Builder", department="Engineering")
    own = {"local_part": "countess", "name": "Ada", "password": "S3cr3T", "password_use": "custom"}
    office.host("POST", "mailboxes/ada.lovelace/identities", **own)
    office.tell("left", "E1", lastWorkingDay="2026-03-01")
    office.drain()
    return office


def test_what_the_stages_made_has_not_drifted(left: Office) -> None:
    """Neither the stage's autoreply nor its forwarding is a difference, before the deletion and after it."""
    assert left.mailboxes()["ada.lovelace"]["forwardings"]
    look(left)
    blocked = found(left)
    left.work_on(31 * DAY, every=DAY)
    assert left.aliases()["ada.lovelace"] == {"bob.builder"}
    look(left)

    assert blocked == [("unmanaged", "countess", None)]
    assert found(left) == []


def test_what_a_stage_made_is_put_right(left: Office) -> None:
    """An autoreply that was switched off is written again, and a login that was opened again is closed."""
    left.host("PUT", "mailboxes/ada.lovelace", autorespond_active=False)
    left.host("PUT", "mailboxes/ada.lovelace/identities/countess", may_send=True)
    look(left, repair=True)

    assert sorted(found(left))[:2] == [
        ("foreign-hand", "ada.lovelace", "autorespond_active"),
        ("foreign-hand", "countess", "may_send"),
    ]
    left.drain()
    ada = left.mailboxes()["ada.lovelace"]
    assert ada["autorespond_active"]
    assert [each["may_send"] for each in ada["identities"]] == [False]


def test_a_login_of_somebody_who_left_is_closed_whatever_the_policy_says(left: Office) -> None:
    """Also an identity that we did not make: its opened door is never accepted while its holder is kept out."""
    left.activate(POLICY + LEAVING + '[reconcile]\ndefault = "accept"\n')
    left.host("PUT", "mailboxes/ada.lovelace/identities/countess", may_access_imap=True)
    look(left, repair=True)
    left.drain()

    assert [each["may_access_imap"] for each in left.mailboxes()["ada.lovelace"]["identities"]] == [False]


def test_an_alias_at_a_leavers_address_that_is_gone_is_made_again(left: Office) -> None:
    """Whoever stands in goes on getting the mail: the alias is missing, and comes back."""
    left.work_on(31 * DAY, every=DAY)
    left.host("DELETE", "aliases/ada.lovelace")
    look(left, repair=True)

    assert found(left) == [("missing", "ada.lovelace", None)]
    left.drain()
    assert left.aliases()["ada.lovelace"] == {"bob.builder"}


def test_every_domain_of_the_policy_is_compared(office: Office) -> None:
    """Each domain has a reading of its own, and what one holds is no matter of the other's."""
    office.activate(POLICY + '[[domains]]\nname = "example.net"\npeople = { country = "NL" }\n')
    domain = {"mailboxes": [], "aliases": [{"local_part": "info", "destinations": ["x@example.net"]}], "rewrites": []}
    both = [{"name": "example.org", "mailboxes": [], "aliases": [], "rewrites": []}, domain | {"name": "example.net"}]
    office._control.post("/_sandbox/seed", json={"domains": both}).raise_for_status()
    office.employ("Ada Lovelace", country="NL")
    office.move(timedelta(hours=1))

    assert domains_of(office.execution) == ("example.org", "example.net")
    done = [reconcile(office.execution, domain) for domain in domains_of(office.execution)]
    assert [each.people for each in done] == [0, 1]
    assert [(row.kind, row.address) for row in rows(office)] == [("unmanaged", "info@example.net")]
