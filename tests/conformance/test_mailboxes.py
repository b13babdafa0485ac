"""Mailboxes: how they are shown, listed and deleted, and what is inside them."""

import re

import httpx
import pytest

from tests.conformance.bodies import FAR_AHEAD, alias, fresh, identity, mailbox, rewrite

PINNED = """local_part domain_name address name is_internal is_active may_send may_receive may_access_imap
    may_access_pop3 may_access_managesieve wildcard_sender password_recovery_email spam_action spam_aggressiveness
    expireable expires_on remove_upon_expiry sender_denylist sender_allowlist recipient_denylist daily_incoming_limit
    weekly_incoming_limit monthly_incoming_limit daily_outgoing_limit weekly_outgoing_limit monthly_outgoing_limit
    footer_active storage_usage activated_at changed_at forwardings delegations identities"""
SEEN_EARLIER = """autorespond_active autorespond_body autorespond_expires_on autorespond_subject footer_html_body
    footer_plain_body last_login_at"""
BOOLEANS = """is_internal is_active may_send may_receive may_access_imap may_access_pop3 may_access_managesieve
    wildcard_sender expireable remove_upon_expiry footer_active"""
LIMITS = """daily_incoming_limit weekly_incoming_limit monthly_incoming_limit
    daily_outgoing_limit weekly_outgoing_limit monthly_outgoing_limit"""
LISTS = "sender_denylist sender_allowlist recipient_denylist forwardings delegations identities"
DAYS = ["expires_on", "autorespond_expires_on"]
TIMES = ["changed_at", "activated_at", "last_login_at"]


def test_mailbox_has_the_keys_seen_on_the_real_api(api: httpx.Client) -> None:
    """The keys are those pinned in July 2026; of those seen earlier some may have gone (migadu-behaviour.md 1.3)."""
    shown = api.post("mailboxes", json=mailbox()).json()

    pinned, earlier = set(PINNED.split()), set(SEEN_EARLIER.split())
    assert pinned <= set(shown) <= pinned | earlier


def test_mailbox_values_have_the_types_seen_on_the_real_api(api: httpx.Client) -> None:
    """Booleans or null, arrays, ISO days, times as display strings, storage as a float (migadu-behaviour.md 1.3)."""
    shown = api.post("mailboxes", json=mailbox(expires_on=FAR_AHEAD)).json()

    assert {type(shown[key]) for key in BOOLEANS.split()} <= {bool, type(None)}
    assert {type(shown[key]) for key in LISTS.split()} == {list}
    assert {type(shown[key]) for key in LIMITS.split()} <= {int, type(None)}
    assert {key: shown[key] for key in DAYS if shown.get(key)} == {"expires_on": FAR_AHEAD}
    assert all(re.fullmatch(r"\d\d:\d\d|\d\d/\d\d/\d\d", shown[key]) for key in TIMES if shown.get(key))
    assert isinstance(shown["storage_usage"], float)


def test_list_show_update_and_delete_answer_the_mailbox(api: httpx.Client) -> None:
    """Each verb is 200 with the object, the list under `mailboxes` (migadu-behaviour.md 1.2, 2.1, 2.2)."""
    created = api.post("mailboxes", json=mailbox()).json()
    path = f"mailboxes/{created['local_part']}"

    listed, shown, updated = api.get("mailboxes"), api.get(path), api.put(path, json={"name": "Ada King"})
    deleted = api.delete(path)

    assert [answer.status_code for answer in (listed, shown, updated, deleted)] == [200] * 4
    assert list(listed.json()) == ["mailboxes"]
    assert created in listed.json()["mailboxes"]
    assert shown.json() == created
    assert updated.json() == {**created, "name": "Ada King", "changed_at": updated.json()["changed_at"]}
    assert deleted.json() == updated.json()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_missing_mailbox_is_404(api: httpx.Client, method: str) -> None:
    """What is not there, or no longer, is 404 on GET, PUT and DELETE (migadu-behaviour.md 2.4)."""
    path = f"mailboxes/{api.post('mailboxes', json=mailbox()).json()['local_part']}"
    api.delete(path)

    answer = api.request(method, path, json={"name": "Nobody"})

    assert (answer.status_code, list(answer.json())) == (404, ["error"])


def test_local_parts_are_lower_case(api: httpx.Client) -> None:
    """A mailbox is made and found in lower case, whatever was sent (migadu-behaviour.md 2.20)."""
    local_part = fresh("Ada.L")
    created = api.post("mailboxes", json=mailbox(local_part=local_part)).json()

    assert created["local_part"] == local_part.lower()
    assert created["address"].startswith(f"{local_part.lower()}@")
    assert api.get(f"mailboxes/{local_part.upper()}").json() == created


def test_mailbox_shows_its_identities_and_forwardings_as_objects(api: httpx.Client) -> None:
    """Both are objects inside the mailbox, in the list as well (migadu-behaviour.md 1.3; 5, GET mailboxes)."""
    path = f"mailboxes/{api.post('mailboxes', json=mailbox()).json()['local_part']}"
    king = api.post(f"{path}/identities", json=identity()).json()
    home = api.post(f"{path}/forwardings", json={"address": "ada@home.example"}).json()

    shown = api.get(path).json()

    assert (shown["identities"], shown["forwardings"]) == ([king], [home])
    assert shown in api.get("mailboxes").json()["mailboxes"]


def test_deleted_mailbox_takes_its_children_along(api: httpx.Client) -> None:
    """The answer shows what went; its addresses are free again (migadu-behaviour.md 5, DELETE mailboxes; 7.3)."""
    body, king = mailbox(), identity()
    path = f"mailboxes/{body['local_part']}"
    api.post("mailboxes", json=body)
    identities = [api.post(f"{path}/identities", json=king).json()]
    forwardings = [api.post(f"{path}/forwardings", json={"address": "ada@home.example"}).json()]

    deleted = api.delete(path).json()
    again = api.post("mailboxes", json=body).json()
    other = api.post("aliases", json=alias(local_part=king["local_part"]))

    assert (deleted["identities"], deleted["forwardings"]) == (identities, forwardings)
    assert (again["identities"], again["forwardings"]) == ([], [])
    assert other.status_code == 200


@pytest.mark.parametrize("child", ["identities", "forwardings"])
def test_children_of_a_deleted_mailbox_are_404(api: httpx.Client, child: str) -> None:
    """Below a mailbox that is gone there is nothing (migadu-behaviour.md 2.4; 5)."""
    path = f"mailboxes/{api.post('mailboxes', json=mailbox()).json()['local_part']}"
    api.delete(path)

    assert api.get(f"{path}/{child}").status_code == 404


@pytest.mark.parametrize(("kind", "make"), [("aliases", alias), ("rewrites", rewrite)], ids=["alias", "rewrite"])
def test_deleted_mailbox_stays_in_destinations(api: httpx.Client, kind: str, make: object) -> None:
    """Destination lists keep the dead address (migadu-behaviour.md 7.3)."""
    ada = api.post("mailboxes", json=mailbox()).json()
    before = api.post(kind, json=make(destinations=[ada["address"]])).json()

    api.delete(f"mailboxes/{ada['local_part']}")

    assert before["destinations"] == [ada["address"]]
    assert before in api.get(kind).json().popitem()[1]
